"""The partial reader: element for element what pydicom reads, from the first bytes alone."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from pacsfw.dicom import reading
from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import HeaderReader
from pacsfw.dicom.part10 import file_head
from pacsfw.dicom.tagpath import ABSENT, TagPath, parse
from peers.fixtures import SAMPLES

PIXELS = b"\xe0\x7f\x10\0OW\0\0"
PYDICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
BROKEN = ("a length reaches beyond the sequence around it",)
"""Why a sequence is not read, of which pydicom returns the beginning."""
BEYOND = "an element reaches beyond its end"
FAULTS = {
    "truncated_in_meta.dcm": f"its File Meta Information cannot be read: {BEYOND}",
    "huge_declared_length.dcm": BEYOND,
    "preamble_dicm_only.dcm": "it has no data set",
    "garbage_with_dicm.dcm": BEYOND,
}
"""Files without an instance, of which pydicom returns something."""
SYNTAXES = (
    ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)  # fmt: skip


def paths_in(dataset: Dataset, prefix: str = "", depth: int = 0) -> Iterator[str]:
    """Every element, those of the first items of sequences, single values, private blocks."""
    for tag in dataset.keys():  # noqa: SIM118 - iterating would convert the values
        text = f"{prefix}({tag.group:04X},{tag.element:04X})"
        yield text
        try:
            element = dataset[tag]
        except Exception:  # noqa: BLE001 - it cannot be decoded, and that is compared
            continue
        if isinstance(element.value, Sequence):
            for number, item in enumerate(element.value[:2] if depth < 3 else ()):
                yield from paths_in(item, f"{text}[{number}].", depth + 1)
        elif element.VM > 1:
            yield text + "[1]"
        if tag.is_private and tag.element > 0xFF and (creator := dataset.get(tag.private_creator)):
            yield f'{prefix}({tag.group:04X},"{creator.value}",{tag.element & 0xFF:02X})'


def same(ours: Any, theirs: Any) -> bool:
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, float) and math.isnan(ours):
        return math.isnan(theirs)
    if isinstance(ours, list | pydicom.multival.MultiValue):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return bool(ours == theirs)


def value(path: TagPath, dataset: Dataset) -> Any:
    try:
        return path.get(dataset)
    except Exception as error:  # noqa: BLE001 - pydicom cannot decode it
        return error


def differences(path: Path, dataset: Dataset) -> tuple[int, list[Any]]:
    """Compare what the reader finds with a data set of pydicom; return how much differs."""
    paths = [parse(text) for text in sorted(set(paths_in(dataset)))]
    header = HeaderReader(paths).read(path)
    found = []
    for each in paths:
        theirs = value(each, dataset)
        try:
            ours = header.value(each)
        except UnreadableObject as error:
            if not isinstance(theirs, Exception) and error.fault not in (header.fault, *BROKEN):
                found.append((path.name, each.text, str(error), theirs))
            continue
        if not same(ours, theirs):
            found.append((path.name, each.text, ours, theirs))
    return len(paths), found


def readable(path: Path) -> Dataset | None:
    try:
        return dcmread(path, stop_before_pixels=True)
    except Exception:  # noqa: BLE001 - it is not this test's matter why
        return None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("folder", [SAMPLES, PYDICOM_FILES], ids=["samples", "pydicom"])
def test_every_element_of_every_file_is_what_pydicom_reads(folder: Path) -> None:
    compared, different, faults = 0, [], {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        dataset = readable(path)
        if dataset is None:
            continue
        try:
            count, found = differences(path, dataset)
        except UnreadableObject as error:
            faults[path.name] = error.fault
            continue
        compared += count
        different += found
    # Pixel data are not read: not of icons either.
    assert [each for each in different if "(7FE0,0010)" not in each[1]] == []
    assert faults.items() <= FAULTS.items()  # where pydicom reads on in silence
    assert compared > 5000


TEXTS = st.text(st.characters(codec="latin-1", exclude_characters="\\\x1b"), max_size=20)
ELEMENTS: dict[str, st.SearchStrategy[Any]] = {
    "ImageType": st.lists(st.sampled_from(["ORIGINAL", "PRIMARY", "AXIAL"]), max_size=3),
    "StudyDate": st.sampled_from(["20200102", "", "2020.01.02"]),
    "StudyDescription": TEXTS,
    "PatientName": st.sampled_from(["Doe^Jane", "M\xfcller^J\xf6rg", ""]),
    "PatientID": TEXTS,
    "SliceThickness": st.sampled_from(["1.50", "-0.1e3", ""]),
    "PixelSpacing": st.just(["0.5", "0.25"]),
    "InstanceNumber": st.integers(-(2**31), 2**31 - 1),
    "Rows": st.integers(0, 2**16 - 1),
    "RealWorldValueSlope": st.floats(width=64, allow_nan=False),
    "FrameIncrementPointer": st.just([0x00181063, 0x00181065]),
    "PatientComments": TEXTS,
    "SmallestImagePixelValue": st.integers(0, 2**15 - 1),
    "PixelRepresentation": st.integers(0, 1),
}


@st.composite
def datasets(draw: st.DrawFn, depth: int = 0) -> Dataset:
    made = Dataset()
    if not depth:
        made.SpecificCharacterSet = "ISO_IR 100"
    # pydicom does not tell items of undefined length: see the test of signed values below.
    known = ELEMENTS.keys() - ({"SmallestImagePixelValue"} if depth else set())
    for keyword in draw(st.sets(st.sampled_from(sorted(known)), max_size=9)):
        setattr(made, keyword, draw(ELEMENTS[keyword]))
    if draw(st.booleans()):
        block = made.private_block(0x0029, draw(st.sampled_from(["A", "B C"])), create=True)
        block.add_new(0x10, "LO", draw(TEXTS))
        block.add_new(0x11, "US", 7)
    if depth < 3:
        for keyword in ("AnatomicRegionSequence", "PerFrameFunctionalGroupsSequence"):
            if draw(st.booleans()):
                setattr(made, keyword, draw(st.lists(datasets(depth + 1), max_size=2)))
                made[keyword].is_undefined_length = draw(st.booleans())
                for item in made[keyword].value:
                    item.is_undefined_length_sequence_item = draw(st.booleans())
    return made


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.keyword)
def test_made_up_data_sets_are_what_pydicom_reads(
    syntax: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "made.dcm"

    @settings(max_examples=40, deadline=None)
    @given(datasets(), st.sampled_from([64, 301, 8192]))
    def check(made: Dataset, first: int) -> None:
        monkeypatch.setattr(reading, "_FIRST", max(first, 350))
        implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
        made.file_meta = pydicom.dataset.FileMetaDataset()
        made.file_meta.TransferSyntaxUID = syntax
        made.file_meta.MediaStorageSOPClassUID = made.file_meta.MediaStorageSOPInstanceUID = "1.2"
        made.save_as(path, implicit_vr=implicit, little_endian=little, enforce_file_format=True)
        assert differences(path, dcmread(path))[1] == []

    check()


def test_signed_values_are_signed_at_any_depth(tmp_path: Path) -> None:
    innermost, inner, made = Dataset(), Dataset(), Dataset()
    made.PixelRepresentation = 1
    innermost.add_new(0x00280106, "SS", -1)
    inner.AnatomicRegionSequence = [innermost]
    made.AnatomicRegionSequence = [inner]
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.file_meta.MediaStorageSOPInstanceUID = "1.2"
    path = tmp_path / "signed.dcm"
    made.save_as(path, enforce_file_format=True)

    header = HeaderReader().read(path)
    assert (
        header.dataset.AnatomicRegionSequence[0].AnatomicRegionSequence[0][0x00280106].value == -1
    )
    text = "AnatomicRegionSequence.AnatomicRegionSequence.SmallestImagePixelValue"
    assert header.get(text) == -1


def test_only_what_is_looked_at_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One read for what comes first; what is stepped over and pixel data are never read."""
    path = tmp_path / "large.dcm"
    with path.open("wb") as file:
        file.write(file_head("1.2", "1.2.3", ExplicitVRLittleEndian, "PACS"))
        file.write(b"\x08\0\x60\0CS\x02\0CT")
        file.write(b"\x09\0\x10\0LO\x02\0X " + b"\x09\0\x01\x10OB\0\0" + struct.pack("<I", 1 << 30))
        file.seek(1 << 30, os.SEEK_CUR)
        file.write(
            b"\x10\0\x20\0LO\x04\0ABCD" + b"\xe0\x7f\x10\0OW\0\0" + struct.pack("<I", 1 << 31)
        )
        file.truncate(file.tell() + (1 << 31))
    sizes: list[int] = []
    real_read, real_pread = os.read, os.pread

    def read(descriptor: int, size: int) -> bytes:
        sizes.append(size)
        return real_read(descriptor, size)

    def pread(descriptor: int, size: int, offset: int) -> bytes:
        sizes.append(size)
        return real_pread(descriptor, size, offset)

    monkeypatch.setattr(os, "read", read)
    monkeypatch.setattr(os, "pread", pread)

    assert HeaderReader([parse("Modality")]).read(path).Modality == "CT"
    assert sizes == [8192]
    sizes.clear()
    header = HeaderReader(map(parse, ("PatientID", "Rows", "PixelData"))).read(path)
    assert header.PatientID == "ABCD"
    assert (header.get("Rows"), header.value(parse("PixelData"))) == (None, ABSENT)
    assert sum(sizes) <= 3 * 8193


