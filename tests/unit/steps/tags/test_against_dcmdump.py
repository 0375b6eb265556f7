"""Cells of the sample files hold what dcmdump shows."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pacsfw.config import Tag
from pacsfw.dicom.header import HeaderReader
from pacsfw.steps.tags.row_reader import RowReader
from peers.fixtures import samples

COMPARED = [
    "FrameOfReferenceUID", "ImageType", "SOPClassUID", "SOPInstanceUID", "StudyDate", "SeriesDate",
    "StudyTime", "AccessionNumber", "Modality", "Manufacturer", "InstitutionName",
    "StudyDescription", "SeriesDescription", "ManufacturerModelName", "PatientID",
    "PatientBirthDate", "PatientSex", "PatientAge", "PatientWeight", "BodyPartExamined",
    "SliceThickness", "KVP", "ProtocolName", "StudyInstanceUID", "SeriesInstanceUID", "StudyID",
    "SeriesNumber", "InstanceNumber", "ImagePositionPatient", "PixelSpacing", "Rows", "Columns",
    "BitsAllocated", "WindowCenter", "Laterality", "ContentDate", "PatientName",
    "ReferringPhysicianName", "PatientComments", "RescaleSlope", "LossyImageCompression",
]  # fmt: skip
LINE = re.compile(r"\([0-9a-f]{4},[0-9a-f]{4}\) [A-Z]{2} (.*?) *#\s*\d+, *\d+ (\w+)$")


def dumped(path: Path) -> dict[str, str] | None:
    """Values of the top-level elements as dcmdump shows them; None where it gives up."""
    command = ["dcmdump", "-q", "-Un", "+uc", "+U8", "-M", "+L", str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        return None
    lines = done.stdout.decode(errors="replace").splitlines()
    shown = [match.groups() for match in map(LINE.match, lines) if match]
    return {
        keyword: "" if value == "(no value available)" else value.strip("[]")
        for value, keyword in shown
    }


def trimmed(text: str) -> list[str]:
    """Without the blanks around each value, which mean nothing in these elements."""
    return [value.strip(" \0") for value in text.split("\\")]


@pytest.mark.skipif(shutil.which("dcmdump") is None, reason="dcmdump is not installed")
def test_values_of_good_samples_are_those_that_dcmdump_shows() -> None:
    tags = [
        Tag(names=(each,), alias=each, default=None, callbacks=(), type="text", where="")
        for each in COMPARED
    ]
    rows = RowReader(tags, [[] for _ in tags])
    headers = HeaderReader(rows.paths)
    compared = 0
    different = []
    for path in samples("*.dcm"):
        if "malformed" in path.parts or path.stat().st_size > 2_000_000:
            continue
        theirs = dumped(path)
        if theirs is None:
            continue
        cells, errors = rows.read(headers.read(path))
        assert errors == ()
        for keyword, cell in zip(COMPARED, cells, strict=True):
            compared += 1
            if trimmed(cell or "") != trimmed(theirs.get(keyword, "")):
                different.append((path.name, keyword, cell, theirs.get(keyword)))
    assert different == []
    assert compared > 1500
