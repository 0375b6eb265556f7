"""Rows: fallbacks, defaults, callbacks, types, and errors that hold no value."""

import math
import pickle
import struct
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom.multival import MultiValue
from pydicom.valuerep import DSfloat, PersonName

from pacsfw.api import Column
from pacsfw.config import Tag, Use
from pacsfw.convert import str2datetime
from pacsfw.dicom.cell_errors import CellError
from pacsfw.dicom.header import FileHeader, read_header
from pacsfw.dicom.part10 import file_head
from pacsfw.dicom.values import text_of
from pacsfw.steps.tags.row_reader import RowReader

SECRET = "4711"


def element(tag: int, vr: str, value: bytes) -> bytes:
    """One element in Explicit VR Little Endian."""
    length = struct.pack("<HI", 0, len(value)) if vr in ("SQ", "OB") else b""
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + (length or struct.pack("<H", len(value))) + value


def item(data: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(data)) + data


CODES = item(element(0x00080100, "SH", b"T-D4")) + item(element(0x00080104, "LO", b"Chest "))
OBJECT = [
    element(0x00080008, "CS", b"ORIGINAL\\PRIMARY\\AXIAL "),
    element(0x00080020, "DA", b"20200102"),
    element(0x00082218, "SQ", CODES),
    element(0x00100010, "PN", b"Doe^Jane"),
    element(0x00100020, "LO", b""),
    element(0x00100030, "DA", b"47114711"),
    element(0x00180050, "DS", b"1.50"),
    element(0x00200062, "CS", b"L "),
    element(0x00280008, "IS", b"4711x "),
    element(0x00280010, "US", b"47114"),
    element(0x00280030, "DS", b"0.50\\0.50 "),
]


@pytest.fixture
def header(tmp_path: Path) -> FileHeader:
    path = tmp_path / "object.dcm"
    head = file_head("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1", "PACS")
    path.write_bytes(head + b"".join(OBJECT))
    return read_header(path)


def tag(*names: str, alias: str = "", default: Any = None, **more: Any) -> Tag:
    callbacks: Sequence[str] = more.get("callbacks", ())
    return Tag(
        names=names,
        alias=alias or names[0],
        default=default,
        callbacks=tuple(map(Use, callbacks)),
        type=more.get("type", "text"),
        where="conf.yaml:9:3: tags[0]",
    )


def read(
    header: FileHeader, a_tag: Tag, *chain: Callable[[Any], Any]
) -> tuple[Any, CellError | None]:
    named = Tag(
        names=a_tag.names,
        alias=a_tag.alias,
        default=a_tag.default,
        callbacks=tuple(Use(getattr(each, "__name__", "callback")) for each in chain),
        type=a_tag.type,
        where=a_tag.where,
    )
    (value,), errors = RowReader([named], [chain]).read(header)
    return value, errors[0] if errors else None


def test_the_documented_tags_give_their_row(header: FileHeader) -> None:
    tags = [
        tag("PatientName", callbacks=["str"]),
        tag("StudyDate", alias="study_date", callbacks=["str2datetime"], type="datetime"),
        tag("Laterality", default="U", callbacks=["str"]),
        tag("StudyInstanceUID"),
    ]
    reader = RowReader(tags, [[text_of], [str2datetime], [text_of], []])
    assert reader.columns == (
        Column("PatientName", "text"),
        Column("study_date", "datetime"),
        Column("Laterality", "text"),
        Column("StudyInstanceUID", "text"),
    )
    assert reader.read(header) == (("Doe^Jane", datetime(2020, 1, 2), "U", None), ())


def test_the_first_filled_fallback_counts(header: FileHeader) -> None:
    assert read(header, tag("Laterality", "PatientID", "ImageLaterality")) == ("L", None)


@pytest.mark.parametrize("keyword", ["Laterality", "PatientID", "AnatomicRegionSequence[5]"])
def test_absent_and_empty_values_give_the_default_past_the_callbacks(
    header: FileHeader, keyword: str
) -> None:
    def never(value: Any) -> str:
        raise AssertionError

    assert read(header, tag(keyword, default="U"), never) == ("U", None)
    assert read(header, tag(keyword), never) == (None, None)


@pytest.mark.parametrize(
    ("keyword", "kind"),
    [("StudyDate", str), ("PatientName", PersonName), ("SliceThickness", DSfloat),
     ("PixelSpacing", MultiValue)],
)  # fmt: skip
def test_callbacks_get_what_pydicom_gives(header: FileHeader, keyword: str, kind: type) -> None:
    seen: list[Any] = []
    read(header, tag(keyword), seen.append)
    assert [type(value) for value in seen] == [kind]


def test_callbacks_form_a_chain(header: FileHeader) -> None:
    def year(moment: datetime) -> int:
        return moment.year

    def is_leap(year: int) -> bool:
        return year % 4 == 0

    assert read(header, tag("StudyDate", type="int"), str2datetime, year) == (2020, None)
    assert read(header, tag("StudyDate", type="bool"), str2datetime, year, is_leap) == (True, None)


def test_a_callback_may_leave_the_cell_empty(header: FileHeader) -> None:
    def nothing(value: Any) -> None:
        return None

    assert read(header, tag("StudyDate"), nothing, str2datetime) == (None, None)


def test_a_failing_callback_leaves_the_cell_empty_and_says_where_but_not_what(
    header: FileHeader,
) -> None:
    def boom(value: str) -> int:
        raise KeyError(f"bad value {value}")

    value, error = read(header, tag("PatientBirthDate", alias="born"), boom)
    assert value is None
    assert error is not None
    assert (error.column, error.tag, error.stage) == ("born", "PatientBirthDate", "callback")
    assert error.plugin == "boom"
    assert error.reason.startswith("KeyError at test_row_reader.py:")
    assert SECRET not in repr(error)