def test_what_turns_out_to_be_wanted_is_read_at_once_from_the_next_file_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.dcm"
    data = b"\x08\0\x60\0CS\x02\0CT" + b"\x10\0\x20\0LO\x04\0ABCD"
    path.write_bytes(file_head("1.2", "1.2.3", ExplicitVRLittleEndian, "PACS") + data)
    reader = HeaderReader([parse("Modality")])
    assert reader.read(path).PatientID == "ABCD"

    header = reader.read(path)
    path.unlink()
    assert header.PatientID == "ABCD"


def test_a_sequence_longer_than_the_first_read_is_entered_item_by_item(tmp_path: Path) -> None:
    made = Dataset()
    items = []
    for number in range(3000):
        item = Dataset()
        item.InstanceNumber = number
        item.PatientComments = "x" * 20
        items.append(item)
    made.PerFrameFunctionalGroupsSequence = items
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.file_meta.MediaStorageSOPInstanceUID = "1.2"
    path = tmp_path / "frames.dcm"
    made.save_as(path, enforce_file_format=True)

    header = HeaderReader().read(path)
    numbers = header.get("PerFrameFunctionalGroupsSequence[*].InstanceNumber")
    assert numbers == list(range(3000))
    assert header.get("PerFrameFunctionalGroupsSequence[2999].InstanceNumber") == 2999
    assert header.get("PerFrameFunctionalGroupsSequence[3000].InstanceNumber") is None
    assert header.extent is not None


