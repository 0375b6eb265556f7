"""List the files that a DICOMDIR names (PS3.3 annex F, PS3.10 section 8)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import PurePath

from pacsfw.dicom.decoding_errors import decoding
from pacsfw.dicom.header import FileHeader
from pacsfw.dicom.tagpath import parse
from pacsfw.dicom.wanted import SOP_INSTANCE
from pacsfw.parse.tree.walk import SPECIAL, Item, is_special

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
"""SOP Class of a DICOMDIR."""

CLASS = "MediaStorageSOPClassUID"
"""The element that identifies a DICOMDIR; the header must include it, and SOPInstanceUID."""
_CLASS, _RECORDS = (parse(each).steps[0].tag for each in (CLASS, "DirectoryRecordSequence"))
_DIRECTORY = MEDIA_STORAGE_DIRECTORY.encode()

OUTSIDE = "the DICOMDIR names files outside of its folder: they are not read"


def is_directory(header: FileHeader) -> bool:
    """Return whether a file is a Media Storage Directory, whatever its name."""
    found = header.found  # quicker than its methods, which every file would call
    if not found.get(SOP_INSTANCE, ("", b""))[1] and _RECORDS in header.whole().found:
        return True  # an instance of no study, and so without UID
    _, sop_class = found.get(_CLASS, ("", b""))
    return isinstance(sop_class, bytes) and sop_class.rstrip(b"\0 ") == _DIRECTORY


def references(header: FileHeader) -> list[tuple[str, ...]]:
    """Return the Referenced File ID (0004,1500) of every record, in order.

    Returns
    -------
    list of tuple
        The components of each. Some programs write ``/`` between them, and ``.`` or nothing
        before the first one.

    Raises
    ------
    UnreadableObject
        The records cannot be decoded.
    """
    found = []
    with decoding("DirectoryRecordSequence", header.warnings):
        for record in header.dataset.get("DirectoryRecordSequence") or ():
            names = record.get("ReferencedFileID")
            if names:
                steps = [names] if isinstance(names, str) else names
                parts = [part for step in steps for part in str(step).strip("\0 ").split("/")]
                found.append(tuple(part for part in parts if part not in ("", ".")))
    return [steps for steps in found if steps]


def _leads_out(steps: tuple[str, ...]) -> bool:
    return any(step == ".." or "\0" in step or "\\" in step for step in steps)


def named_files(path: str, named: Sequence[tuple[str, ...]]) -> list[Item]:
    """Return the files that a DICOMDIR names, each once, sorted by path.

    Discs are often mounted with lower-case names or with a version (``IM000001;1``), and copies
    of them may have the suffix ``.dcm``. If the exact name does not exist, a name that differs
    only in this way is used. Names that lead out of the folder become one item with the reason.

    Parameters
    ----------
    path
        The DICOMDIR.
    named
        Its `references`.
    """
    folder = os.path.dirname(path)
    listings: dict[str, dict[str, str]] = {}
    found = set()
    for steps in named:
        if _leads_out(steps):
            found.add(Item(path, lost=OUTSIDE))
            continue
        place = folder
        for step in steps:
            place = _step(place, step, listings)
            if not place:
                missing = os.path.join(folder, *steps)
                found.add(Item(missing, lost="the DICOMDIR names it, but it does not exist"))
                break
        else:
            found.add(Item(place, lost=SPECIAL if is_special(place) else ""))
    return sorted(found, key=lambda item: PurePath(item.path).parts)


def _step(folder: str, name: str, listings: dict[str, dict[str, str]]) -> str:
    path = os.path.join(folder, name)
    if os.path.lexists(path):
        return path
    if folder not in listings:
        try:
            names = os.listdir(folder)  # noqa: PTH208
        except OSError:
            names = []
        listings[folder] = {_folded(each): each for each in sorted(names, reverse=True)}
    listing, folded = listings[folder], _folded(name)
    found = listing.get(folded) or listing.get(f"{folded}.DCM")
    return os.path.join(folder, found) if found else ""


def _folded(name: str) -> str:
    return name.upper().removesuffix(";1").removesuffix(".")
