"""Reading with pydicom, for files that deviate from the standard, and for plugins."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.charset import default_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset as read_elements
from pydicom.filereader import read_file_meta_info
from pydicom.filewriter import write_data_element
from pydicom.sequence import Sequence

from pacsfw.dicom.inflating import Inflating
from pacsfw.dicom.part10 import read_file_meta
from pacsfw.dicom.reading import DEFLATED
from pacsfw.dicom.vr import LONG
from pacsfw.dicom.walk import EXPLICIT, Short, Unusual, Walk
from pacsfw.dicom.wanted import (
    LAST_BEFORE_PIXELS,
    LONGEST_VALUE,
    TOO_LONG,
    Plan,
    QueryRow,
    Want,
    Wanted,
)


def read_dataset(path: Path) -> FileDataset:
    """Read a complete file, except for its pixel data.

    Raises
    ------
    Exception
        Any exception of pydicom on malformed files.
    """
    try:
        meta = read_file_meta(path)
    except ValueError:
        meta = None  # pydicom may be able to read it
    if meta is None or meta.syntax not in DEFLATED:
        return dcmread(path, stop_before_pixels=True, defer_size=LONGEST_VALUE)
    elements = read_elements(
        BytesIO(_inflated_header(path, meta.offset_of_dataset)),
        is_implicit_VR=False,
        is_little_endian=True,
    )
    file_meta = read_file_meta_info(path)
    dataset = FileDataset(str(path), elements, b"\0" * 128, file_meta, False, True)
    dataset.set_original_encoding(False, True, elements._character_set)
    return dataset


def _inflated_header(path: Path, start: int) -> bytes:
    """Return the bytes before the pixel data, up to a size that no header exceeds."""
    with path.open("rb") as file:
        descriptor = file.fileno()
        inflating = Inflating(lambda offset, size: os.pread(descriptor, size, offset), start)
        data = inflating.fetch(0, LONGEST_VALUE)
    try:
        end = Walk(data, EXPLICIT).run(0, Wanted({}), {}, LAST_BEFORE_PIXELS, -1)
    except Short:
        if len(data) == LONGEST_VALUE:
            raise MemoryError from None
        end = len(data)
    except Unusual:
        end = len(data)  # pydicom may be able to read it
    return data[:end]


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
