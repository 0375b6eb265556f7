"""Cells of type ``json``: values and data sets in the DICOM JSON model (PS3.18 annex F)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pacsfw.dicom import names
from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.elements import Leaf, blocks_of, find
from pacsfw.dicom.header import FileHeader
from pacsfw.dicom.json_model import JsonModel
from pacsfw.dicom.tagpath import ABSENT, EVERY, Absent, Many, TagPath
from pacsfw.dicom.wanted import QueryRow


def json_cell(path: TagPath, header: FileHeader, declared: Callable[[Leaf], Leaf]) -> Any:
    """Return the cell, None if there is no value.

    Parameters
    ----------
    declared
        Returns an element with the VR that the configuration declares.

    Raises
    ------
    UnreadableObject, Undecodable
        The value cannot be read or decoded.
    """
    if path.is_group:
        whole = header.whole()
        if whole.fault:
            raise UnreadableObject(path.text, whole.fault)
        return _model(header).dataset(_group(path, whole.found)) or None
    found = header.raw(path)
    if _is_not_read(found):
        found = find(path, header.whole().found, header.encoding)
    if found is ABSENT:
        return None
    model, is_signed = _model(header), header.get("PixelRepresentation") == 1
    if isinstance(found, Leaf):
        return _selected(path, model.values(declared(found), is_signed=is_signed))
    cells = [
        None if leaf is ABSENT else _one(path, model.values(declared(leaf), is_signed=is_signed))
        for leaf in found
    ]
    return None if all(cell is None for cell in cells) else cells


def _model(header: FileHeader) -> JsonModel:
    return JsonModel(header.encoding.little, header.charset)


def _is_not_read(found: Leaf | Many | Absent) -> bool:
    """Return whether there are sequences among the elements, whose items were not read."""
    leaves = found if isinstance(found, Many) else [found]
    return any(isinstance(leaf, Leaf) and leaf.value is None for leaf in leaves)


def _group(path: TagPath, found: QueryRow) -> QueryRow:
    """Return the elements of a group, or of the blocks of a private creator."""
    step = path.steps[0]
    group = {tag: raw for tag, raw in found.items() if tag >> 16 == step.group}
    if not step.creator:
        return group
    blocks = blocks_of(step, found)
    return {tag: raw for tag, raw in group.items() if tag >> 8 & 0xFF in blocks}


def _selected(path: TagPath, values: list[Any]) -> Any:
    """Return the values as a list, or the one that the path selects."""
    values = _parts(path, values)
    index = path.steps[-1].index
    if index is not None and index != EVERY:
        return values[index] if index < len(values) else None
    return None if all(value is None for value in values) else values


def _one(path: TagPath, values: list[Any]) -> Any:
    """Return the value of one item: not as a list if it is single."""
    selected = _selected(path, values)
    is_single = isinstance(selected, list) and len(selected) == 1 and not path.steps[-1].index
    return selected[0] if is_single else selected


def _parts(path: TagPath, values: list[Any]) -> list[Any]:
    if path.component is None:
        return values
    whole = ("=".join((each or {}).get(group, "") for group in names.GROUPS) for each in values)
    return [names.part(name, path.component) or None for name in whole]
