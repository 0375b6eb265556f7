"""What callbacks get is what pydicom provides, also where it comes from a cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import HeaderReader
from pacsfw.dicom.tagpath import ABSENT, parse
from pacsfw.dicom.values import is_empty
from pacsfw.steps.tags.source import CellFailed, ValueSource

SAMPLES = Path(__file__).parents[3] / "data" / "dicom"
TAGS = [
    *("PatientName", "PatientID", "PatientAge", "StudyDate", "StudyTime", "Modality", "Rows"),
    *("BitsStored", "PixelSpacing", "SliceThickness", "InstanceNumber", "SeriesNumber"),
    *("SOPInstanceUID", "SOPClassUID", "ImageType", "WindowCenter", "RescaleSlope", "KVP"),
    *("StudyDescription", "InstitutionName", "PatientWeight", "SmallestImagePixelValue"),
    *("ReferencedStudySequence", "AcquisitionDateTime", "PatientComments", "NumberOfFrames"),
]


def slowly(header: Any, path: Any) -> Any:
    try:
        value = header.value(path, strict=True)
    except UnreadableObject as error:
        return ("failed", error.fault)
    return None if value is ABSENT or is_empty(value) else value


def quickly(source: ValueSource, header: Any) -> Any:
    try:
        return source.value(header)
    except CellFailed as failed:
        return ("failed", failed.reason)


@pytest.mark.parametrize("tag", TAGS)
def test_the_quick_way_gives_the_same_values_as_the_slow_one(tag: str) -> None:
    path = parse(tag)
    source, seen = ValueSource(path, "text"), 0
    for file in [each for each in sorted(SAMPLES.rglob("*")) if each.is_file()] * 2:
        try:
            header = HeaderReader([path]).read(file)
            again = HeaderReader([path]).read(file)
        except (UnreadableObject, OSError):
            continue
        expected, found = slowly(header, path), quickly(source, again)
        assert (type(found), repr(found)) == (type(expected), repr(expected)), file.name
        assert again.warnings == header.warnings, file.name
        seen += expected is not None
    assert seen or tag in ("SmallestImagePixelValue", "AcquisitionDateTime", "PatientComments")
