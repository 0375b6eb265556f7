"""The conversion to Implicit VR Little Endian: values keep their bytes, or a failure is named."""

from __future__ import annotations

import io
import struct
import subprocess
import tempfile
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
)

from pacsfw.dicom.cursor import FileBytes
from pacsfw.dicom.implicit import CONVERTIBLE, Unconvertible, check, convert
from pacsfw.dicom.part10 import read_file_meta
from peers.fixtures import samples
from peers.process import require
from peers.readback import dataset_bytes


def converted(data: bytes, syntax: str = ExplicitVRLittleEndian) -> bytes:
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(data)
        source = FileBytes(file.fileno())
        check(source, syntax, 0)
        return b"".join(convert(source, syntax, 0))


def converted_file(path: Path) -> bytes:
    meta = read_file_meta(path)
    with path.open("rb") as file:
        source = FileBytes(file.fileno())
        check(source, meta.syntax, meta.offset_of_dataset)
        return b"".join(convert(source, meta.syntax, meta.offset_of_dataset))


def explicit(tag: int, vr: str, value: bytes, length: int | None = None, order: str = "<") -> bytes:
    """Return an element with a VR and this value."""
    group, element = tag >> 16, tag & 0xFFFF
    length = len(value) if length is None else length
    if vr in ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"):
        return struct.pack(order + "HH2sHL", group, element, vr.encode(), 0, length) + value
    return struct.pack(order + "HH2sH", group, element, vr.encode(), length) + value


def implicit(tag: int, value: bytes, length: int | None = None, order: str = "<") -> bytes:
    """Return an element, item or delimiter without a VR."""
    length = len(value) if length is None else length
    return struct.pack(order + "HHL", tag >> 16, tag & 0xFFFF, length) + value


UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
SEQUENCE = 0x00081115


def items(*contents: bytes) -> bytes:
    """Return items of undefined length, and the end of their sequence."""
    one = [implicit(ITEM, each, UNDEFINED) + implicit(ITEM_END, b"") for each in contents]
    return b"".join(one) + implicit(SEQUENCE_END, b"")


def recodings(path: Path, folder: Path) -> Iterator[Path]:
    """Yield a sample, and the same in other uncompressed transfer syntaxes."""
    yield path
    for options in (("+te", "-e"), ("+tb", "+e"), ("+tb", "-e"), ("+td", "+e")):
        target = folder / f"{path.name}{options[0]}"
        made = subprocess.run(["dcmconv", *options, path, target], capture_output=True)
        if made.returncode == 0:
            yield target


def by_dcmtk(path: Path, folder: Path) -> bytes | None:
    """Return the data set converted by DCMTK, in the same conventions; None if it refuses."""
    target = folder / "dcmtk"
    command = ["dcmconv", "+ti", "-e", "-g", path, target]
    if subprocess.run(command, capture_output=True).returncode:
        return None
    return dataset_bytes(target)


@pytest.mark.parametrize("path", samples("*.dcm"), ids=lambda path: path.name)
def test_the_bytes_are_those_of_dcmtk(path: Path, tmp_path: Path) -> None:
    require("dcmconv")
    for each in recodings(path, tmp_path):
        try:
            meta = read_file_meta(each)
        except ValueError:
            continue  # no Part 10 file
        if meta.syntax not in CONVERTIBLE:
            continue
        theirs = by_dcmtk(each, tmp_path)
        if theirs is None:
            with pytest.raises(Unconvertible):
                converted_file(each)
        else:
            assert converted_file(each) == theirs


@pytest.mark.parametrize(
    ("vr", "padding"), [("LO", b" "), ("UT", b" "), ("UI", b"\0"), ("OB", b"\0"), ("UN", b"\0")]
)
def test_a_value_of_odd_length_is_padded(vr: str, padding: bytes) -> None:
    after = explicit(0x00104000, "LT", b"x ")
    expected = implicit(0x00091010, b"123" + padding) + implicit(0x00104000, b"x ")
    assert converted(explicit(0x00091010, vr, b"123") + after) == expected


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        (b"ISO_IR 13 ", b"\x8eR\x93c"),  # kanji of Shift-JIS, which ISO_IR 13 does not have
        (b"ISO_IR 192", b"M\xfcller"),  # Latin-1, which is no UTF-8
        (b"nonsense", b"\xff\xfe\x1b$)A"),
        (b"ISO_IR 100", b"  leading and trailing \0"),
    ],
)
def test_text_keeps_its_bytes(charset: bytes, text: bytes) -> None:
    inner = explicit(0x00104000, "LT", text)
    data = explicit(0x00080005, "CS", charset) + explicit(0x00100010, "PN", text)
    data += explicit(SEQUENCE, "SQ", implicit(ITEM, inner))
    expected = implicit(0x00080005, charset) + implicit(0x00100010, text)
    expected += implicit(SEQUENCE, items(implicit(0x00104000, text)), UNDEFINED)

    assert converted(data) == expected


