"""What all plugins offer. Each plugin is known from the index, and imported when it is used."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from pacsfw.errors import ComponentError, PacsfwError, PluginError
from pacsfw.plugins.descriptions import Description
from pacsfw.plugins.discovery import (
    BUNDLED,
    Candidate,
    PluginPlan,
    find,
    is_disabled,
    switched_off,
)
from pacsfw.plugins.index import Index
from pacsfw.plugins.known import Known
from pacsfw.plugins.loading import Plugin, is_traced, offered_twice
from pacsfw.plugins.records import Offer, PluginFailure, SectionOffer
from pacsfw.plugins.registry import Registry


def discover(plan: PluginPlan, *, fresh: bool = False) -> Registry:
    """Find every plugin of the plan and return their offers. None is imported before its use.

    A plugin that cannot be loaded does not affect the others. It is listed in
    ``registry.failures``, and quoted if a name is selected that no plugin offers.

    Parameters
    ----------
    fresh
        Describe every third-party plugin again, whatever the index says.
    """
    found = find(plan)
    disabled = [each.key for each in found.candidates if is_disabled(each, plan)]
    used = [each for each in found.candidates if each.key not in disabled]
    index = Index()
    said = _described(plan, used, index, found.environment, fresh=fresh)
    known = [Known(each, said[each.key], index) for each in used if each.key in said]
    hint = "plugins are switched off (--no-plugins)" if switched_off() else ""
    return Catalogue(known).registry(disabled, hint)


def registry_of(*plugins: Candidate) -> Registry:
    """Load exactly these plugins, in this process, whatever is installed or disabled."""
    loaded = [Plugin(candidate) for candidate in plugins]
    known = [Known(each.candidate, Description.of(each), plugin=each) for each in loaded]
    return Catalogue(known).registry()


def _described(
    plan: PluginPlan,
    candidates: Sequence[Candidate],
    index: Index,
    environment: str,
    *,
    fresh: bool,
) -> dict[str, Description]:
    """Return the description of each plugin, and add to the index those that it lacks."""
    found: dict[str, Description] = {}
    apart: list[Candidate] = []
    for each in candidates:
        here = each.distribution == BUNDLED or not each.value
        known = index.get(each, environment) if each.value and (here or not fresh) else None
        if known is not None:
            found[each.key] = known
        elif not here:
            apart.append(each)
        else:
            found[each.key] = Description.of(Plugin(each))
            if each.value:
                index.put(each, environment, found[each.key])
    if apart:
        from pacsfw.plugins.apart import describe_apart  # deferred: subprocess is slow to import

        for each, found[each.key] in describe_apart(plan, apart):
            if found[each.key].is_lasting:
                index.put(each, environment, found[each.key])
            if is_traced():
                line = f"index {each.key}: import took {found[each.key].seconds * 1000:.1f} ms"
                print(line, file=sys.stderr)  # noqa: T201 - enabled by the user
    index.save()
    return found


class Catalogue:
    """All plugins, and their hooks without a name."""

    def __init__(self, known: Iterable[Known]) -> None:
        self._known = list(known)

    def registry(self, disabled: Iterable[str] = (), hint: str = "") -> Registry:
        """Return the offers of the plugins; ``hint`` is added if a name is not found."""
        clashes: list[PluginFailure] = []
        offers = self._components(clashes)
        sections = self._sections(clashes)
        return Registry(
            offers,
            sections=sections,
            commands=[offer for each in self._known for offer in each.commands()],
            failures=[failure for each in self._known for failure in each.failures] + clashes,
            disabled=disabled,
            plugins=[info for each in self._known if (info := each.info)],
            hooks=self,
            hint=hint,
        )

    def _components(self, clashes: list[PluginFailure]) -> list[Offer]:
        """Return every offered component, sorted; a distribution offers a name once."""
        offers: dict[tuple[str, str, str], Offer] = {}
        for each in self._known:
            for offer in each.components():
                key = (offer.kind, offer.component.name, offer.distribution)
                if key in offers:
                    what = offered_twice(offer.kind, offer.component.name, each.candidate)
                    clashes.append(_clash(each.candidate, offer.kind, what))
                else:
                    offers[key] = offer
        return [offers[key] for key in sorted(offers)]

    def _sections(self, clashes: list[PluginFailure]) -> dict[str, SectionOffer]:
        """Return the sections of plugins; if two plugins claim a key, the first one gets it."""
        found: dict[str, SectionOffer] = {}
        for each in self._known:
            for offer in each.sections():
                key = offer.section.key
                if key in found:
                    what = f"section {key!r} already belongs to {found[key].plugin!r}"
                    clashes.append(_clash(each.candidate, "pacsfw_config_sections", what))
                else:
                    found[key] = offer
        return found

    def implementing(self, hook: str) -> list[str]:
        """Return the plugins with this hook, in the order in which they are called."""
        return [each.candidate.key for each in self._with(hook)]

    def resolve_secret(self, scheme: str, reference: str) -> str | None:
        """Return the first value that is not None; see `Registry.resolve_secret`.

        The text of an error is not quoted, because it may contain the secret.
        """
        failure: PacsfwError | None = None
        what = f"the plugin for '${{{scheme}:...}}'"
        for each in self._with("pacsfw_resolve_secret"):
            schemes = each.description.schemes
            if schemes is not None and scheme not in schemes:
                continue
            try:
                values = each.call("pacsfw_resolve_secret", scheme=scheme, reference=reference)
            except ComponentError as err:
                reason = f"{what} failed: {each.info}: {err.fault.reason}"
                failure = failure or PluginError(reason)
                continue
            except PacsfwError as err:
                failure = failure or err
                continue
            for value in values:
                if isinstance(value, str):
                    return value
                if value is not None:
                    raise PluginError(f"{what} returned no text: {each.info}")
        if failure is not None:
            raise failure
        return None

    def import_file(self, module: str) -> None:
        """Import the one-file plugin with this name, so that ``module:attribute`` finds it.

        Raises
        ------
        PluginError
            It cannot be imported any more.
        """
        for each in self._known:
            if each.candidate.is_file and each.candidate.name == module and each.info:
                each.imported()

    def config_loaded(self, config: Mapping[str, Any]) -> None:
        """Pass the configuration to the plugins; see `Registry.config_loaded`."""
        for each in self._with("pacsfw_config_loaded"):
            each.call("pacsfw_config_loaded", config=deepcopy(config))

    def _with(self, hook: str) -> list[Known]:
        """Return the usable plugins with this hook: ``tryfirst`` first, ``trylast`` last."""
        having = [each for each in self._known if each.info and hook in each.description.nameless]
        rank = {"tryfirst": 0, "": 1, "trylast": 2}
        return sorted(having, key=lambda each: rank[each.description.nameless[hook]])


def _clash(candidate: Candidate, stage: str, what: str) -> PluginFailure:
    return PluginFailure(
        plugin=candidate.name,
        distribution=candidate.distribution,
        version=candidate.version,
        stage=stage,
        error=f"ValueError: {what}",
        traceback=f"ValueError: {what}\n",
    )
