"""A header gives values as pydicom does, and malformed bytes one typed error without values."""

import contextlib
import logging
import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.valuerep import PersonName

from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import FileHeader, read_header
from pacsfw.dicom.part10 import file_head
from pacsfw.dicom.tagpath import ABSENT, parse
from peers.fixtures import samples

EXPLICIT = "1.2.840.10008.1.2.1"
SECRET = "4711"


def element(tag: int, vr: str, value: bytes) -> bytes:
    """One element in Explicit VR Little Endian."""
    length = struct.pack("<HI", 0, len(value)) if vr in ("SQ", "UN", "OB") else b""
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + (length or struct.pack("<H", len(value))) + value


def nested(depth: int) -> bytes:
    opened = b"\x40\x00\x30\xa7SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    return opened * depth + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0" * depth


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(data: bytes, syntax: str = EXPLICIT) -> Path:
        path = tmp_path / "object.dcm"
        path.write_bytes(file_head("1.2.840.10008.5.1.4.1.1.2", "1.2.3", syntax, "PACS") + data)
        return path

    return write


@pytest.fixture
def header(write: Callable[..., Path]) -> FileHeader:
    return read_header(
        write(
            element(0x00080008, "CS", b"ORIGINAL\\PRIMARY")
            + element(0x00080020, "DA", b"20200102")
            + element(0x00100010, "PN", b"Doe^Jane")
            + element(0x00100020, "LO", b"")
            + element(0x00180050, "DS", b"1.50")
            + element(0x7FE00010, "OB", b"\0\0")
        )
    )


def test_attributes_are_those_of_pydicom(header: FileHeader) -> None:
    assert header.StudyDate == "20200102"
    assert isinstance(header.PatientName, PersonName)
    assert header.ImageType == ["ORIGINAL", "PRIMARY"]
    assert str(header.SliceThickness) == "1.50"
    assert header.PatientID == ""


def test_an_absent_attribute_is_an_attribute_error(header: FileHeader) -> None:
    with pytest.raises(AttributeError, match="the instance has no Laterality"):
        _ = header.Laterality
    assert not hasattr(header, "NoSuchKeyword")
    assert header.get("Laterality") is None
    assert header.get("Laterality", "U") == "U"


def test_a_misspelt_keyword_is_not_taken_for_an_absent_one(header: FileHeader) -> None:
    with pytest.raises(ValueError, match="did you mean 'PatientName'"):
        header.get("PatientNmae")


def test_a_tag_path_and_file_meta_work_as_well(header: FileHeader) -> None:
    assert header.get("ImageType[1]") == "PRIMARY"
    assert header.TransferSyntaxUID == EXPLICIT


def test_pixel_data_are_not_read(header: FileHeader) -> None:
    assert header.get("PixelData", ABSENT) is ABSENT
    assert "PixelData" not in header.dataset


def assert_unreadable(path: Path, fault: str) -> None:
    with pytest.raises(UnreadableObject) as caught:
        read_header(path)
    assert str(caught.value) == f"the instance cannot be read: {fault}"
    assert caught.value.__suppress_context__


def test_a_file_that_is_not_dicom_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(f"<html>{SECRET}</html>" * 20)
    assert_unreadable(path, "not a DICOM Part 10 file")


def test_sequences_without_end_are_unreadable(write: Callable[..., Path]) -> None:
    header = read_header(write(element(0x00080020, "DA", b"20200102") + nested(5000)))
    assert header.StudyDate == "20200102"  # it lies before them
    with pytest.raises(UnreadableObject, match="nested too deeply"):
        _ = header.dataset


def test_damaged_deflated_data_are_unreadable(write: Callable[..., Path]) -> None:
    deflated = zlib.compress(element(0x00100020, "LO", b"4711"), wbits=-15)
    damaged = b"\xff\xff" + deflated
    path = write(damaged, "1.2.840.10008.1.2.1.99")
    assert_unreadable(path, "its deflated data is damaged")


@pytest.mark.parametrize(
    ("keyword", "data", "fault"),
    [
        (
            "Rows",
            element(0x00280010, "US", b"47114"),
            "an element has a wrong length (BytesLengthException)",
        ),
    ],
)
def test_a_value_that_cannot_be_decoded_says_so_without_quoting_it(
    write: Callable[..., Path], keyword: str, data: bytes, fault: str
) -> None:
    header = read_header(write(data))
    with pytest.raises(UnreadableObject) as caught:
        header.get(keyword)
    assert str(caught.value) == f"{keyword} cannot be read: {fault}"
    assert SECRET not in str(caught.value)
    with pytest.raises(UnreadableObject):
        getattr(header, keyword)


@pytest.mark.parametrize(
    ("keyword", "data", "shown", "fault"),
    [
        (
            "StudyInstanceUID",
            element(0x0020000D, "UI", b"1.47\xff1"),
            "1.47?1",
            "bytes beyond ASCII, which VR UI must not have",
        ),
        (
            "PatientName",
            element(0x00080005, "CS", b"ISO_IR 192") + element(0x00100010, "PN", b"47\xff11"),
            "47\ufffd11",
            "bytes that are not in its character set, ISO_IR 192",
        ),
    ],
)
def test_text_outside_its_character_set_is_replaced_and_counted_or_an_error(
    write: Callable[..., Path], keyword: str, data: bytes, shown: str, fault: str
) -> None:
    header = read_header(write(data))
    assert str(header.get(keyword)) == str(header.dataset[keyword].value) == shown
    assert header.warnings["text outside its character set"] == 1
    with pytest.raises(UnreadableObject) as caught:
        header.value(parse(keyword), strict=True)
    assert caught.value.fault == fault


def test_a_missing_file_is_not_taken_for_a_malformed_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_header(tmp_path / "none.dcm")


class Listener(logging.Handler):
    """Collects what reaches the root logger."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record)


def test_warnings_are_counted_by_kind_and_neither_printed_nor_logged(
    write: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    listener = Listener()
    logging.getLogger().addHandler(listener)
    try:
        header = read_header(
            write(
                element(0x00080016, "UI", b"4711/../x\0")
                + element(0x00100010, "PN", b"M\xfcller47")
                + element(0x00080060, "CS", b"CT")
            )
        )
        assert header.PatientName
        assert header.SOPClassUID
        assert header.Modality == "CT"  # in spite of its place
    finally:
        logging.getLogger().removeHandler(listener)
    assert set(header.warnings) == {"value has a wrong form"}
    assert set(header.odd) == {"elements out of order"}
    assert listener.heard == []
    assert capfd.readouterr() == ("", "")


def test_the_error_can_go_to_another_process() -> None:
    error = UnreadableObject("the instance", "ends too early (EOFError)")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert copy.fault == error.fault


def test_a_file_cut_anywhere_is_read_or_unreadable(write: Callable[..., Path]) -> None:
    data = element(0x00080020, "DA", b"20200102") + nested(3) + element(0x00100020, "LO", b"AB")
    whole = write(data).read_bytes()
    path = write(data)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with contextlib.suppress(UnreadableObject):
            read_header(path).get("PatientID")


def test_no_sample_file_raises_anything_but_unreadable() -> None:
    for path in samples("*.dcm"):
        with contextlib.suppress(UnreadableObject):
            header = read_header(path)
            for tag in list(header.dataset.keys())[::7]:
                with contextlib.suppress(UnreadableObject):
                    header.get(f"{int(tag):08X}")