def numbers() -> Dataset:
    """Return an element of every VR with a byte order."""
    found = Dataset()
    found.add_new(0x00280002, "US", [1, 0x1234])
    found.add_new(0x00189219, "SS", -2)
    found.add_new(0x00081161, "UL", [1, 0x12345678])
    found.add_new(0x00186020, "SL", -70000)
    found.add_new(0x00189461, "FL", [1.5, -2.25])
    found.add_new(0x00089459, "FD", 3.125)
    found.add_new(0x00720082, "SV", -(2**40))
    found.add_new(0x00720083, "UV", 2**60)
    found.add_new(0x00209165, "AT", [0x00100020, 0x00280010])
    for tag, vr in ((1, "OW"), (2, "OF"), (3, "OL"), (4, "OD"), (5, "OV"), (6, "OB"), (7, "UN")):
        found.add_new(0x00091000 + tag, vr, bytes(range(16)))
    found.add_new(0x00090010, "LO", "TEST")
    return found


def swapped(dataset: Dataset) -> Dataset:
    """Swap the numbers that pydicom writes as they are."""
    widths = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
    for element in dataset:
        if (width := widths.get(element.VR, 0)) > 1:
            value = element.value
            parts = [value[at : at + width][::-1] for at in range(0, len(value), width)]
            element.value = b"".join(parts)
    return dataset


def written(dataset: Dataset, *, implicit: bool, little: bool) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = implicit, little
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def test_numbers_are_swapped_by_their_vr_also_within_sequences() -> None:
    big, little = swapped(numbers()), numbers()
    big.ReferencedSeriesSequence = Sequence([swapped(numbers())])
    little.ReferencedSeriesSequence = Sequence([numbers()])

    ours = converted(written(big, implicit=False, little=False), ExplicitVRBigEndian)

    assert raw(ours) == raw(written(little, implicit=True, little=True))


def raw(data: bytes) -> list[tuple[int, object]]:
    """Return tags and values as they are encoded."""
    return elements_of(read_dataset(io.BytesIO(data), True, True))


def elements_of(dataset: Dataset) -> list[tuple[int, object]]:
    found: list[tuple[int, object]] = []
    for tag in sorted(dataset.keys()):
        element = dataset.get_item(tag)
        if isinstance(element, RawDataElement) and tag != SEQUENCE:
            found.append((int(tag), element.value))
        else:
            found.append((int(tag), [elements_of(item) for item in dataset[tag].value]))
    return found


def test_group_lengths_are_left_out() -> None:
    name = explicit(0x00100010, "PN", b"A^B ")
    length = struct.pack("<L", len(name))
    inner = explicit(0x00080000, "UL", b"\4\0\0\0") + explicit(0x00081150, "UI", b"1.2\0")
    data = explicit(0x00081115, "SQ", implicit(ITEM, inner))
    data += explicit(0x00100000, "UL", length) + name

    expected = implicit(SEQUENCE, items(implicit(0x00081150, b"1.2\0")), UNDEFINED)
    assert converted(data) == expected + implicit(0x00100010, b"A^B ")


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_the_items_of_an_unknown_sequence_are_implicit_already(syntax: str) -> None:
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    content = items(implicit(0x00091001, b"\1\2"), b"")
    data = explicit(0x00090010, "LO", b"TEST", order=order)
    data += explicit(0x00091010, "UN", content, UNDEFINED, order)
    data += explicit(0x00100020, "LO", b"ID", order=order)

    expected = implicit(0x00090010, b"TEST") + implicit(0x00091010, content, UNDEFINED)
    assert converted(data, syntax) == expected + implicit(0x00100020, b"ID")


def test_zeros_after_the_last_element_are_no_element() -> None:
    assert converted(explicit(0x00100020, "LO", b"ID") + bytes(100)) == implicit(0x00100020, b"ID")


