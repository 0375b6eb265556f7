"""A configuration that is loaded, and building what it selects to see that it can be built."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from pacsfw.config.document import Document, KeyPath, Problems
from pacsfw.config.model import Config, Use
from pacsfw.errors import PacsfwError, PluginError
from pacsfw.plugins.registry import KINDS, Registry


@dataclass(frozen=True, slots=True)
class Selected:
    """A component that a configuration selects, and where."""

    kind: str
    use: Use
    place: KeyPath
    """Where its name is."""
    within: KeyPath
    """Where its name and its options are."""
    lists: bool = False
    """Whether its place needs a sink that can be read as the study list."""


def build_each(
    selected: Iterable[Selected],
    registry: Registry,
    problems: Problems,
    kinds: Collection[str] = KINDS,
) -> None:
    """Build each component of these kinds once, and add to the problems what cannot be built."""
    known: dict[tuple[str, str, bool], PacsfwError | None] = {}
    for each in selected:
        if each.kind not in kinds:
            continue
        key = (each.kind, each.use.identity, each.lists)
        if key not in known:
            known[key] = _failure(each, registry)
        if (err := known[key]) is not None:
            problems.quote(each.place, err, within=each.within)


def _failure(selected: Selected, registry: Registry) -> PacsfwError | None:
    try:
        kind, name, options = selected.kind, selected.use.name, selected.use.options
        if not selected.lists:
            registry.identify(kind, name, options)  # builds it, and asks it for its fingerprint
        elif not registry.build(kind, name, options).lists:
            described = registry.describe("sink", selected.use.name)
            return PluginError(
                f"sink {described} cannot be the study list: it cannot be read (`Sink.read`)"
            )
    except PacsfwError as err:
        return err
    return None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and the registry of the plugins it asked for."""

    config: Config
    registry: Registry
    document: Document = field(repr=False)
    selected: tuple[Selected, ...]
    """Every component that the configuration selects, those by default included."""

    def build(self, kinds: Collection[str]) -> None:
        """See that every component of these kinds can be built.

        Raises
        ------
        ConfigError
            A factory refuses its options. Every problem is named, as `load` does.
        PluginError
            A component is broken.
        """
        problems = Problems(self.document)
        build_each(self.selected, self.registry, problems, kinds)
        problems.raise_any()