def test_a_callback_without_frames_of_its_own_is_named_by_the_error_alone(
    header: FileHeader,
) -> None:
    _, error = read(header, tag("PatientName"), math.floor)
    assert error == CellError("PatientName", "PatientName", "callback", "TypeError", "floor")


def test_a_warning_callback_is_heard_by_nobody(header: FileHeader) -> None:
    def noisy(value: str) -> str:
        import warnings

        warnings.warn(value, stacklevel=1)
        return value

    assert read(header, tag("StudyDate"), noisy) == ("20200102", None)


def test_an_undecodable_value_is_an_error_and_not_a_reason_for_a_fallback(
    header: FileHeader,
) -> None:
    value, error = read(header, tag("Rows", "StudyDate", alias="rows", default="0"))
    assert value is None
    reason = "5 bytes are not a multiple of the size of VR US"
    assert error == CellError("rows", "Rows", "decode", reason, "")


def test_a_value_that_does_not_fit_the_type_is_an_error(header: FileHeader) -> None:
    value, error = read(header, tag("PatientBirthDate", type="datetime"))
    assert value is None
    assert error is not None
    assert (error.stage, error.plugin) == ("type", "")
    assert error.reason == "no such day: year, month or day is out of range"


def test_the_type_of_the_column_wins_over_the_annotation(header: FileHeader) -> None:
    assert read(header, tag("StudyDate", type="text"), str2datetime) == (
        "2020-01-02T00:00:00",
        None,
    )


@pytest.mark.parametrize(
    ("path", "column_type", "value"),
    [
        ("SliceThickness", "text", "1.50"),
        ("SliceThickness", "float", 1.5),
        ("PixelSpacing", "text", "0.50\\0.50"),
        ("PixelSpacing[1]", "float", 0.5),
        ("PixelSpacing", "json", [0.5, 0.5]),
        ("SliceThickness", "json", [1.5]),
        ("ImageType[2]", "text", "AXIAL"),
        ("AnatomicRegionSequence.CodeValue", "text", "T-D4"),
        ("AnatomicRegionSequence[1]CodeMeaning", "text", "Chest"),
        ("AnatomicRegionSequence[0]", "json", {"00080100": {"vr": "SH", "Value": ["T-D4"]}}),
        ("NumberOfFrames", "text", "4711x"),
    ],
)
def test_values_become_plain_cells(
    header: FileHeader, path: str, column_type: Any, value: Any
) -> None:
    found = read(header, tag(path, type=column_type))
    assert found == (value, None)
    assert type(found[0]) is type(value)


def test_a_whole_sequence_is_a_list_in_json_and_an_error_in_text(header: FileHeader) -> None:
    as_json, _ = read(header, tag("AnatomicRegionSequence", type="json"))
    assert [list(each) for each in as_json] == [["00080100"], ["00080104"]]
    value, error = read(header, tag("AnatomicRegionSequence"))
    assert value is None
    assert error is not None
    assert error.reason == "a sequence cannot be written as text"


def test_errors_of_one_cell_leave_the_others_alone(header: FileHeader) -> None:
    reader = RowReader([tag("Rows"), tag("StudyDate"), tag("Rows", type="int")], [[], [], []])
    row, errors = reader.read(header)
    assert row == (None, "20200102", None)
    assert len(errors) == 2


def test_warnings_are_counted_in_the_header(header: FileHeader) -> None:
    read(header, tag("NumberOfFrames"), lambda value: value)
    assert header.warnings == {"value has a wrong form": 1}


def test_a_wrong_tag_path_names_its_place() -> None:
    with pytest.raises(ValueError, match=r"^conf\.yaml:9:3: tags\[0\]: unknown DICOM keyword 'X'"):
        RowReader([tag("X")], [[]])


def test_an_error_can_go_to_another_process() -> None:
    error = CellError("c", "Rows", "decode", "why", "")
    assert pickle.loads(pickle.dumps(error)) == error


def test_a_value_whose_meaning_another_element_tells(tmp_path: Path) -> None:
    """In implicit encoding (0028,0106) is US or SS, and (0028,0103) tells which (PS3.5 6.2)."""
    path = tmp_path / "implicit.dcm"
    elements = [(0x00280103, b"\1\0"), (0x00280106, b"\xff\xff")]
    data = b"".join(
        struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value for tag, value in elements
    )
    head = file_head("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2", "PACS")
    path.write_bytes(head + data)
    for kind in ("int", "text"):
        value, error = read(read_header(path), tag("SmallestImagePixelValue", type=kind))
        assert (str(value), error) == ("-1", None)


def test_every_row_has_lists_of_its_own(header: FileHeader) -> None:
    reader = RowReader([tag("PixelSpacing", type="floats")], [[]])
    (first,), _ = reader.read(header)
    first.append(3)
    assert reader.read(header) == (([0.5, 0.5],), ())


def test_an_unknown_value_representation_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "zz.dcm"
    head = file_head("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1", "PACS")
    identity = element(0x00080016, "UI", b"1.2") + element(0x00080018, "UI", b"1.3")
    data = element(0x00080060, "CS", b"CT") + element(0x00100020, "ZZ", b"4711")
    path.write_bytes(head + identity + data)
    header = read_header(path)
    assert read(header, tag("Modality")) == ("CT", None)
    value, error = read(header, tag("PatientID"))
    assert value is None
    assert error == CellError(
        "PatientID", "PatientID", "decode", "unknown value representation", ""
    )