def test_deflated_data_is_inflated() -> None:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = explicit(0x00100020, "LO", b"ID") + explicit(0x7FE00010, "OB", bytes(1 << 20))
    deflated = deflater.compress(data) + deflater.flush()

    expected = implicit(0x00100020, b"ID") + implicit(0x7FE00010, bytes(1 << 20))
    assert converted(deflated, DeflatedExplicitVRLittleEndian) == expected
    with pytest.raises(Unconvertible, match="deflated data is damaged"):
        converted(b"\xff" + deflated, DeflatedExplicitVRLittleEndian)


def test_deflated_data_without_its_end_is_damaged() -> None:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = explicit(0x00100020, "LO", b"ID")
    deflated = deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)
    with pytest.raises(Unconvertible, match="deflated data is damaged"):
        converted(deflated, DeflatedExplicitVRLittleEndian)


GOOD = explicit(0x00080018, "UI", b"1.2\0")
NAME = explicit(0x00100010, "PN", b"Secret^Name ")
DAMAGED = {
    "ends in the middle of an element": GOOD + NAME[:6],
    "reaches beyond its end": GOOD + NAME[:-1],
    "ends in the middle of a sequence": explicit(SEQUENCE, "SQ", items(NAME), UNDEFINED)[:-8],
    "reaches beyond its sequence": explicit(SEQUENCE, "SQ", implicit(ITEM, NAME), 20) + GOOD,
    "not an item": explicit(SEQUENCE, "SQ", NAME, UNDEFINED),
    "a sequence ends before": explicit(SEQUENCE, "SQ", items(NAME), 200) + bytes(300),
    "a delimiter without a sequence": GOOD + implicit(ITEM_END, b"") + NAME,
    "an element without a tag": GOOD + bytes(8) + NAME,
    "unknown value representation": GOOD + NAME.replace(b"PN", b"??"),
    "undefined length": GOOD + explicit(0x00104000, "UT", NAME, UNDEFINED),
    "compressed": GOOD + explicit(0x7FE00010, "OB", items(NAME), UNDEFINED),
    "not in Implicit VR": explicit(0x00091010, "UN", items(NAME), UNDEFINED),
}


@pytest.mark.parametrize("why", DAMAGED)
def test_data_that_cannot_be_converted_is_a_named_failure(why: str) -> None:
    with pytest.raises(Unconvertible, match=why) as caught:
        converted(DAMAGED[why])
    assert "Secret" not in str(caught.value)


def test_a_cut_is_seen_wherever_it_is() -> None:
    inner = GOOD + explicit(SEQUENCE, "SQ", implicit(ITEM, NAME)) + explicit(0x00091010, "UN", b"")
    elements = [
        GOOD,
        explicit(SEQUENCE, "SQ", items(inner, b""), UNDEFINED),
        explicit(0x00091011, "UN", items(implicit(0x00091001, b"12")), UNDEFINED),
        explicit(0x00280010, "US", b"\1\0"),
        explicit(0x7FE00010, "OB", bytes(20)),
    ]
    between = {sum(map(len, elements[:count])) for count in range(len(elements) + 1)}
    data = b"".join(elements)
    whole = set()
    for end in range(len(data) + 1):
        with suppress(Unconvertible):
            converted(data[:end])
            whole.add(end)

    assert whole == between


def test_half_a_number_cannot_be_swapped() -> None:
    with pytest.raises(Unconvertible, match="a number is cut"):
        converted(explicit(0x00280010, "US", b"\0\1\2", order=">"), ExplicitVRBigEndian)


def test_sequences_without_end_are_refused() -> None:
    with pytest.raises(Unconvertible, match="nested too deeply"):
        converted((explicit(SEQUENCE, "SQ", b"", UNDEFINED) + implicit(ITEM, b"", UNDEFINED)) * 99)


def test_a_large_value_is_not_kept_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.write(explicit(0x7FE00010, "OW", b"", 1 << 28, order=">"))
        file.truncate(12 + (1 << 28))
    with path.open("rb") as file:
        tracemalloc.start()
        pieces = convert(FileBytes(file.fileno()), ExplicitVRBigEndian, 0)
        size = sum(map(len, pieces))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert size == (1 << 28) + 8
    assert peak < 2 << 20
