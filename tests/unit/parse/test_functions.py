"""Tags in Python: one object, several, a folder; frames; and an import that stays light."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import tarfile
from datetime import date, datetime

import pytest
from pydicom import dcmread
from pydicom.valuerep import PersonName

import pacsfw
from pacsfw import (
    DicomTag,
    DicomTagGroup,
    ParseWarning,
    get_tag_value,
    parse_dicom,
    parse_dicoms,
    parse_dir,
)
from pacsfw.convert import str2datetime
from pacsfw.dicom.header import HeaderReader
from pacsfw.errors import PacsfwError
from pacsfw.parse import UnreadableObject
from support.python_callbacks import explode, halves, shout
from support.trees import TAGS, write_archive, write_hostile, write_images, write_tags

COLUMNS = [
    "PatientID",
    DicomTag("StudyDate", "study_date", type="date"),
    {"tag_name": "InstanceNumber", "type": "int"},
]


@pytest.fixture
def images(tmp_path):
    return write_images(tmp_path / "images", studies=2, instances=2)


@pytest.mark.parametrize("tag", ["PatientID", DicomTag("PatientID"), {"tag_name": "PatientID"}])
def test_one_tag_need_not_be_in_a_list(images, tag):
    assert parse_dicom(images[0], tag) == parse_dicom(images[0], [tag]) != {}


def test_one_object_from_a_file_or_a_data_set(images):
    row = parse_dicom(images[0], COLUMNS)

    assert row == {"PatientID": "SYN1-00000", "study_date": date(2020, 1, 1), "InstanceNumber": 1}
    assert list(row) == ["PatientID", "study_date", "InstanceNumber"]
    assert parse_dicom(str(images[0]), COLUMNS) == parse_dicom(dcmread(images[0]), COLUMNS) == row


def test_the_documented_forms_of_a_tag(images):
    tags = [
        DicomTag(tag_name=["Laterality", "ImageLaterality"], tag_alias="side", default_val="U"),
        DicomTag("PatientName", callback=str),
        DicomTag("StudyDate", callback=str2datetime),
        DicomTag("StudyDate", tag_alias="text", callback="pacsanini.convert:str2datetime"),
        DicomTag("PatientID", tag_alias="loud", callback=["str", shout]),
    ]

    row = parse_dicom(images[0], tags)

    day = datetime(2020, 1, 1)
    assert row == {
        "side": "U", "PatientName": "Adler^Ada", "StudyDate": day, "text": day,
        "loud": "SYN1-00000!",
    }  # fmt: skip
    assert DicomTag("PatientID").tag_value(images[0]) == "SYN1-00000"


def test_a_cell_that_fails_is_none_and_says_why(images):
    row = parse_dicom(images[0], [DicomTag("PatientID", callback=explode), "Modality"])

    assert row == {"PatientID": None, "Modality": "CT"}
    [error] = row.errors
    assert (error.column, error.stage, error.plugin) == ("PatientID", "callback", "explode")
    assert "SYN1" not in error.reason


def test_one_object_and_several_call_a_callback_by_the_same_name(images):
    group = DicomTagGroup([DicomTag("Modality", callback="agestr2years")])
    rows = group.parse_dicoms(images[:1])

    [of_one] = group.parse_dicom(images[0]).errors
    with pytest.warns(ParseWarning):
        [of_several] = [error for row in rows for error in row.errors]

    assert of_one == of_several
    assert rows.failures == [(str(images[0]), *of_one)]


def test_signals_of_the_program_are_left_alone(images):
    before = signal.getsignal(signal.SIGALRM)

    parse_dicom(images[0], [DicomTag("PatientID", callback=shout)])
    list(parse_dir(images[0].parent, [DicomTag("PatientID", callback=shout)]))

    assert signal.getsignal(signal.SIGALRM) == before


@pytest.mark.parametrize(
    ("tag", "why"),
    [
        ("PatientIDD", "did you mean 'PatientID'"),
        (DicomTag("StudyDate", callback="nothing"), "no callback is named 'nothing'"),
        (DicomTag("StudyDate", type="number"), "is not one of"),
        ({"tag_name": "StudyDate", "alias": "x"}, "alias"),
    ],
)
def test_what_is_wrong_with_a_tag_is_said(tag, why):
    with pytest.raises(PacsfwError, match=why):
        DicomTagGroup(["PatientID", tag])


def test_a_file_that_is_none_is_an_error(tmp_path):
    (tmp_path / "text").write_text("none")

    with pytest.raises(UnreadableObject):
        parse_dicom(tmp_path / "text", COLUMNS)


def test_several_objects_and_those_that_cannot_be_read(images, tmp_path):
    (tmp_path / "text.dcm").write_text("none")

    rows = parse_dicoms([images[0], tmp_path / "text.dcm", dcmread(images[1])], COLUMNS)

    with pytest.warns(ParseWarning, match="^files 3, rows 2, failed 1: see"):
        assert [row["dicom_path"] for row in rows] == [str(images[0]), None]
    [failure] = rows.failures
    assert (failure.file, failure.stage) == (str(tmp_path / "text.dcm"), "file")
    assert (rows.tally.files, rows.tally.rows) == (3, 2)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_folder_adds_up_in_this_process_and_in_others(images, tmp_path, workers):
    damaged = write_hostile(tmp_path / "hostile", images[0])

    rows = parse_dir(
        tmp_path, [*COLUMNS, DicomTag("PatientID", "x", callback=shout)], workers=workers
    )
    with pytest.warns(ParseWarning, match=f"failed {damaged - 1}"):
        found = [row["dicom_path"] for row in rows]

    cut = str(tmp_path / "hostile" / "cut.dcm")  # it ends, but has said what it is
    assert found == [cut, *map(str, images)]
    without = [failure for failure in rows.failures if failure.stage == "file"]
    assert rows.tally.files == len(images) + 8 == len(found) + len(without)
    assert sum(rows.tally.failed.values()) == damaged - 1
    assert sum(rows.tally.faulty.values()) == 1
    assert len(list(parse_dir(tmp_path / "images", COLUMNS, workers=workers, limit=1))) == 1


@pytest.mark.parametrize("bare", [False, True])
def test_the_switch_for_data_sets_without_preamble_reaches_the_reader(images, monkeypatch, bare):
    seen, read = [], HeaderReader.read

    def noting(reader, path):
        seen.append(reader.bare)
        return read(reader, path)

    monkeypatch.setattr(HeaderReader, "read", noting)

    list(parse_dir(images[0], COLUMNS, bare=bare))

    assert set(seen) == {bare}


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        parse_dir(tmp_path / "nowhere", COLUMNS)


def test_the_tags_of_a_file(images, tmp_path):
    group = DicomTagGroup.from_yaml(write_tags(tmp_path / "tags.yaml", TAGS))

    assert [column.name for column in group.columns][:2] == ["PatientID", "study_date"]
    assert group.parse_dicom(images[0])["study_date"] == date(2020, 1, 1)
    assert len(list(group.parse_dir(tmp_path / "images"))) == 4


def test_the_character_set_of_the_file_counts(images, tmp_path):
    data = dcmread(images[0])
    del data.SpecificCharacterSet
    data.PatientName = "Xx^Ada"
    data.save_as(images[0])
    images[0].write_bytes(images[0].read_bytes().replace(b"Xx^Ada", b"\xbb\xe2^Ada"))
    node = (
        "net:\n  local_node: {aetitle: US}\n"
        "  called_node: {aetitle: PACS, ip: 127.0.0.1, port: 104, charset: ISO_IR 144}\n"
    )
    path = write_tags(tmp_path / "tags.yaml", node + "tags: [{tag_name: PatientName}]\n")
    group = DicomTagGroup.from_yaml(path)

    for row in (group.parse_dicom(images[0]), *group.parse_dicoms(images[:1])):
        assert row["PatientName"] == "\u041b\u0442^Ada"


def test_frames_have_typed_columns(images):
    frame = parse_dir(images[0].parents[1], COLUMNS).to_pandas()
    table = parse_dir(images[0].parents[1], COLUMNS).to_arrow()

    assert list(frame.columns) == table.column_names == [
        "PatientID", "study_date", "InstanceNumber", "dicom_path",
    ]  # fmt: skip
    assert list(map(str, frame.dtypes)) == ["string", "datetime64[s]", "Int64", "string"]
    assert [str(kind) for kind in table.schema.types] == [
        "string",
        "date32[day]",
        "int64",
        "string",
    ]
    assert table["study_date"].to_pylist() == [value.date() for value in frame["study_date"]]
    assert len(frame) == table.num_rows == 4


def test_rows_can_be_read_again(images, tmp_path):
    rows = parse_dir(tmp_path, COLUMNS)

    first = list(rows)
    for _ in rows:
        break

    assert list(rows) == first == list(parse_dicoms(images, COLUMNS))
    assert len(rows.to_pandas()) == len(rows.to_pandas()) == rows.to_arrow().num_rows == 4
    assert (rows.tally.files, rows.tally.rows) == (4, 4)


def test_instances_of_an_iterator_can_be_read_once(images):
    rows = parse_dicoms(iter(images), COLUMNS)

    assert len(rows.to_pandas()) == 4
    for again in (rows.to_pandas, rows.to_arrow, rows.__iter__):
        with pytest.raises(RuntimeError, match="give a list of them"):
            again()


def test_frames_hold_what_has_failed_and_a_warning_gives_the_numbers(images, tmp_path):
    damaged = write_hostile(tmp_path / "hostile", images[0])
    (tmp_path / "hostile" / "folder").symlink_to(tmp_path)
    rows = parse_dir(tmp_path, [*COLUMNS, DicomTag("PatientID", "x", callback=explode)])
    words = (
        f"^files 12, rows 5, failed {damaged - 1}, folders not read 1, rows of damaged files 1, "
        "cells left empty 6: see `failures`$"
    )

    with pytest.warns(ParseWarning, match=words) as warned:
        frame = rows.to_pandas()
    with pytest.warns(ParseWarning, match=words):
        table = rows.to_arrow()

    assert warned[0].filename == __file__
    about = json.loads(table.schema.metadata[b"pacsfw"])
    assert frame.attrs["tally"] == about["tally"] == rows.tally.as_json()
    assert frame.attrs["failures"] == rows.failures
    assert [tuple(each.values()) for each in about["failures"]] == rows.failures
    assert sum(about["tally"]["failed"].values()) == damaged - 1
    assert frame.copy().head(1).attrs["failures"] == rows.failures
    frame.to_parquet(tmp_path / "frame.parquet")


def test_text_that_utf_8_cannot_hold_is_escaped_in_frames(images):
    odd = os.fsencode(images[0].with_name("a")) + b"\xff"
    os.rename(images[0], odd)
    tags = [
        DicomTag("Modality", "halves", callback=halves, type="texts"),
        DicomTag("Modality", "tree", callback=halves, type="json"),
        DicomTag("Modality", "none", callback=lambda value: None, type="texts"),
    ]
    rows = parse_dicoms([os.fsdecode(odd)], tags)

    [row] = rows

    assert row["halves"] == row["tree"] == ["\udcff", "ä", None]
    frame, table = rows.to_pandas(), rows.to_arrow()
    assert frame["dicom_path"][0] == table["dicom_path"][0].as_py() == f"{odd[:-1].decode()}\\udcff"
    assert frame["halves"][0] == table["halves"][0].as_py() == ["\\udcff", "ä", None]
    assert json.loads(table["tree"][0].as_py()) == ["\udcff", "ä", None]


def test_frames_of_nothing_have_the_columns(tmp_path):
    assert parse_dir(tmp_path, COLUMNS).to_pandas().columns[0] == "PatientID"
    assert parse_dir(tmp_path, COLUMNS).to_arrow().num_rows == 0


def test_a_value_as_pydicom_gives_it(images):
    data = dcmread(images[0])

    assert get_tag_value(data, "PatientName") == PersonName("Adler^Ada")
    assert get_tag_value(images[0], ["Laterality", "Modality"]) == "CT"
    assert get_tag_value(data, "Laterality", default_val="U") == "U"
    assert get_tag_value(data, "StudyDate", callback=int) == 20200101
    with pytest.raises(ValueError, match="did you mean"):
        get_tag_value(data, "PatientNam")


def test_importing_pacsfw_does_not_import_pydicom():
    code = (
        "import sys, pacsfw; assert 'parse_dir' in dir(pacsfw);"
        "assert not {'pydicom', 'pynetdicom', 'pacsfw.parse'} & set(sys.modules);"
        "pacsfw.parse_dir; assert 'pydicom' in sys.modules and 'pynetdicom' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_there_is_nothing_else():
    with pytest.raises(AttributeError, match="has no attribute 'parse_dirs'"):
        pacsfw.parse_dirs  # noqa: B018


@pytest.mark.parametrize("workers", [0, 1])
def test_what_is_no_file_is_never_opened(images, tmp_path, workers):
    pipe = tmp_path / "images" / "pipe"
    os.mkfifo(pipe)

    for read in (parse_dicom, get_tag_value):
        with pytest.raises(UnreadableObject, match="a FIFO, socket or device: never opened"):
            read(pipe, "PatientID" if read is get_tag_value else COLUMNS)
    rows = parse_dicoms([images[0], pipe], COLUMNS)
    with pytest.warns(ParseWarning, match="failed 1"):
        assert len(list(rows)) == 1
    tree = parse_dir(tmp_path, COLUMNS, workers=workers)
    assert len(list(tree)) == len(images)
    assert dict(tree.tally.harmless) == {"a FIFO, socket or device: never opened": 1}
    assert [failure.file for failure in tree.failures] == [str(pipe)]


@pytest.mark.parametrize("workers", [0, 2])
def test_members_of_archives_are_read_in_their_place(images, tmp_path, workers):
    (tmp_path / "images" / "a.dcm.gz").write_bytes(gzip.compress(images[0].read_bytes()))
    write_archive(tmp_path / "images" / "inner.zip", images)
    write_archive(tmp_path / "images" / "z.zip", [tmp_path / "images" / "inner.zip", *images])
    with tarfile.open(tmp_path / "images" / "b.tgz", "w:gz") as archive:
        archive.add(images[0], "s/1")

    rows = parse_dir(tmp_path, COLUMNS, workers=workers)

    places = [os.path.relpath(row["dicom_path"], tmp_path / "images") for row in rows]
    inner = [f"{number:03}.dcm" for number in range(4)]
    assert places == [
        "a.dcm.gz",
        "b.tgz/s/1",
        *(f"inner.zip/folder/{name}" for name in inner),
        *(os.path.relpath(image, tmp_path / "images") for image in images),
        *(f"z.zip/folder/000.dcm/folder/{name}" for name in inner),
        *(f"z.zip/folder/{number:03}.dcm" for number in range(1, 5)),
    ]
    assert len(rows.failures) == 3  # the texts in the archives
    of_archive = parse_dicoms([tmp_path / "images" / "z.zip"], COLUMNS)
    with pytest.warns(ParseWarning):
        assert list(of_archive) == []
    assert of_archive.failures[0].reason == "an archive: parse_dir reads its members"
