"""Convert the ``convert`` section of the tree to `pacsfw.config.model.Convert`.

Expects a section that matches the frame schema, adds errors in its values to the problems,
and leaves out invalid entries.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pacsfw.config.components import ConfigBuilder, uses_in
from pacsfw.config.document import KeyPath, spell
from pacsfw.config.model import SCOPES, Convert, Storage, Use
from pacsfw.errors import PluginError
from pacsfw.plugins.facts import scope_of
from pacsfw.plugins.origin import code_of, info_of


def converts(builder: ConfigBuilder, storage: Storage | None) -> tuple[Convert, ...]:
    """Return the ``convert`` section; ids are unique."""
    ids: dict[str, KeyPath] = {}
    found = []
    for place, use in uses_in(builder, "converter", "convert"):
        name = use.id or use.name.rpartition("/")[2].rpartition(":")[2]
        if name in ids:
            why = f"{name!r} is already used by {spell(ids[name])}: give each a unique id"
            builder.problems.add(place, why)
        ids.setdefault(name, place)
        whole = builder.value(*place)
        tree = whole if isinstance(whole, dict) else {}
        directory = _directory(builder, (*place, "directory"), tree.get("directory"), storage)
        scope = _scope(builder, place, use)
        if scope is not None:
            offer = builder.registry.select("converter", use.name)
            found.append(
                Convert(
                    use=use,
                    id=name,
                    component=offer.described,
                    code=info_of(offer, code_of(offer)).code,
                    scope=scope,
                    directory=directory,
                    workers=int(tree.get("workers", 1)),
                    seconds=float(tree.get("time_limit", 3600)),
                    skip_failed=tree.get("on_error") == "skip",
                )
            )
    return tuple(found)


def _scope(builder: ConfigBuilder, place: KeyPath, use: Use) -> Any:
    """Return what the converter gets at a time; None, and a problem, if its record is wrong."""
    offer = builder.registry.select("converter", use.name)
    scope = scope_of(offer.component, use.options)
    if scope in SCOPES:
        return scope
    why = f"its scope is not one of {', '.join(SCOPES)}"
    err = PluginError(f"converter {offer.described} is broken: {why}")
    builder.problems.quote(place, err)
    return None


def _directory(
    builder: ConfigBuilder, place: KeyPath, text: str | None, storage: Storage | None
) -> Path | None:
    if text is None:
        return None
    path = Path(builder.path(place, text))
    if storage is not None and path.is_relative_to(storage.state):
        builder.problems.add(place, "is inside the state folder, which is reserved for pacsfw")
    return path
