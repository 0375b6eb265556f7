"""Scan the headers of a tree of DICOM files (PS3.10 section 7) into an index."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pydicom.uid
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR

from pacsfw.dicom import charset
from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.elements import charset_of
from pacsfw.dicom.header import FileHeader, HeaderReader
from pacsfw.dicom.part10 import PREFIX_LENGTH, looks_like_dicom
from pacsfw.dicom.tagpath import parse
from pacsfw.dicom.vr import PADDING, SINGLE_VALUED
from pacsfw.dicom.wanted import QueryRow
from pacsfw_plugins.folder._index import OF_SERIES, OF_STUDY, UIDS, Index, ScanTally

STATE_FOLDER = ".pacsfw"
"""The folder in which a collection keeps its ledger and spool; it is not scanned."""

_KEYWORDS = (*OF_STUDY, *OF_SERIES, "SOPClassUID", "SOPInstanceUID", "InstanceNumber")
_KEYS = {
    tag: (keyword, dictionary_VR(tag))
    for keyword in _KEYWORDS
    if (tag := tag_for_keyword(keyword)) is not None
}
"""The attributes to read: tag to keyword and value representation."""

_WITHOUT_STUDY = {
    pydicom.uid.ColorPaletteStorage,
    pydicom.uid.CTDefinedProcedureProtocolStorage,
    pydicom.uid.GenericImplantTemplateStorage,
    pydicom.uid.HangingProtocolStorage,
    pydicom.uid.ImplantAssemblyTemplateStorage,
    pydicom.uid.ImplantTemplateGroupStorage,
    pydicom.uid.InventoryStorage,
    pydicom.uid.MediaStorageDirectoryStorage,
    pydicom.uid.ProtocolApprovalStorage,
    pydicom.uid.XADefinedProcedureProtocolStorage,
}
"""Classes whose instances belong to no study: DICOMDIR and those of PS3.4 annex GG."""


def scan(root: str) -> Index:
    """Index every DICOM file below a folder; only the headers are read."""
    index = Index()
    reader = HeaderReader(map(parse, (*_KEYWORDS, "MediaStorageSOPClassUID")))
    pool: dict[str, str] = {}
    for folder, name in _files(root, index.tally):
        index.tally.files += 1
        try:
            found = _read(os.path.join(folder, name), index.tally, reader)
        except UnreadableObject as err:
            index.tally.damaged[err.fault] += 1
        except OSError:
            index.tally.unreadable_files += 1
        else:
            if found is not None:
                index.add(folder, name, found, pool)
    return index


def _files(root: str, tally: ScanTally) -> Iterator[tuple[str, str]]:
    """Yield (folder, name) of every regular file in a stable order; visit each folder once."""
    seen = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            tally.unreadable_folders += 1
            continue
        below = []
        for entry in entries:
            kind = _kind(entry)
            if kind == "file":
                yield folder, entry.name
            elif kind == "folder" and entry.name != STATE_FOLDER:
                below.append(entry.path)
            elif kind == "lost":
                tally.unreadable_files += 1
        waiting.extend(reversed(below))


def _kind(entry: os.DirEntry[str]) -> Literal["file", "folder", "lost", "other"]:
    """Return the kind of an entry: ``lost`` if it cannot be read, ``other`` for sockets etc."""
    try:
        if entry.is_dir():
            return "folder"
        if entry.is_file():
            return "file"
        return "lost" if entry.is_symlink() and not os.path.exists(entry.path) else "other"
    except OSError:
        return "lost"


def _read(path: str, tally: ScanTally, reader: HeaderReader) -> dict[str, str] | None:
    """Return the attributes of the instance in a file; None if it holds no instance of a study.

    Raises
    ------
    UnreadableObject
        It is, or looks like, a DICOM file, but its instance cannot be identified.
    OSError
        It cannot be opened or read.
    """
    with open(path, "rb") as file:
        start = file.read(PREFIX_LENGTH)
        if start[128:] != b"DICM":
            if looks_like_dicom(start, path):
                raise UnreadableObject("the object", "not a DICOM Part 10 file")
            tally.not_dicom += 1
            return None
    return _attributes(reader.read(Path(path)), tally)


def _attributes(header: FileHeader, tally: ScanTally) -> dict[str, str] | None:
    found = _texts(header.found)
    sop_class = found.get("SOPClassUID") or str(header.get("MediaStorageSOPClassUID") or "")
    if sop_class in _WITHOUT_STUDY:
        tally.without_study += 1
        return None
    for keyword in UIDS:
        if not found.get(keyword):
            raise UnreadableObject("the object", header.fault or f"it has no {keyword}")
    return {**found, "SOPClassUID": sop_class}


def _texts(elements: QueryRow) -> dict[str, str]:
    r"""Return keyword to text: several values joined by ``\``, padding stripped.

    The text is decoded from the bytes, as rows of a PACS are, so that a value that pydicom
    cannot convert is text as well.
    """
    declared = charset_of(elements).decode("latin-1").strip(PADDING)
    found: dict[str, str] = {}
    for tag in _KEYS.keys() & elements.keys():
        _, value = elements[tag]
        if type(value) is bytes:
            keyword, vr = _KEYS[tag]
            found[keyword] = _text(value, vr, declared)
    return found


def _text(value: bytes, vr: str, declared: str) -> str:
    is_plain = value.isascii() and charset.ESCAPE not in value
    if is_plain or vr not in CUSTOMIZABLE_CHARSET_VR:
        text = value.decode("latin-1")
    else:
        text = charset.text(value, declared)
    if vr in SINGLE_VALUED:
        return text.rstrip(PADDING)
    return "\\".join(part.strip(PADDING) for part in text.split("\\"))
