"""A plugin that is known from its description, and imported when it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from pacsfw.api import Component, ConfigSection
from pacsfw.errors import PacsfwError, PluginError
from pacsfw.plugins.boundary import Boundary
from pacsfw.plugins.descriptions import ATTEMPT, Description, component_of, section_of
from pacsfw.plugins.discovery import Candidate
from pacsfw.plugins.facts import facts_of
from pacsfw.plugins.index import Index
from pacsfw.plugins.loading import Plugin
from pacsfw.plugins.records import CommandOffer, Offer, PluginInfo, SectionOffer

UNUSABLE = (ATTEMPT, "requirements", "import", "register")
"""Stages without which nothing of a plugin can be used."""


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
        if any(failure.stage in UNUSABLE for failure in self.failures):
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

    def imported(self) -> Plugin:
        """Return the plugin itself, imported now unless it was before.

        Raises
        ------
        PluginError
            It cannot be imported any more.
        """
        if self._plugin is None:
            self._plugin = Plugin(self.candidate)
        for failure in self._plugin.failures:
            if failure.stage in UNUSABLE:
                self._forget()
                raise PluginError(str(failure))
        return self._plugin

    def call(self, hook: str, **arguments: Any) -> list[Any]:
        """Import it, call each implementation of a hook, and return the results.

        Raises
        ------
        ComponentError
            The hook raised something that is no error of pacsfw.
        """
        owner = f"{self.candidate.distribution} {self.candidate.version}".strip()
        boundary = Boundary("plugin", f"{self.candidate.name!r} ({owner})", (PacsfwError,))
        return boundary.call(hook, self.imported().call, hook, arguments)

    def _real(self, kind: str, name: str, where: str, key: Any) -> Any:
        found = getattr(self.imported(), where).get(key)
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
