"""What all plugins offer. Each plugin is known from the index, and imported when it is used."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from pacsfw.api import Component, ConfigSection
from pacsfw.errors import PacsfwError, PluginError
from pacsfw.plugins.boundary import is_own_signal
from pacsfw.plugins.descriptions import Description, component_of, section_of
from pacsfw.plugins.discovery import (
    BUNDLED,
    Candidate,
    PluginPlan,
    find,
    is_disabled,
    switched_off,
)
from pacsfw.plugins.facts import facts_of
from pacsfw.plugins.index import Index
from pacsfw.plugins.loading import Plugin, is_traced, offered_twice
from pacsfw.plugins.records import CommandOffer, Offer, PluginFailure, PluginInfo, SectionOffer
from pacsfw.plugins.registry import Registry

_UNUSABLE = ("requirements", "import", "register")
"""Stages without which nothing of a plugin can be used."""


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
            index.put(each, environment, found[each.key])
            if is_traced():
                line = f"index {each.key}: import took {found[each.key].seconds * 1000:.1f} ms"
                print(line, file=sys.stderr)  # noqa: T201 - enabled by the user
    index.save()
    return found


class Known:
    """A plugin that is known from its description, and imported when it is used."""

    def __init__(
        self,
        candidate: Candidate,
        description: Description,
        index: Index | None = None,
        plugin: Plugin | None = None,
    ) -> None:
        self.candidate, self.description, self._index = candidate, description, index
        self._plugin = plugin
        self.failures = description.failures_of(candidate)

    @property
    def info(self) -> PluginInfo | None:
        """What is known of it; None if nothing of it can be used."""
        if any(failure.stage in _UNUSABLE for failure in self.failures):
            return None
        said, owner = self.description, self.candidate
        return PluginInfo(
            owner.name,
            owner.distribution,
            owner.version,
            said.seconds,
            tuple(said.notes),
            tuple(said.deprecated),
            tuple(said.schemes or ()),
        )

    def components(self) -> Iterator[Offer]:
        """Yield its components, with factories that import the plugin."""
        for kind, facts, fault in self.description.components:
            load = partial(self.component, kind, facts)
            record = component_of(facts, partial(_build, load))
            owner = self.candidate
            yield Offer(kind, record, owner.name, owner.distribution, owner.version, load, fault)

    def sections(self) -> Iterator[SectionOffer]:
        """Yield its sections."""
        owner = self.candidate
        for facts in self.description.sections:
            load = partial(self.section, facts)
            record = section_of(facts)
            yield SectionOffer(record, owner.name, owner.distribution, owner.version, load)

    def commands(self) -> Iterator[CommandOffer]:
        """Yield its commands."""
        owner = self.candidate
        for name, summary in self.description.commands:
            load = partial(self._real, "command", name, "commands", name)
            yield CommandOffer(name, summary, owner.name, owner.distribution, owner.version, load)

    def component(self, kind: str, facts: Mapping[str, Any]) -> Component[Any]:
        """Return the record of a component itself; the index is corrected if it differs."""
        name = facts["name"]
        found: Component[Any] = self._real(kind, name, "components", (kind, name))
        self._compare(facts, found)
        return found

    def section(self, facts: Mapping[str, Any]) -> ConfigSection:
        """Return the record of a section itself; the index is corrected if it differs."""
        found: ConfigSection = self._real("section", facts["key"], "sections", facts["key"])
        self._compare(facts, found)
        return found

    @property
    def plugin(self) -> Plugin:
        """The plugin itself, imported now unless it was before.

        Raises
        ------
        PluginError
            It cannot be imported any more.
        """
        if self._plugin is None:
            self._plugin = Plugin(self.candidate)
        for failure in self._plugin.failures:
            if failure.stage in _UNUSABLE:
                self._forget()
                raise PluginError(str(failure))
        return self._plugin

    def _real(self, kind: str, name: str, where: str, key: Any) -> Any:
        found = getattr(self.plugin, where).get(key)
        if found is None:
            self._forget()
            raise PluginError(
                f"{self.info} does not offer {kind} {name!r} any more; repeat the command"
            )
        return found

    def _compare(self, facts: Mapping[str, Any], record: Any) -> None:
        if facts_of(record) != facts:
            self._forget()

    def _forget(self) -> None:
        if self._index is not None:
            self._index.forget(self.candidate)


def _build(load: Any, **options: Any) -> Any:
    return load().factory(**options)


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
                values = each.plugin.call(
                    "pacsfw_resolve_secret", scheme=scheme, reference=reference
                )
            except PacsfwError as err:
                failure = failure or err
                continue
            except BaseException as err:
                if is_own_signal(err):
                    raise
                failure = failure or PluginError(
                    f"{what} failed: {each.info}: {type(err).__name__}"
                )
                continue
            for value in values:
                if isinstance(value, str):
                    return value
                if value is not None:
                    raise PluginError(f"{what} returned no text: {each.info}")
        if failure is not None:
            raise failure
        return None

    def config_loaded(self, config: Mapping[str, Any]) -> None:
        """Pass the configuration to the plugins; see `Registry.config_loaded`."""
        for each in self._with("pacsfw_config_loaded"):
            try:
                each.plugin.call("pacsfw_config_loaded", config=config)
            except PacsfwError:
                raise
            except BaseException as err:
                if is_own_signal(err):
                    raise
                raise PluginError(
                    f"{each.info}: pacsfw_config_loaded: {type(err).__name__}: {err}"
                ) from err

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
