"""The walk to the end: nothing that was cut passes, nothing legal is called damaged."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import HeaderReader, read_header
from pacsfw.dicom.integrity import Damaged, check
from pacsfw.dicom.part10 import file_head
from pacsfw.dicom.tagpath import parse
from pacsfw.testing import make_studies
from peers.fixtures import samples


def nested(depth: int) -> Dataset:
    """A data set with sequences of undefined length in one another."""
    dataset = Dataset()
    dataset.CodeValue = "x"
    if depth:
        dataset.ReferencedSeriesSequence = Sequence([nested(depth - 1), nested(0)])
        dataset["ReferencedSeriesSequence"].is_undefined_length = True
        for item in dataset.ReferencedSeriesSequence:
            item.is_undefined_length_sequence_item = True
    return dataset


@pytest.fixture
def write(tmp_path):
    """Writes an image in a syntax, changed as told, and returns its path."""

    def write(syntax=ExplicitVRLittleEndian, **changes):
        dataset = next(make_studies(1, modalities=(("CT",),))[0].datasets())
        dataset.ReferencedStudySequence = Sequence([nested(3)])
        for keyword, value in changes.items():
            setattr(dataset, keyword, value)
        if syntax == JPEG2000Lossless:
            dataset.PixelData = encapsulate([b"fragment one", b"fragment two"])
            dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = syntax
        path = tmp_path / "object.dcm"
        implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
        dataset.save_as(path, implicit_vr=implicit, little_endian=little, enforce_file_format=True)
        return path

    return write


SYNTAXES = (
    ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, JPEG2000Lossless,
)  # fmt: skip


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.keyword)
def test_a_whole_object_passes(write, syntax):
    path = write(syntax)

    check(path, read_header(path))


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.keyword)
def test_an_object_cut_in_its_pixel_data_never_passes(write, syntax, tmp_path):
    path = write(syntax)
    header, whole = read_header(path), path.read_bytes()
    cut = tmp_path / "cut.dcm"
    big = syntax == ExplicitVRBigEndian
    start = whole.index(b"\x7f\xe0\x00\x10" if big else b"\xe0\x7f\x10\x00")

    for end in range(start + 1, len(whole)):
        cut.write_bytes(whole[:end])
        with pytest.raises(Damaged):
            check(cut, header)


def test_an_object_cut_inside_a_sequence_never_passes(write, tmp_path):
    path = write()
    header, whole = read_header(path), path.read_bytes()
    begin = whole.index(b"\x08\x00\x10\x11SQ")
    end = whole.index(b"\x10\x00\x10\x00PN")
    cut = tmp_path / "cut.dcm"

    for length in range(begin + 1, end):
        cut.write_bytes(whole[:length])
        with pytest.raises(Damaged):
            check(cut, header)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Rows": 1000}, "its pixel data ends after 512 of 32000 bytes"),
        ({"NumberOfFrames": 2}, "its pixel data ends after 512 of 1024 bytes"),
    ],
)
def test_pixel_data_shorter_than_the_header_says(write, changes, words):
    path = write(**changes)

    with pytest.raises(Damaged, match=words):
        check(path, read_header(path))


@pytest.mark.parametrize(
    "changes",
    [
        {"PixelData": bytes(1024)},  # padded
        {"PhotometricInterpretation": "YBR_FULL_422", "SamplesPerPixel": 3, "BitsAllocated": 8},
        {"BitsAllocated": 1},
        {"NumberOfFrames": ""},
    ],
)
def test_legal_oddities_pass(write, changes):
    path = write(**changes)

    check(path, read_header(path))


def test_zeros_behind_the_end_pass_and_other_bytes_do_not(write):
    path = write()
    header, whole = read_header(path), path.read_bytes()

    path.write_bytes(whole + bytes(20))
    check(path, header)
    path.write_bytes(whole + b"garbage behind it")
    with pytest.raises(Damaged):
        check(path, header)


def test_an_object_without_data_set_does_not_pass(tmp_path):
    path = tmp_path / "empty.dcm"
    path.write_bytes(file_head("1.2", "1.2.3", ExplicitVRLittleEndian, "PACS"))

    with pytest.raises(Damaged, match="it has no data set"):
        check(path, read_header(path))


def test_deep_nesting_costs_no_recursion_and_has_a_limit(tmp_path):
    open_item = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closing = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    head = file_head("1.2", "1.2.3", ExplicitVRLittleEndian, "PACS")
    deep = tmp_path / "deep.dcm"

    deep.write_bytes(head + open_item * 99 + closing * 99)
    check(deep, HeaderReader([parse("StudyDate")]).read(deep))
    deep.write_bytes(head + b"\x08\0\x20\0DA\x08\x0020200102" + open_item * 99 + closing * 98)
    with pytest.raises(Damaged, match="in the middle of a sequence"):
        check(deep, HeaderReader([parse("StudyDate")]).read(deep))
    deep.write_bytes(head + b"\x08\0\x20\0DA\x08\x0020200102" + open_item * 1_000_000)
    tracemalloc.start()
    with pytest.raises(Damaged, match="nested too deeply"):
        check(deep, HeaderReader([parse("StudyDate")]).read(deep))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def deflated(tmp_path, data):
    path = tmp_path / "deflated.dcm"
    deflater = zlib.compressobj(wbits=-15)
    head = file_head("1.2", "1.2.3", DeflatedExplicitVRLittleEndian, "PACS")
    path.write_bytes(head + deflater.compress(data) + deflater.flush())
    return path


def test_a_deflated_object_is_looked_into(tmp_path):
    data = b"\x10\0\x20\0LO\x04\x004711" + b"\xe0\x7f\x10\0OW\0\0" + struct.pack("<I", 200_000)
    path = deflated(tmp_path, data + bytes(range(250)) * 800)

    assert check(path, read_header(path)) == {}
    for kept, words in ((-1, "deflated data is damaged"), (-500, "deflated data is damaged")):
        cut = tmp_path / "cut.dcm"
        cut.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(Damaged, match=words):
            check(cut, read_header(cut))
    path = deflated(tmp_path, data + b"short")
    with pytest.raises(Damaged, match="reaches beyond its end"):
        check(path, read_header(path))


def test_a_bomb_costs_neither_memory_nor_much_time(tmp_path, monkeypatch):
    monkeypatch.setattr("pacsfw.dicom.inflating.MOST_INFLATED", 100_000_000)
    head = b"\x10\0\x20\0LO\x04\x004711" + b"\xe0\x7f\x10\0OW\0\0\xf0\xff\xff\xff"
    path = deflated(tmp_path, head + bytes(150_000_000))
    assert path.stat().st_size < 200_000

    tracemalloc.start()
    header = read_header(path)
    assert header.get("PatientID") == "4711"
    with pytest.raises(Damaged, match="inflates to more bytes than any instance has"):
        check(path, header)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_oddities_of_whole_objects_are_counted(write):
    path = write()
    whole = path.read_bytes()
    at = whole.index(b"\x10\0\x10\0PN")
    path.write_bytes(whole[:at] + b"\x08\0\x05\0CS\0\0" + whole[at:] + bytes(12))

    assert check(path, read_header(path)) == {
        "elements out of order": 1,
        "zeros after the last element": 1,
    }


def test_cut_samples_do_not_pass():
    """Those that are cut within their pixel data can be read, and only this tells."""
    for path in samples("*truncated*"):
        with pytest.raises((Damaged, UnreadableObject)):
            check(path, read_header(path))


def test_good_samples_pass(good_samples):
    damaged = {}
    for path in good_samples:
        try:
            check(path, read_header(path))
        except Damaged as err:
            damaged[path.name] = str(err)

    assert damaged == {}
