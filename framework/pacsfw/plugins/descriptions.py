"""What a plugin offers, as plain data: enough for everything but using it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from pacsfw.api import Component, ConfigSection
from pacsfw.plugins.discovery import Candidate
from pacsfw.plugins.facts import factory_fault, facts_of
from pacsfw.plugins.loading import Plugin
from pacsfw.plugins.records import PluginFailure

ATTEMPT = "attempt"
"""The stage of a failure that is no fault of the plugin: it is not remembered."""


@dataclass(frozen=True, slots=True)
class Description:
    """Everything that one plugin offers; made of JSON-compatible values only.

    ``components`` has kind, facts and fault of each, ``commands`` name and summary.
    """

    components: Sequence[tuple[str, Mapping[str, Any], str]] = ()
    sections: Sequence[Mapping[str, Any]] = ()
    commands: Sequence[tuple[str, str]] = ()
    nameless: Mapping[str, str] = field(default_factory=dict)
    """Its hooks without a name, each with ``tryfirst``, ``trylast`` or an empty text."""
    schemes: Sequence[str] | None = None
    failures: Sequence[tuple[str, str, str]] = ()
    """Stage, error and traceback of each."""
    notes: Sequence[str] = ()
    deprecated: Sequence[str] = ()
    seconds: float = 0.0
    files: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """The source files that were read, each with its time of change and its size."""

    @classmethod
    def of(cls, plugin: Plugin, *, deep: bool = False) -> Description:
        """Describe a plugin; its hooks are called.

        ``deep``: also import what is behind a `pacsfw.lazy`, to compare it with its schema.
        """
        components = [
            (kind, facts_of(record), factory_fault(record, deep=deep))
            for (kind, _), record in plugin.components.items()
        ]
        sections = [facts_of(section) for section in plugin.sections.values()]
        commands = [
            (name, command.get_short_help_str(limit=100))
            for name, command in plugin.commands.items()
        ]
        return cls(
            components=components,
            sections=sections,
            commands=commands,
            nameless=plugin.nameless,
            schemes=plugin.schemes,
            failures=[(each.stage, each.error, each.traceback) for each in plugin.failures],
            notes=plugin.notes,
            deprecated=plugin.deprecated,
            seconds=plugin.seconds,
            files=_files_of(plugin.candidate),
        )

    @classmethod
    def failed(cls, error: str, stage: str = "import") -> Description:
        """Describe a plugin that cannot be used at all."""
        return cls(failures=[(stage, error, f"{error}\n")])

    @classmethod
    def read(cls, data: Any) -> Description:
        """Restore a description from `as_json`.

        Raises
        ------
        KeyError, TypeError, ValueError
            It is none.
        """
        if set(data) != {each.name for each in fields(cls)}:
            raise ValueError("not a description of this version")
        found = cls(**data)
        for facts in (*(facts for _, facts, _ in found.components), *found.sections):
            dict(facts)
        for _, _ in found.commands:
            pass
        for _, _, _ in found.failures:
            pass
        return found

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON-compatible data."""
        return asdict(self)

    @property
    def is_lasting(self) -> bool:
        """Whether another attempt would end in the same way."""
        return all(stage != ATTEMPT for stage, _, _ in self.failures)

    @property
    def is_current(self) -> bool:
        """Whether the files that were read are still the same."""
        return all(stamp(path) == list(said) for path, said in self.files.items())

    def failures_of(self, candidate: Candidate) -> list[PluginFailure]:
        """Return its failures, with the plugin that they belong to."""
        return [
            PluginFailure(candidate.name, candidate.distribution, candidate.version, *each)
            for each in self.failures
        ]


def component_of(facts: Mapping[str, Any], factory: Callable[..., Any]) -> Component[Any]:
    """Return a record with these facts."""
    return Component(factory=factory, **{key: _restored(facts[key]) for key in facts})


def section_of(facts: Mapping[str, Any]) -> ConfigSection:
    """Return a section with these facts."""
    return ConfigSection(**facts)


def _restored(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def stamp(path: str) -> list[int]:
    """Return time of change and size of a file; empty if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return []
    return [found.st_mtime_ns, found.st_size]


def _files_of(candidate: Candidate) -> dict[str, list[int]]:
    """Return the source files of a plugin that are loaded, with what identifies them."""
    if candidate.is_file:  # and those next to it
        folder = Path(candidate.value).parent
        paths = {candidate.value, *(each for each in _loaded() if Path(each).parent == folder)}
    else:
        top = candidate.value.partition(":")[0].partition(".")[0]
        paths = set(_loaded(top))
    return {path: stamp(path) for path in sorted(paths)}


def _loaded(top: str = "") -> list[str]:
    modules = [
        module for name, module in list(sys.modules.items()) if top in ("", name.partition(".")[0])
    ]
    found = (getattr(module, "__file__", None) for module in modules)
    return [path for path in found if isinstance(path, str)]
