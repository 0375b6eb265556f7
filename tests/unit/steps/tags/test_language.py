"""The language of tags, from the configuration to the row of a file."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from pacsfw.api import Column
from pacsfw.config import load
from pacsfw.dicom.cell_errors import CellError
from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import HeaderReader
from pacsfw.errors import ConfigError
from pacsfw.plugins import discover
from pacsfw.steps.tags.row_reader import RowReader
from peers.fixtures import samples


def item(**attributes: Any) -> Dataset:
    made = Dataset()
    for keyword, each in attributes.items():
        setattr(made, keyword, each)
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = item(
        SpecificCharacterSet="ISO_IR 100",
        SOPClassUID=CTImageStorage,
        SOPInstanceUID="1.2.3",
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
        StudyDate="20200102",
        PatientName="M\xfcller^J\xf6rg^^Dr.=x^y",
        PatientAge="018M",
        PixelSpacing=["0.5", "0.25"],
        Rows=512,
        RequestAttributesSequence=[
            item(ScheduledProcedureStepID="A1"),
            item(RequestedProcedureID="no step"),
            item(ScheduledProcedureStepID="A3"),
        ],
    )
    block = made.private_block(0x0029, "SITE", create=True)
    block.add_new(0x10, "UN", b"1.5\\2.5 ")
    block.add_new(0x11, "LO", "seen")
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = tmp_path / "object.dcm"
    made.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def row(tmp_path: Path, file: Path) -> Callable[[str], Any]:
    """Writes tags alone into a file, loads it, and returns columns, cells and errors."""

    def read(tags: str) -> tuple[tuple[Column, ...], tuple[Any, ...], tuple[CellError, ...]]:
        reader = row_reader(tmp_path, tags)
        cells, errors = reader.read(HeaderReader(reader.paths).read(file))
        return reader.columns, cells, errors

    return read


def row_reader(folder: Path, tags: str) -> RowReader:
    path = folder / "tags.yaml"
    path.write_text(textwrap.dedent(tags))
    path.chmod(0o600)
    loaded = load(path, discover)
    chains = [
        [loaded.registry.build("callback", use.name, use.options) for use in tag.callbacks]
        for tag in loaded.config.tags
    ]
    return RowReader(loaded.config.tags, chains)


def test_the_natural_type_of_a_tag(row: Callable[[str], Any]) -> None:
    columns, cells, errors = row(
        """
        - {tag_name: StudyDate, type: auto}
        - {tag_name: PatientAge, type: auto}
        - {tag_name: Rows, type: auto}
        - {tag_name: ImageType, type: auto}
        - {tag_name: PixelSpacing, type: auto}
        - {tag_name: "PixelSpacing[1]", type: auto}
        - {tag_name: PatientName, type: auto}
        - {tag_name: RequestAttributesSequence, type: auto}
        - {tag_name: SmallestImagePixelValue, type: auto}
        - {tag_name: Columns, type: auto, callback: str}
        """
    )
    kinds = [column.type for column in columns]
    assert kinds == [
        "date",
        "float",
        "int",
        "texts",
        "floats",
        "float",
        "text",
        "json",
        "int",
        "text",
    ]
    assert cells[:6] == (
        date(2020, 1, 2), 1.5, 512, ["ORIGINAL", "PRIMARY", "AXIAL"], [0.5, 0.25], 0.25,
    )  # fmt: skip
    assert cells[7][0] == {"00400009": {"vr": "SH", "Value": ["A1"]}}
    assert errors == ()


def test_parts_of_names_and_every_item(row: Callable[[str], Any]) -> None:
    _, cells, errors = row(
        """
        - tag_name: PatientName.FamilyName
        - tag_name: PatientName.NamePrefix
        - tag_name: PatientName.Ideographic.GivenName
        - tag_name: PatientName.Ideographic
        - {tag_name: PatientName.Phonetic, default_val: none}
        - {tag_name: "RequestAttributesSequence[*].ScheduledProcedureStepID", type: texts}
        - {tag_name: "RequestAttributesSequence[*].RequestedProcedureID", tag_alias: text}
        - tag_name: RequestAttributesSequence[*].ScheduledProcedureStepID
          tag_alias: as_json
          type: json
        - {tag_name: "ImageType[*]", type: json}
        """
    )
    assert cells == (
        "M\xfcller", "Dr.", "y", "x^y", "none", ["A1", None, "A3"], "\\no step\\",
        ["A1", None, "A3"], ["ORIGINAL", "PRIMARY", "AXIAL"],
    )  # fmt: skip
    assert errors == ()


def test_private_elements_and_what_they_are(row: Callable[[str], Any]) -> None:
    _, cells, errors = row(
        """
        - {tag_name: '(0029,"SITE",10)', type: floats, vr: DS}
        - {tag_name: '(0029,"SITE",10)', tag_alias: one, vr: DS, callback: 'builtins:sum'}
        - {tag_name: '(0029,"SITE",11)'}
        - {tag_name: '(0029,"SITE",10)', tag_alias: unknown}
        - {tag_name: '(0029,"OTHER",10)'}
        - {tag_name: '(0029,"SITE",*)', type: json}
        """
    )
    assert cells[:5] == ([1.5, 2.5], "4.0", "seen", None, None)
    assert sorted(cells[5]) == ["00291010", "00291011"]
    (error,) = errors
    assert (error.column, error.stage) == ("unknown", "decode")
    assert error.reason.startswith("a binary value (VR UN)")


def test_a_whole_group_is_one_cell(row: Callable[[str], Any]) -> None:
    columns, cells, _ = row("- {tag_name: '(0028,*)', tag_alias: image, type: auto}")
    assert columns == (Column("image", "json"),)
    assert cells[0]["00280010"] == {"vr": "US", "Value": [512]}


def test_raw_values_stand_beside(row: Callable[[str], Any]) -> None:
    columns, cells, errors = row(
        """
        - {tag_name: StudyDate, type: float, raw: true}
        - {tag_name: [PatientID, PatientName], tag_alias: who, raw: true}
        - {tag_name: PatientSex, raw: true, default_val: O}
        """
    )
    assert [column.name for column in columns] == [
        "StudyDate", "StudyDate_raw", "who", "who_raw", "PatientSex", "PatientSex_raw",
    ]  # fmt: skip
    assert cells == (
        20200102.0, "20200102", "M\xfcller^J\xf6rg^^Dr.=x^y", "M\xfcller^J\xf6rg^^Dr.=x^y", "O",
        None,
    )  # fmt: skip
    assert errors == ()


def test_a_required_tag_without_value_is_an_error(row: Callable[[str], Any]) -> None:
    _, cells, errors = row(
        """
        - {tag_name: [PatientID, AccessionNumber], tag_alias: id, required: true}
        - {tag_name: StudyDate, required: true}
        """
    )
    assert cells == (None, "20200102")
    reason = "the instance has no value for it"
    assert errors == (CellError("id", "PatientID", "required", reason, ""),)


def test_callbacks_with_options_form_a_chain(
    row: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "language_shift.py").write_text(
        "from pacsfw import Component, hookimpl\n"
        "def shifted(by):\n"
        "    def shift(value) -> int:\n"
        "        return value + by\n"
        "    return shift\n"
        "@hookimpl\n"
        "def pacsfw_tag_callbacks():\n"
        "    schema = {'type': 'object', 'properties': {'by': {'type': 'integer'}}}\n"
        "    yield Component(name='shift', factory=shifted, schema=schema, returns='int')\n"
    )
    (tmp_path / "language_shift.py").chmod(0o600)
    columns, cells, errors = row(
        """
        tags:
          - tag_name: Rows
            callback: [int, {use: shift, with: {by: 3}}, {use: shift, with: {by: 5}}]
        plugins: {load: [language_shift.py]}
        """
    )
    assert (columns, cells, errors) == ((Column("Rows", "int"),), (520,), ())


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ("- tag_name: PatientNmae\n",
         "tags.yaml:1:13: tags[0].tag_name: unknown DICOM keyword 'PatientNmae' (did you mean"),
        ("- tag_name: StudyDate.FamilyName\n", "an element of VR DA has no name components"),
        ("- tag_name: (0018,*)[0]\n", "an entire group has no index"),
        ("- {tag_name: PatientID, vr: XX}\n", "tags[0].vr: 'XX' is not one of AE, AS"),
        ("- {tag_name: PatientID, required: true, default_val: x}\n",
         "tags[0].required: with default_val the cell is never empty"),
        ("- {tag_name: Rows, raw: true}\n- {tag_name: Columns, tag_alias: Rows_raw}\n",
         "the column 'Rows_raw' is already used by tags[0]"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(tmp_path: Path, tags: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        row_reader(tmp_path, tags)
    assert words in str(caught.value).replace(str(tmp_path) + "/", "")


MANY = """
- {tag_name: PatientName, raw: true}
- {tag_name: StudyDate, type: auto}
- {tag_name: PatientAge, type: auto}
- {tag_name: PixelSpacing, type: auto, raw: true}
- {tag_name: "ImageType[2]"}
- {tag_name: "RequestAttributesSequence[*].ScheduledProcedureStepID", type: texts}
- {tag_name: ReferencedStudySequence, type: json}
- {tag_name: '(0029,"SIEMENS CSA HEADER",10)', type: json}
- {tag_name: SmallestImagePixelValue, type: auto}
- {tag_name: SOPInstanceUID, required: true}
- {tag_name: AcquisitionTime, type: time, callback: str}
"""


def test_every_sample_ends_as_a_row_or_as_a_listed_failure(
    tmp_path: Path, good_samples: list[Path]
) -> None:
    reader = row_reader(tmp_path, MANY)
    headers = HeaderReader(reader.paths)
    rows = set()
    for path in samples():
        try:
            cells, errors = reader.read(headers.read(path))
        except UnreadableObject:
            continue
        rows.add(path)
        assert len(cells) == len(reader.columns)
        empty = {
            column.name for column, cell in zip(reader.columns, cells, strict=True) if cell is None
        }
        assert {error.column for error in errors} <= empty
    assert rows >= set(good_samples)
