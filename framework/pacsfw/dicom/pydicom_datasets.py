"""Data sets of pydicom: made of the elements that were read, and read like a file."""

from __future__ import annotations

from typing import Any

from pydicom.charset import default_encoding
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from pacsfw.dicom.elements import charset_of, in_utf_8, known_vr, raw_element
from pacsfw.dicom.reading import Extent
from pacsfw.dicom.tagpath import FILE_META_GROUP, Step
from pacsfw.dicom.vr import LONG
from pacsfw.dicom.walk import EXPLICIT
from pacsfw.dicom.wanted import (
    LONGEST_VALUE,
    TOO_LONG,
    NotRead,
    Plan,
    QueryRow,
    Want,
    Wanted,
    vr_of,
)
from pacsfw.dicom.whole import Whole

_FIRST_OF_PIXELS = 0x7FE0
_UNREADABLE = "??"
"""A value representation at which pydicom raises on access: the value cannot be read."""


def as_dataset(whole: Whole, path: str, undeclared: str) -> FileDataset:
    """Return a file that was read, without its pixel data, as a data set.

    Text is decoded as in tables, but bytes that are not in the character set are replaced.

    Parameters
    ----------
    path
        The path of the file.
    undeclared
        The character set of instances that declare none.
    """
    meta = {tag: raw for tag, raw in whole.found.items() if tag >> 16 == FILE_META_GROUP}
    found = {tag: raw for tag, raw in whole.found.items() if tag not in meta}
    encoding = whole.extent.encoding
    made = _Builder(undeclared, encoding.little).dataset(found, b"")
    _tell_items(made)
    return FileDataset(
        path,
        made,
        preamble=b"\0" * 128,
        file_meta=FileMetaDataset(_Builder("", little=True).dataset(meta, b"")),
        is_implicit_VR=encoding.implicit,
        is_little_endian=encoding.little,
    )


class _Builder:
    def __init__(self, undeclared: str, little: bool) -> None:
        self._undeclared, self._little = undeclared, little

    def dataset(self, found: QueryRow, charset: bytes) -> Dataset:
        """Return a data set or item; it inherits the character set."""
        charset = charset_of(found, charset)
        return Dataset(
            {
                BaseTag(tag): self._element(tag, vr, value, found, charset)
                for tag, (vr, value) in sorted(found.items())
            }
        )

    def _element(
        self, tag: int, vr: str, value: Any, found: QueryRow, charset: bytes
    ) -> DataElement | RawDataElement:
        if isinstance(value, NotRead):
            return raw_element(tag, _UNREADABLE, b"\0", self._little)
        if isinstance(value, list):
            items = (self.dataset(item, charset) for item in value)
            return DataElement(tag, "SQ", Sequence(items))
        vr = known_vr(vr, value, Step(tag >> 16, tag & 0xFFFF), found)
        readable, _ = in_utf_8(vr, value, charset, self._undeclared)
        raw = raw_element(tag, vr, readable, self._little)
        return raw if readable is value else convert_raw_data_element(raw, encoding="utf8")


def _tell_items(dataset: Dataset) -> None:
    """Let pydicom tell the items of sequences what they must know of the data set around them."""
    for tag in dataset.keys():  # noqa: SIM118 - iterating would convert the values
        element = dataset.get_item(tag)
        if isinstance(element, DataElement) and element.VR == "SQ":
            dataset[tag] = element
            for item in element.value:
                _tell_items(item)


def found_in(dataset: Dataset, plan: Plan) -> QueryRow:
    """Return the wanted elements of a data set, in Explicit VR Little Endian.

    Raises
    ------
    Exception
        Any exception of pydicom on values that it cannot encode.
    """
    found = _found(dataset, plan.dataset, default_encoding)
    file_meta = getattr(dataset, "file_meta", None)
    if file_meta is not None:
        found |= _found(file_meta, plan.meta, default_encoding)
    return found


def as_whole(dataset: Dataset) -> Whole:
    """Return every element of a data set, in Explicit VR Little Endian.

    Raises
    ------
    Exception
        Any exception of pydicom on values that it cannot encode.
    """
    return Whole(_all(dataset, default_encoding), Extent(EXPLICIT, "", 0, 0))


def _all(dataset: Dataset, charset: Any) -> QueryRow:
    charset = dataset.original_character_set or charset
    found: QueryRow = {}
    for tag in dataset.keys():  # noqa: SIM118 - iterating would convert the values
        if tag.group < _FIRST_OF_PIXELS:
            vr, value = _raw(dataset, tag, Want(vr_of(tag)), charset)
            items = None if value is not None else dataset[tag].value
            found[tag] = vr, value if items is None else [_all(item, charset) for item in items]
    return found


def _found(dataset: Dataset, wanted: Wanted, charset: Any) -> QueryRow:
    charset = dataset.original_character_set or charset
    found: QueryRow = {}
    elements = wanted.elements.copy()
    for tag in sorted(elements):
        if elements[tag].reserves and tag in dataset:
            wanted.reserve(elements, tag, str(dataset[tag].value).encode("latin-1", "replace"))
    for tag in sorted(elements.keys() & dataset.keys()):
        found[tag] = _raw(dataset, tag, elements[tag], charset)
    return found


def _raw(dataset: Dataset, tag: int, want: Want, charset: Any) -> tuple[str, object]:
    element = dataset.get_item(tag)
    if isinstance(element, RawDataElement):
        vr = element.VR or want.vr
        if element.value is None and element.length > LONGEST_VALUE:
            return vr, TOO_LONG
        if vr != "SQ" and element.is_little_endian:
            return vr, element.value or b""
        element = dataset[tag]
    assert isinstance(element, DataElement)  # noqa: S101 - the only other kind
    if isinstance(element.value, Sequence):
        inner = want.items
        return "SQ", None if inner is None else [_found(i, inner, charset) for i in element.value]
    return str(element.VR), _encoded(element, charset)


def _encoded(element: DataElement, charset: Any) -> bytes:
    with DicomBytesIO() as buffer:
        buffer.is_implicit_VR, buffer.is_little_endian = False, True
        write_data_element(buffer, element, charset)
        written = buffer.getvalue()
    return written[12 if written[4:6] in LONG else 8 :]