def test_a_private_element_far_behind_its_creator_is_found(tmp_path: Path) -> None:
    path = tmp_path / "far.dcm"
    filler = b"\x29\0\x01\x10OB\0\0" + struct.pack("<I", 100_000) + bytes(100_000)
    data = b"\x29\0\x10\0LO\x04\0SITE" + filler + b"\x29\0\x02\x10LO\x04\0here"
    path.write_bytes(file_head("1.2", "1.2.3", ExplicitVRLittleEndian, "PACS") + data)

    assert HeaderReader().read(path).get('(0029,"SITE",02)') == "here"


@pytest.mark.parametrize("kept", [12_000, 100_011])
def test_a_file_that_ends_within_what_is_stepped_over_is_cut(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.dcm"
    head = file_head("1.2", "1.2.3", ExplicitVRLittleEndian, "PACS")
    data = b"\x09\0\x01\x10OB\0\0" + struct.pack("<I", 100_000) + bytes(100_000)
    path.write_bytes((head + data)[: len(head) + kept])
    with pytest.raises(UnreadableObject, match=BEYOND):
        HeaderReader([parse("PatientID")]).read(path)
    path.write_bytes(head + data)
    assert HeaderReader([parse("PatientID")]).read(path).get("PatientID") is None


def test_a_data_set_in_memory_has_a_header_too() -> None:
    made = Dataset()
    made.PatientName = "Doe^Jane"
    made.AnatomicRegionSequence = [Dataset()]
    made.AnatomicRegionSequence[0].CodeMeaning = "Chest"
    header = HeaderReader().of(made)
    assert header.PatientName == "Doe^Jane"
    assert header.get("AnatomicRegionSequence.CodeMeaning") == "Chest"
    assert header.dataset is made
