"""A DICOMDIR is recognized by its content, and what it names is read or listed."""

from __future__ import annotations

import os

import pytest
from pydicom import dcmread

from pacsfw import ParseWarning, parse_dir
from pacsfw.parse.tree.dicomdir import OUTSIDE
from pacsfw.parse.tree.walk import SPECIAL
from support.trees import write_images, write_media


@pytest.fixture
def media(tmp_path):
    return write_media(tmp_path / "media", write_images(tmp_path / "images", 1, 3))


def rewrite(media, files, *, named="DICOMDIR"):
    """Let the DICOMDIR name these files, and have this name itself."""
    directory = dcmread(media)
    records = directory.DirectoryRecordSequence
    for record, file in zip(records, files, strict=True):
        record.ReferencedFileID = file
    directory.save_as(media)
    return media.rename(media.with_name(named))


@pytest.mark.parametrize(
    "files",
    [
        ["IMAGES/IM000000", "IMAGES/IM000001", "IMAGES/IM000002"],
        [["", "IMAGES", "IM000000"], [".", "IMAGES", "IM000001"], ["IMAGES", "IM000002", ""]],
        [["IMAGES", "IM000000"], ["images", "im000001;1"], ["./IMAGES//IM000002"]],
    ],
)
@pytest.mark.filterwarnings("ignore:.*VR CS")
def test_odd_names_of_files_are_followed(media, files):
    rows = list(parse_dir(rewrite(media, files), ["Modality"]))

    assert [os.path.basename(row["dicom_path"]) for row in rows] == [
        "IM000000", "IM000001", "IM000002",
    ]  # fmt: skip


def test_files_that_have_got_a_suffix_are_found(media):
    for path in (media.parent / "IMAGES").iterdir():
        path.rename(f"{path}.dcm")

    assert len(list(parse_dir(media, ["Modality"]))) == 3
    assert len(list(parse_dir(media.parent, ["Modality"]))) == 3


def test_a_file_with_the_exact_name_precedes_one_with_a_suffix(media):
    first = media.parent / "IMAGES" / "IM000000"
    first.with_suffix(".dcm").write_bytes(b"none")

    assert len(list(parse_dir(media, ["Modality"]))) == 3


@pytest.mark.parametrize("outside", [["..", "images", "x"], "../images/x", ["IMAGES", "..", "x"]])
@pytest.mark.filterwarnings("ignore:.*VR CS")
def test_names_that_lead_out_are_listed_and_not_followed(media, outside):
    directory = rewrite(media, [outside, ["IMAGES", "IM000001"], ["IMAGES", "IM000002"]])
    rows = parse_dir(directory, ["Modality"])

    with pytest.warns(ParseWarning, match="failed 1"):
        assert len(list(rows)) == 2

    assert [(failure.file, failure.reason) for failure in rows.failures] == [
        (str(directory), OUTSIDE)
    ]


def test_a_fifo_that_is_named_is_never_opened(media):
    first = media.parent / "IMAGES" / "IM000000"
    first.unlink()
    os.mkfifo(first)
    rows = parse_dir(media, ["Modality"])

    assert len(list(rows)) == 2
    assert [failure.reason for failure in rows.failures] == [SPECIAL]


@pytest.mark.parametrize("in_meta", [True, False])
def test_a_directory_under_another_name_is_no_row(media, in_meta):
    if not in_meta:
        directory = dcmread(media)
        directory.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        directory.save_as(media)
    named = media.rename(media.with_name("scan.dcmdir"))
    rows = parse_dir(media.parent, ["Modality"])

    assert len(list(rows)) == 3
    assert [failure.file for failure in rows.failures] == [str(named)]
    assert dict(rows.tally.harmless) == {"DICOMDIR": 1}
    assert len(list(parse_dir(named, ["Modality"]))) == 3
