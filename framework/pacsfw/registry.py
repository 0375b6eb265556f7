"""(kind, name) -> component, with the plugin that owns it."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import entrypoints

from pacsfw.api import Component, ConfigSection
from pacsfw.errors import (
    ComponentConflict,
    ConfigError,
    PacsfwError,
    PluginError,
    UnknownComponent,
)

KINDS = ("query", "transfer", "layout", "callback", "converter", "sink", "observer")
"""Kinds of components; each has a hook that offers it."""

PLAIN_CALLABLES = frozenset({"layout", "callback"})
"""Kinds whose ``module:attribute`` is the function itself, not a factory."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A component and the plugin that offers it."""

    kind: str
    component: Component[Any]
    plugin: str
    distribution: str
    version: str

    @property
    def owner(self) -> str:
        """Distribution and version, as quoted in messages and in the ledger."""
        return f"{self.distribution} {self.version}".strip()


@dataclass(frozen=True, slots=True)
class SectionOffer:
    """A configuration section and the plugin that owns it."""

    section: ConfigSection
    plugin: str
    distribution: str
    version: str


@dataclass(frozen=True, slots=True)
class PluginFailure:
    """A plugin, or one hook of it, that could not be used."""

    plugin: str
    distribution: str
    version: str
    stage: str
    error: str
    traceback: str

    def __str__(self) -> str:
        """Say whose fault it is, where it happened and what it is."""
        owner = f"{self.distribution} {self.version}".strip()
        return f"plugin {self.plugin!r} ({owner}): {self.stage}: {self.error}"


class Registry:
    """What all usable plugins offer. Read-only once built."""

    def __init__(
        self,
        offers: Iterable[Offer],
        *,
        sections: Mapping[str, SectionOffer] | None = None,
        failures: Iterable[PluginFailure] = (),
        disabled: Iterable[str] = (),
        resolve_secret: Callable[..., str | None] | None = None,
        config_hooks: Iterable[tuple[str, Callable[[Mapping[str, Any]], None]]] = (),
    ) -> None:
        self._offers = tuple(offers)
        self.sections = dict(sections or {})
        self.failures = tuple(failures)
        self.disabled = tuple(disabled)
        self._resolve_secret = resolve_secret
        self._config_hooks = tuple(config_hooks)

    def offers(self, kind: str | None = None) -> tuple[Offer, ...]:
        """Return every offer (of one kind), in a stable order."""
        return tuple(offer for offer in self._offers if kind is None or offer.kind == kind)

    def select(self, kind: str, name: str) -> Offer:
        """Return the one component that ``name`` means.

        Parameters
        ----------
        kind
            One of `KINDS`.
        name
            ``name``, ``distribution/name`` or ``module:attribute``.

        Raises
        ------
        UnknownComponent
            Nothing offers it; the message has close names and plugins that failed.
        ComponentConflict
            Several distributions offer it.
        PluginError
            A module it needs is not installed.
        """
        if ":" in name:
            return self._reference(kind, name)
        distribution, _, bare = name.rpartition("/")
        matching = [
            offer
            for offer in self.offers(kind)
            if offer.component.name == bare and distribution in ("", offer.distribution)
        ]
        if not matching:
            raise UnknownComponent(self._unknown(kind, name))
        if len(matching) > 1:
            choices = " or ".join(f"'{offer.distribution}/{bare}'" for offer in matching)
            owners = ", ".join(f"{offer.plugin!r} of {offer.owner}" for offer in matching)
            raise ComponentConflict(
                f"{kind} {bare!r} is offered by {owners}: say {choices}, or disable one plugin"
            )
        self._check_requirements(matching[0])
        return matching[0]

    def sink_for(self, target: str) -> Offer:
        """Return the sink that claims the suffix or scheme of ``target``."""
        claims: list[str] = []
        for offer in self.offers("sink"):
            for claim in offer.component.accepts:
                claims.append(claim)
                if target.startswith(claim) if claim.endswith(":") else target.endswith(claim):
                    self._check_requirements(offer)
                    return offer
        raise UnknownComponent(
            f"no sink writes {target!r}; known suffixes and schemes: {', '.join(sorted(claims))}"
        )

    def build(self, kind: str, name: str, options: Mapping[str, Any]) -> Any:
        """Select a component and make an object of it.

        Raises
        ------
        ConfigError
            The factory refused the options.
        PluginError
            The component is unknown, or its factory failed otherwise.
        """
        offer = self.select(kind, name)
        try:
            return offer.component.factory(**options)
        except PacsfwError:
            raise
        except (TypeError, ValueError) as err:
            raise ConfigError(f"{kind} {name!r} (from {offer.owner}): {err}") from err
        except Exception as err:  # plugin boundary: name the owner whatever it raised
            raise PluginError(
                f"{kind} {name!r} (from {offer.owner}) failed to start: {type(err).__name__}: {err}"
            ) from err

    def resolve_secret(self, scheme: str, reference: str) -> str | None:
        """Ask the plugins for the value of ``${scheme:reference}``; the first answer wins."""
        if self._resolve_secret is None:
            return None
        return self._resolve_secret(scheme=scheme, reference=reference)

    def config_loaded(self, config: Mapping[str, Any]) -> None:
        """Show the valid configuration to every plugin that asked for it."""
        for owner, hook in self._config_hooks:
            try:
                hook(config)
            except PacsfwError:
                raise
            except Exception as err:  # plugin boundary
                raise PluginError(
                    f"{owner}: pacsfw_config_loaded: {type(err).__name__}: {err}"
                ) from err

    def _reference(self, kind: str, name: str) -> Offer:
        target = name.replace("pacsanini.convert:", "pacsfw.convert:", 1)
        try:
            found = entrypoints.EntryPoint.from_string(target, name).load()
        except entrypoints.BadEntryPoint as err:
            raise UnknownComponent(f"{kind} {name!r} is not of the form module:attribute") from err
        except ImportError as err:
            raise UnknownComponent(f"{kind} {name!r} cannot be imported: {err}") from err
        except AttributeError as err:
            raise UnknownComponent(f"{kind} {name!r} does not exist: {err}") from err
        except (Exception, SystemExit) as err:  # plugin boundary: user code ran at import
            raise PluginError(f"{kind} {name!r}: {type(err).__name__}: {err}") from err
        if not callable(found):
            raise PluginError(f"{kind} {name!r} is not callable")
        module = target.partition(":")[0]
        component: Component[Any] = Component(
            name=name, factory=(lambda: found) if kind in PLAIN_CALLABLES else found, schema={}
        )
        return Offer(kind, component, module, module, "")

    def _check_requirements(self, offer: Offer) -> None:
        for requirement in offer.component.requires:
            module, _, extra = requirement.rstrip("]").partition("[")
            if importlib.util.find_spec(module) is None:
                what = f"{offer.distribution}[{extra}]" if extra else module
                raise PluginError(
                    f"{offer.kind} {offer.component.name!r} (from {offer.owner}) needs the module "
                    f"{module!r}: pip install '{what}'"
                )

    def _unknown(self, kind: str, name: str) -> str:
        known = sorted({offer.component.name for offer in self.offers(kind)})
        bare = name.rpartition("/")[2]
        near = [candidate for candidate in known if candidate.lower() == bare.lower()]
        near = near or difflib.get_close_matches(bare, known, 1)
        message = f"no {kind} is named {name!r}"
        if near:
            message += f" (did you mean {near[0]!r}?)"
        else:
            message += f"; known: {', '.join(known) or 'none'}"
        return "; ".join([message, *(f"not loaded: {failure}" for failure in self.failures)])
