"""Files that deviate from the standard: read where the bytes prove how, else a named failure."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacsfw.config import Tag
from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import FileHeader, HeaderReader
from pacsfw.dicom.part10 import file_head
from pacsfw.dicom.tagpath import ABSENT, parse
from pacsfw.steps.tags.reading import whole_header
from pacsfw.steps.tags.row_reader import RowReader

EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
UNDEFINED = 0xFFFFFFFF
LONG = {"SQ", "UN", "OB", "OW", "UT"}
SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"
ITEM_END = b"\xfe\xff\x0d\xe0\0\0\0\0"


def element(tag: int, vr: str, value: bytes, length: int | None = None, order: str = "<") -> bytes:
    value += b"\0" * (len(value) % 2)
    size = len(value) if length is None else length
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    kind = f"{order}HL" if vr in LONG else f"{order}H"
    return head + (struct.pack(kind, 0, size) if vr in LONG else struct.pack(kind, size)) + value


def bare(tag: int, value: bytes) -> bytes:
    """An element of Implicit VR Little Endian."""
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


def item(content: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<L", len(content)) + content


IDENTITY = element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2") + element(
    0x00080018, "UI", b"1.2.3"
)
PATIENT = element(0x00100020, "LO", b"LATE")
ROWS = element(0x00280010, "US", b"\4\0")
STUDY = element(0x0020000D, "UI", b"1.2")


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., FileHeader]:
    def read(
        data: bytes, *keywords: str, syntax: str = EXPLICIT, head: bytes | None = None
    ) -> FileHeader:
        path = tmp_path / "one.dcm"
        head = file_head("1.2", "1.2.3", syntax, "PACS") if head is None else head
        path.write_bytes(head + data)
        return HeaderReader(map(parse, keywords), bare=not head).read(path)

    return read


def cell(header: FileHeader, name: str, kind: Any = "text") -> Any:
    """The cell, or the reason why there is none."""
    tag = Tag(names=(name,), alias=name, default=None, callbacks=(), type=kind, where="")
    (found,), errors = RowReader([tag], [[]]).read(header)
    return errors[0].reason if errors else found


Read = Callable[..., FileHeader]


def test_elements_out_of_order_are_found_whatever_else_is_wanted(read: Read) -> None:
    data = IDENTITY + STUDY + PATIENT + ROWS
    for wanted in (["PatientID"], ["PatientID", "Rows"], ["PatientID", "SeriesInstanceUID"]):
        header = read(data, *wanted)
        assert header.PatientID == "LATE"
        assert header.odd == {"elements out of order": 1}


def test_of_an_element_that_occurs_twice_the_first_counts(read: Read) -> None:
    data = IDENTITY + PATIENT + STUDY + element(0x00100020, "LO", b"OTHER!") + ROWS
    for wanted in (["PatientID"], ["PatientID", "SeriesInstanceUID"]):
        assert read(data, *wanted).PatientID == "LATE"
    assert read(data, "PatientID", "Laterality").odd == {"an element occurs twice": 1}


def test_elements_behind_pixel_data_are_found_too(read: Read) -> None:
    pixels = element(0x7FE00010, "OW", b"\0" * 20_000)
    header = read(IDENTITY + pixels + PATIENT, "PatientID")
    assert (header.PatientID, header.get("Rows")) == ("LATE", None)


def test_an_item_is_looked_through_to_its_end(read: Read) -> None:
    codes = item(element(0x00080104, "LO", b"Chest") + element(0x00080100, "SH", b"T-D4"))
    header = read(IDENTITY + element(0x00082218, "SQ", codes))
    assert header.get("AnatomicRegionSequence.CodeValue") == "T-D4"
    assert header.get("AnatomicRegionSequence.CodeMeaning") == "Chest"


@pytest.mark.parametrize("vr", [b"  ", b"\0\0", b"lo", b"??"])
def test_what_has_no_vr_is_read_if_another_element_follows(read: Read, vr: bytes) -> None:
    odd = PATIENT.replace(b"LO", vr, 1)
    header = read(IDENTITY + odd + STUDY + ROWS, "PatientID", "StudyInstanceUID", "Rows")
    assert (header.PatientID, header.StudyInstanceUID, header.Rows) == ("LATE", "1.2", 4)
    assert header.odd == {"unknown value representation": 1}


def test_a_vr_of_a_later_edition_has_a_length_of_32_bits(read: Read) -> None:
    new = struct.pack("<HH2sHL", 0x0010, 0x0020, b"ZZ", 0, 4) + b"LATE"
    assert read(IDENTITY + new + STUDY, "PatientID", "StudyInstanceUID").StudyInstanceUID == "1.2"
    wrong = PATIENT.replace(b"LO", b"ZZ", 1)  # it has one of 16 bits
    header = read(IDENTITY + wrong + STUDY, "PatientID", "StudyInstanceUID")
    assert header.fault == "unknown value representation"
    assert cell(header, "StudyInstanceUID") == "unknown value representation"


def test_after_a_fault_cells_are_errors_and_no_default(read: Read) -> None:
    header = read((IDENTITY + PATIENT + STUDY)[:-2], "PatientID", "StudyInstanceUID")
    assert cell(header, "PatientID") == "LATE"
    for kind in ("text", "json", "texts"):
        assert cell(header, "StudyInstanceUID", kind) == "an element reaches beyond its end"
    tag = Tag(names=("Rows",), alias="r", default="0", callbacks=(), type="text", where="")
    (value,), (error,) = RowReader([tag], [[]]).read(header)
    assert (value, error.stage) == (None, "decode")
    with pytest.raises(UnreadableObject, match="beyond its end"):
        header.get("Rows")
    with pytest.raises(UnreadableObject, match="beyond its end"):
        _ = header.dataset


def test_before_its_identity_a_damaged_file_is_no_instance(read: Read) -> None:
    with pytest.raises(UnreadableObject, match="an element reaches beyond its end"):
        read(IDENTITY[:-2], "PatientID")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "it has no data set"),
        (b"\0" * 4000, "it has no data set"),
        (b"\xff" * 4000, "unknown value representation"),
        (b"<html><body>error 500</body></html>" * 50, "unknown value representation"),
    ],
)
def test_a_file_without_an_instance_has_a_reason(read: Read, data: bytes, fault: str) -> None:
    with pytest.raises(UnreadableObject, match=fault):
        read(data, "PatientID")


def test_a_value_whose_length_leads_nowhere_is_no_value(read: Read) -> None:
    swallowing = element(0x00100020, "LO", b"LATE", length=9)  # the last byte is not its own
    header = read(IDENTITY + swallowing + STUDY + ROWS, "PatientID")
    assert cell(header, "PatientID") == "its length does not lead to an element"


def test_the_first_element_shows_the_encoding_in_spite_of_the_transfer_syntax(read: Read) -> None:
    data = IDENTITY + PATIENT
    for syntax in (EXPLICIT, IMPLICIT, BIG, "1.2.3"):
        assert read(data, "PatientID", syntax=syntax).PatientID == "LATE"
    implicit = bare(0x00080016, b"1.2\0") + bare(0x00080018, b"1.3\0") + bare(0x00100020, b"LATE")
    for syntax in (EXPLICIT, IMPLICIT, "1.2.3"):
        assert read(implicit, "PatientID", syntax=syntax).PatientID == "LATE"
    header = read(data, "PatientID", syntax=BIG)
    assert header.odd == {"encoding differs from the transfer syntax": 1}


@pytest.mark.parametrize("implicit", [False, True])
def test_a_data_set_without_preamble_is_read_on_demand(
    read: Read, tmp_path: Path, implicit: bool
) -> None:
    data = IDENTITY + PATIENT
    if implicit:
        data = bare(0x00080016, b"1.2\0") + bare(0x00080018, b"1.3\0") + bare(0x00100020, b"LATE")
    assert read(data, "PatientID", head=b"").PatientID == "LATE"
    with pytest.raises(UnreadableObject, match="not a DICOM Part 10 file"):
        HeaderReader([parse("PatientID")]).read(tmp_path / "one.dcm")


def test_un_of_any_length_is_what_the_dictionary_says(read: Read) -> None:
    numbers = "\\".join(f"{number}.5" for number in range(15_000)).encode()
    contour = item(element(0x30060050, "UN", numbers))
    header = read(IDENTITY + element(0x30060040, "SQ", contour))
    found = cell(header, "ContourSequence[0].ContourData", "floats")
    assert (len(found), found[-1]) == (15_000, 14_999.5)
    assert header.dataset.ContourSequence[0].ContourData[-1] == 14_999.5


@pytest.mark.parametrize("inner", ["implicit", "explicit"])
def test_un_with_items_of_either_encoding(read: Read, inner: str) -> None:
    code = element(0x00080100, "SH", b"T-D4") if inner == "explicit" else bare(0x80100, b"T-D4")
    items = item(code) + SEQUENCE_END
    header = read(IDENTITY + element(0x00082218, "UN", items, length=UNDEFINED) + PATIENT)
    assert header.get("AnatomicRegionSequence.CodeValue") == "T-D4"
    assert header.PatientID == "LATE"


def test_un_in_big_endian_has_items_in_implicit_little_endian(read: Read) -> None:
    identity = element(0x00080016, "UI", b"1.2", order=">") + element(
        0x00080018, "UI", b"1.3", order=">"
    )
    items = item(bare(0x00280010, b"\4\0") + bare(0x00281050, b"40")) + SEQUENCE_END
    sequence = element(0x00082218, "UN", items, length=UNDEFINED, order=">")
    last = element(0x00280011, "US", b"\0\5", order=">")
    header = read(identity + sequence + last, syntax=BIG)
    for get in (header.get, lambda path: parse(path).get(header.dataset)):
        assert get("AnatomicRegionSequence[0].Rows") == 4
        assert get("AnatomicRegionSequence[0].WindowCenter") == 40
        assert get("Columns") == 5


def test_binary_values_in_un_have_the_byte_order_of_those_outside_it(read: Read) -> None:
    tag, one, other = 0x00660016, b"\0\1\2\3\4\5\6\7", b"\3\2\1\0\7\6\5\4"
    sequence = element(0x00082218, "UN", item(bare(tag, other)) + SEQUENCE_END, UNDEFINED, ">")
    data = sequence + struct.pack(">HH2sHL", 0x0066, 0x0016, b"OF", 0, len(one)) + one
    model, _ = whole_header(read(data, syntax=BIG))
    assert model is not None
    (within,) = model["00082218"]["Value"]
    assert within["00660016"] == model["00660016"]


def test_numbers_and_ages_in_free_text_are_numbers(read: Read) -> None:
    data = IDENTITY + element(0x00101010, "LO", b"045Y") + element(0x00280030, "UT", b"2.5\\0.5 ")
    header = read(data)
    assert cell(header, "PixelSpacing", "floats") == [2.5, 0.5]
    assert cell(header, "PixelSpacing[1]", "float") == 0.5
    assert cell(header, "PixelSpacing") == "2.5\\0.5"
    assert cell(header, "PatientAge", "float") == 45.0


def test_text_in_a_sequence_is_an_error_of_its_cell_alone(read: Read) -> None:
    header = read(IDENTITY + element(0x00101002, "SQ", b"Smith,Jane\0\0") + STUDY)
    fault = "a sequence contains an element that is not an item"
    assert cell(header, "OtherPatientIDsSequence", "json") == fault
    assert cell(header, "OtherPatientIDsSequence.PatientID") == fault
    assert cell(header, "StudyInstanceUID") == "1.2"


@pytest.mark.parametrize("stray", [ITEM_END, SEQUENCE_END])
def test_stray_delimiters_are_passed_over(read: Read, stray: bytes) -> None:
    header = read(IDENTITY + stray + PATIENT, "PatientID")
    assert header.PatientID == "LATE"
    assert header.odd["a delimiter that ends nothing"] == 1


def test_the_json_model_has_no_group_lengths_and_one_decoder(read: Read) -> None:
    name = b"\xd0\x98\xd0\xb2\xd0\xb0\xd0\xbd"
    data = (
        element(0x00080000, "UL", b"\x20\0\0\0")
        + element(0x00080005, "CS", b"ISO_IR 192")
        + IDENTITY
        + element(0x00082218, "SQ", item(element(0x00080000, "UL", b"\4\0\0\0") + PATIENT))
        + element(0x00100010, "PN", name)
        + element(0x00104000, "LT", b"M\xfcller")
        + element(0x00200013, "IS", b"x1")
        + element(0x00280030, "DS", b"0,5\\1.5")
    )
    header = read(data)
    model, problems = whole_header(header)
    assert model is not None
    assert "00080000" not in model
    assert model["00082218"]["Value"] == [{"00100020": {"vr": "LO", "Value": ["LATE"]}}]
    assert model["00100010"]["Value"] == [{"Alphabetic": cell(header, "PatientName")}]
    assert model["00200013"]["Value"] == ["x1"]
    assert model["00280030"]["Value"] == ["0,5", 1.5]
    why = "bytes that are not in its character set, ISO_IR 192"
    assert problems == [("(0010,4000)", why)]
    for kind in ("text", "json"):
        assert cell(header, "PatientComments", kind) == why
    assert cell(header, "AnatomicRegionSequence", "json") == model["00082218"]["Value"]
    assert header.value(parse("Laterality")) is ABSENT
