"""A parsed configuration file: the tree, the position of each value, and the problems."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pacsfw.errors import ConfigError, PluginError

KeyPath: TypeAlias = tuple[str | int, ...]
"""The keys and indices that lead from the root to a value."""

MASK = "***"
"""Shown in place of a secret."""

MAX_DEPTH = 50
MAX_VALUES = 50_000
"""Far beyond any real configuration; only an alias bomb exceeds them."""

_SHOWN = 60


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A position in the file; both count from 1."""

    line: int
    column: int


START = Mark(1, 1)


@dataclass(slots=True)
class Document:
    """The content of a configuration file.

    ``values`` and ``keys`` hold the position of each value and its key. ``secrets`` are the
    places whose value came from a file or a secret store, ``filled`` the places where
    ``${...}`` was replaced, ``broken`` the places where that failed.
    """

    name: str
    tree: dict[str, Any]
    values: dict[KeyPath, Mark]
    keys: dict[KeyPath, Mark]
    secrets: set[KeyPath] = field(default_factory=set)
    secret_texts: set[str] = field(default_factory=set)
    filled: set[KeyPath] = field(default_factory=set)
    broken: set[KeyPath] = field(default_factory=set)

    def within(self, key: str) -> Document:
        """Return a document with the content of this one under a key."""
        values = {(key, *place): mark for place, mark in self.values.items()}
        keys = {(key, *place): mark for place, mark in self.keys.items()}
        return Document(self.name, {key: self.tree}, values, keys)

    def mark(self, place: KeyPath, *, key: bool = False) -> Mark:
        """Return the position of ``place``, or of the nearest place around it."""
        if key and place in self.keys:
            return self.keys[place]
        while place:
            if place in self.values:
                return self.values[place]
            place = place[:-1]
        return START

    def where(self, place: KeyPath, *, key: bool = False) -> str:
        """Return ``conf.yaml:12:5``."""
        mark = self.mark(place, key=key)
        return f"{self.name}:{mark.line}:{mark.column}"

    def get(self, place: KeyPath) -> Any:
        """Return the value at ``place``, or None."""
        found: Any = self.tree
        for step in place:
            if isinstance(found, dict):
                found = found.get(step)
            elif isinstance(found, list) and isinstance(step, int):
                found = found[step]
            else:
                return None
        return found

    def replace(self, place: KeyPath, value: Any) -> None:
        """Replace an existing value."""
        around: Any = self.tree
        for step in place[:-1]:
            around = around[step]
        around[place[-1]] = value

    def shown(self, place: KeyPath, value: Any) -> str:
        """Return a value for a message: short, and masked if it is or contains a secret."""
        if any(place[: len(secret)] == secret for secret in self.secrets):
            return MASK
        if isinstance(value, dict):
            return "a mapping"
        if isinstance(value, list):
            return "a list"
        if isinstance(value, bool):
            return "true" if value else "false"
        text = repr(value)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."

    def scrubbed(self, text: str) -> str:
        """Return a text of foreign origin without the secrets it may quote."""
        for secret in sorted(self.secret_texts, key=len, reverse=True):
            for quoted in (repr(secret)[1:-1], secret):
                text = text.replace(quoted, MASK)
        return text


def spell(place: KeyPath) -> str:
    """Return ``tags[3].callback``."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def below(place: KeyPath, value: Any) -> Iterator[tuple[KeyPath, Any]]:
    """Yield ``value`` and everything inside it, each with its place."""
    yield place, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from below((*place, key), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from below((*place, index), inner)


@dataclass(frozen=True, slots=True, order=True)
class _Problem:
    mark: Mark
    text: str
    place: KeyPath = field(compare=False)
    plugin: bool = field(compare=False)


class Problems:
    """All problems of one document, reported together."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._found: dict[tuple[KeyPath, str], _Problem] = {}

    def add(self, place: KeyPath, text: str, *, key: bool = False, plugin: bool = False) -> None:
        """Add a problem.

        Parameters
        ----------
        place
            The place of the problem.
        text
            The description, without the place.
        key
            The problem is the key itself, or a missing key below it.
        plugin
            The file is correct, but a plugin is missing or broken.
        """
        if place in self._document.broken:
            return
        path = f"{spell(place)}: " if place else ""
        text = self._document.scrubbed(text)
        self._found.setdefault(
            (place, text),
            _Problem(
                self._document.mark(place, key=key),
                f"{self._document.where(place, key=key)}: {path}{text}",
                place,
                plugin,
            ),
        )

    def quote(self, place: KeyPath, err: Exception, *, within: KeyPath | None = None) -> None:
        """Add the text of an exception about ``place`` as a problem.

        The text may quote values at and below ``within`` (by default ``place``), so it is
        not shown if one of them is a secret.
        """
        source = within or place
        for secret in self._document.secrets:
            if source[: len(secret)] == secret or secret[: len(source)] == source:
                text = "is rejected; the reason is hidden: it may quote a secret"
                break
        else:
            text = str(err)
        self.add(place, text, plugin=isinstance(err, PluginError))

    def at(self, *place: str | int) -> bool:
        """Return whether there is a problem at or below ``place``."""
        return any(known[: len(place)] == place for known, _ in self._found)

    def raise_any(self) -> None:
        """Raise the problems, in the order of the file.

        Raises
        ------
        ConfigError
            The file has problems.
        PluginError
            The only problems are missing or broken plugins.
        """
        found = sorted(self._found.values())
        if not found:
            return
        if all(problem.plugin for problem in found):
            raise PluginError("\n".join(problem.text for problem in found))
        raise ConfigError(*(problem.text for problem in found))
