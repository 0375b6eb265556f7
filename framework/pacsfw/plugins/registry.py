"""Look up a component and its plugin by kind and name."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from collections.abc import Iterable, Mapping
from typing import Any

import entrypoints

from pacsfw.errors import (
    ComponentConflict,
    ConfigError,
    PacsfwError,
    PluginError,
    UnknownComponent,
)
from pacsfw.plugins.boundary import Boundary, FaultLog, is_own_signal
from pacsfw.plugins.discovery import BUNDLED
from pacsfw.plugins.facts import disagreement, record_of
from pacsfw.plugins.guards import guarded, no_such_object
from pacsfw.plugins.origin import Identity, identity_of
from pacsfw.plugins.records import (
    CommandOffer,
    Hooks,
    Offer,
    PluginFailure,
    PluginInfo,
    SectionOffer,
)
from pacsfw.words import nearest

KINDS = (
    "cohort",
    "query",
    "transfer",
    "layout",
    "callback",
    "row-callback",
    "converter",
    "sink",
    "observer",
)
"""Kinds of components; each has a hook that offers it."""


class Registry:
    """The offers of all usable plugins. Read-only once built.

    ``hint`` is added to the message if a name is not found, for example with ``--no-plugins``.
    """

    def __init__(
        self,
        offers: Iterable[Offer],
        *,
        sections: Mapping[str, SectionOffer] | None = None,
        commands: Iterable[CommandOffer] = (),
        failures: Iterable[PluginFailure] = (),
        disabled: Iterable[str] = (),
        plugins: Iterable[PluginInfo] = (),
        hooks: Hooks | None = None,
        hint: str = "",
    ) -> None:
        self._offers = tuple(offers)
        self.sections = dict(sections or {})
        self.commands = tuple(commands)
        self.failures = tuple(failures)
        self.disabled = tuple(disabled)
        self.plugins = tuple(plugins)
        self.faults = FaultLog()
        self._hooks = hooks
        self.hint = hint
        self._identities: dict[tuple[str, str, str], Identity] = {}

    def offers(self, kind: str | None = None) -> tuple[Offer, ...]:
        """Return every offer (of one kind), in stable order."""
        return tuple(offer for offer in self._offers if kind is None or offer.kind == kind)

    def select(self, kind: str, name: str) -> Offer:
        """Return the component that ``name`` selects. Its plugin is imported.

        Parameters
        ----------
        kind
            One of `KINDS`.
        name
            ``name``, ``distribution/name`` or ``module:attribute``. A plain name that pacsfw
            itself offers is the bundled component.

        Raises
        ------
        UnknownComponent
            No plugin offers it; the message lists similar names and plugins that failed.
        ComponentConflict
            Several distributions offer it.
        PluginError
            A module it needs is not installed, or its plugin cannot be imported any more.
        """
        return self._reference(kind, name) if ":" in name else self.named(kind, name).used()

    def named(self, kind: str, name: str) -> Offer:
        """Return what `select` returns for a name, and raise the same; nothing is imported."""
        distribution, _, bare = name.rpartition("/")
        matching = [
            offer
            for offer in self.offers(kind)
            if offer.component.name == bare and distribution in ("", offer.distribution)
        ]
        if not matching:
            raise UnknownComponent(self._unknown(kind, name))
        matching = _preferred(matching)
        if len(matching) > 1:
            choices = " or ".join(f"'{offer.distribution}/{bare}'" for offer in matching)
            owners = ", ".join(f"{offer.plugin!r} of {offer.owner}" for offer in matching)
            raise ComponentConflict(
                f"{kind} {bare!r} is offered by {owners}: use {choices}, or disable one plugin"
            )
        self._check_requirements(matching[0])
        return matching[0]

    def describe(self, kind: str, name: str) -> str:
        """Name a component with its distribution and version, for messages and the ledger."""
        return self.select(kind, name).described

    def sink_for(self, target: str) -> Offer:
        """Return the sink that claims the suffix or scheme of ``target``, as `claiming`."""
        return self.claiming("sink", target)

    def claiming(self, kind: str, target: str) -> Offer:
        """Return the component of a kind that claims the suffix or scheme of ``target``.

        The longest claim wins, and of equal ones that of a bundled component.

        Raises
        ------
        UnknownComponent
            None claims it.
        ComponentConflict
            Several claim it.
        PluginError
            A module it needs is not installed.
        """
        claims = [(c, offer) for offer in self.offers(kind) for c in offer.component.accepts]
        fitting = [
            (claim, offer)
            for claim, offer in claims
            if (target.startswith(claim) if claim.endswith(":") else target.endswith(claim))
        ]
        scheme, is_url, _ = target.partition("://")
        shown = f"{scheme}://..." if is_url else target  # the rest may contain a password
        if not fitting:
            known = ", ".join(sorted({claim for claim, _ in claims}))
            what = "no sink writes" if kind == "sink" else f"no {kind} reads"
            raise UnknownComponent(f"{what} {shown!r}; known suffixes and schemes: {known}")
        longest = max(len(claim) for claim, _ in fitting)  # .csv.gz before .gz
        by_id = {id(offer): offer for claim, offer in fitting if len(claim) == longest}
        best = _preferred(list(by_id.values()))
        if len(best) > 1:
            owners = ", ".join(f"{offer.component.name!r} of {offer.owner}" for offer in best)
            plugins = " or ".join(f"'{offer.distribution}/{offer.plugin}'" for offer in best)
            raise ComponentConflict(
                f"{shown!r} is claimed by the {kind}s {owners}: disable one of their plugins "
                f"(plugins.disable: {plugins})"
            )
        self._check_requirements(best[0])
        return best[0].used()

    def section(self, key: str) -> SectionOffer:
        """Return the section with this key. Its plugin is imported.

        Raises
        ------
        PluginError
            The plugin cannot be imported any more, or does not offer it any more.
        """
        return self.sections[key].used()

    def build(self, kind: str, name: str, options: Mapping[str, Any]) -> Any:
        """Select a component, build it, and guard it: its faults are named and counted in `faults`.

        Raises
        ------
        ConfigError, PluginError
            As `make`.
        """
        built, offer = self.make(kind, name, options), self.select(kind, name)
        return guarded(kind, built, Boundary(kind, offer.described, log=self.faults))

    def make(self, kind: str, name: str, options: Mapping[str, Any]) -> Any:
        """Select a component and build it, without a guard.

        Raises
        ------
        ConfigError
            The factory refused the options.
        PluginError
            The component is unknown, its factory failed in another way, or the object
            contradicts the component's record.
        """
        offer = self.select(kind, name)
        try:
            built = offer.component.factory(**options)
            wrong = no_such_object(kind, built)
            wrong = wrong or disagreement(kind, offer.component, options, built)
        except PacsfwError:
            raise
        except (TypeError, ValueError) as err:
            raise ConfigError(f"{kind} {name!r} (from {offer.owner}): {err}") from err
        except BaseException as err:  # plugin boundary: name the owner
            if is_own_signal(err):
                raise
            raise PluginError(
                f"{kind} {name!r} (from {offer.owner}) failed to start: {type(err).__name__}: {err}"
            ) from err
        if wrong:
            raise PluginError(f"{kind} {name!r} (from {offer.owner}) is broken: {wrong}")
        return built

    def identify(self, kind: str, name: str, options: Mapping[str, Any]) -> Identity:
        """Identify a component with these options; it is built for that, once.

        Raises
        ------
        ConfigError, PluginError
            As `make`.
        ComponentError
            It has no valid fingerprint.
        """
        key = (kind, name, json.dumps(dict(options), sort_keys=True, default=str))
        if key not in self._identities:
            built = self.make(kind, name, options)
            offer = self.select(kind, name)
            self._identities[key] = identity_of(offer, options, built, self.faults)
        return self._identities[key]

    def resolve_secret(self, scheme: str, reference: str) -> str | None:
        """Return the value of ``${scheme:reference}`` from the first plugin that has one.

        Raises
        ------
        PluginError
            No plugin returned a value, and at least one failed.
        """
        return self._hooks.resolve_secret(scheme, reference) if self._hooks else None

    def config_loaded(self, config: Mapping[str, Any]) -> None:
        """Pass the valid configuration to every plugin with `pacsfw_config_loaded`.

        Raises
        ------
        ConfigError
            A plugin refuses it.
        PluginError
            A plugin failed.
        """
        if self._hooks is not None:
            self._hooks.config_loaded(config)

    def implementing(self, hook: str) -> list[PluginInfo]:
        """Return the plugins that implement a hook."""
        keys = set(self._hooks.implementing(hook)) if self._hooks else set()
        return [each for each in self.plugins if f"{each.distribution}/{each.plugin}" in keys]

    def _reference(self, kind: str, name: str) -> Offer:
        target = name.replace("pacsanini.convert:", "pacsfw.convert:", 1)
        module = target.partition(":")[0]
        if self._hooks is not None:
            self._hooks.import_file(module)
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
        return Offer(kind, record_of(kind, name, found), module, *_distribution_of(module))

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
        near = nearest(name.rpartition("/")[2], known)
        message = f"no {kind} is named {name!r}"
        message += near or f"; known: {', '.join(known) or 'none'}"
        hints = [self.hint] if self.hint else []
        hints += [f"not loaded: {failure}" for failure in self.failures]
        hints += [f"disabled: {', '.join(self.disabled)}"] if self.disabled else []
        return "; ".join([message, *hints])


def _preferred(offers: list[Offer]) -> list[Offer]:
    """Return the bundled offers if there are any: no installed package changes a default."""
    return [offer for offer in offers if offer.distribution == BUNDLED] or offers


def _distribution_of(module: str) -> tuple[str, str]:
    """Return the distribution and version of a module, if both have the same name."""
    try:
        found = importlib.metadata.distribution(module.partition(".")[0])
        return found.metadata["Name"], found.version
    except Exception:  # noqa: BLE001 - not installed, or broken foreign metadata
        return module, ""
