"""Components selected by the configuration: ``name`` or ``{use: name, with: {...}}``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pacsfw.api import Component
from pacsfw.config.building import Selected
from pacsfw.config.checking import check_foreign
from pacsfw.config.document import Document, KeyPath, Problems, below, spell
from pacsfw.config.files import Located
from pacsfw.config.model import Use
from pacsfw.config.values import SQLITE, is_url, split_sqlite
from pacsfw.errors import PluginError
from pacsfw.plugins.registry import Registry

_PATH = "path"
"""An option with this name is a path, relative to the folder of the configuration."""


@dataclass(frozen=True, slots=True)
class ConfigBuilder:
    """A document that matches the frame schema, from which a `Config` is built."""

    document: Document
    problems: Problems
    registry: Registry
    located: Located
    with_profile: bool = True
    """Whether the profile of the PACS is read, if there is one."""
    selected: list[Selected] = field(default_factory=list)
    """The components that are selected so far."""
    row_callbacks: Mapping[str, Component[Any]] = field(default_factory=dict)
    """Row callbacks that no plugin offers, by the name in the document."""

    def value(self, *place: str | int) -> Any:
        """Return the value at ``place``; None if it is missing or has a problem."""
        return None if self.problems.at(*place) else self.document.get(place)

    def path(self, place: KeyPath, text: str) -> str:
        """Return the absolute path for ``place``, and write it into the tree."""
        try:
            absolute = str(self.located.resolve(text))
        except ValueError as err:
            self.problems.quote(place, err)
            return text
        self.document.replace(place, absolute)
        return absolute

    def target(self, place: KeyPath, text: str) -> str:
        """Return the target of the table at ``place``: an absolute path, or a URL."""
        if not is_url(text):
            return self.path(place, text)
        path, options = split_sqlite(text)
        if not path:
            return text
        url = SQLITE + self.path(place, path) + options
        self.document.replace(place, url)
        return url

    def derive(self, place: KeyPath, value: str, source: KeyPath) -> None:
        """Fill in a default derived from another value; it is secret if that value is."""
        self.document.replace(place, value)
        if source in self.document.secrets:
            self.document.secrets.add(place)


def use_at(builder: ConfigBuilder, kind: str, *place: str | int) -> Use | None:
    """Return the component that ``place`` selects by a string, or by ``use`` and ``with``.

    Errors are added to the problems; the result is then None.
    """
    whole = builder.value(*place)
    options_at = (*place, "with")
    if isinstance(whole, str):
        name, options, use = whole, {}, place
        if kind == "layout" and "{" in whole:
            name, options = "template", {"pattern": whole}
    else:
        use = (*place, "use")
        name, options = builder.value(*use), builder.value(*options_at) or {}
    if name is None or not _check(builder, kind, name, options, use, options_at):
        return None
    extra = whole if isinstance(whole, dict) else {}
    found = Use(
        name,
        options,
        extra.get("id", ""),
        f"{builder.document.where(place)}: {spell(place)}",
    )
    builder.selected.append(Selected(kind, found, use, options_at[:-1]))
    return found


def _check(
    builder: ConfigBuilder,
    kind: str,
    name: str,
    options: dict[str, Any],
    use: KeyPath,
    options_at: KeyPath,
) -> bool:
    """Check name and options; resolve the paths among the options in place."""
    try:
        offer = builder.registry.select(kind, name)
    except PluginError as err:
        builder.problems.quote(use, err)
        return False
    owner = f"{kind} {name!r} of {offer.owner}"
    if builder.problems.at(*options_at):
        return False
    schema = offer.component.schema
    hide(builder.document, options_at, options, schema)
    check_foreign(builder.document, builder.problems, options_at, options, schema, owner)
    if builder.problems.at(*options_at):
        return False
    path = options.get(_PATH)
    if isinstance(path, str):
        options[_PATH] = builder.target((*options_at, _PATH), path)
    return True


def hide(document: Document, place: KeyPath, options: Any, schema: Mapping[str, Any]) -> None:
    """Mark values that a schema calls ``writeOnly``: they are secrets and never shown."""
    properties = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    for key, inner in properties.items() if isinstance(properties, Mapping) else ():
        if isinstance(inner, Mapping) and inner.get("writeOnly") and key in options:
            for at, value in below((*place, key), options[key]):
                if not isinstance(value, dict | list):
                    document.secrets.add(at)


def uses_in(builder: ConfigBuilder, kind: str, section: str) -> Iterator[tuple[KeyPath, Use]]:
    """Yield the valid components of a list section, each with its place."""
    ids: dict[str, KeyPath] = {}
    for place in places_in(builder, section):
        use = use_at(builder, kind, *place)
        if use is None:
            continue
        if use.id and use.id in ids:
            builder.problems.add(
                (*place, "id"), f"{use.id!r} is already the id of {spell(ids[use.id])}"
            )
        ids.setdefault(use.id, place)
        yield place, use


def places_in(builder: ConfigBuilder, *place: str | int) -> list[KeyPath]:
    """Return the places of the items of a list; empty if it is not a list."""
    found = builder.document.get(place)
    return [(*place, index) for index in range(len(found) if isinstance(found, list) else 0)]
