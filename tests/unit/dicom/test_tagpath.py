"""Tag paths point at one value, and say so when they cannot."""

import pickle
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from pacsfw.dicom.dictionary import tag_of
from pacsfw.dicom.tagpath import ABSENT, parse


def item(**attributes: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.fixture
def dataset() -> Dataset:
    codes = [item(CodeValue="A", CodingSchemeDesignator="S1"), item(CodingSchemeDesignator="S2")]
    dataset = item(
        PatientName="Doe^Jane",
        PatientID="",
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
        Rows=512,
        DeidentificationMethodCodeSequence=codes,
        AnatomicRegionSequence=[],
        ProcedureCodeSequence=[item(PurposeOfReferenceCodeSequence=[item(CodeValue="deep")])],
    )
    dataset.private_block(0x0029, "FIRST", create=True).add_new(0x10, "LO", "one")
    dataset.private_block(0x0029, "SEC.OND (2)", create=True).add_new(0x10, "LO", "two")
    dataset.private_block(0x0029, "SEC.OND (2)").add_new(0x11, "SQ", [item(Rows=7)])
    dataset.add_new(0x60020010, "US", 99)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    return dataset


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("PatientName", "Doe^Jane"),
        ("(0010,0010)", "Doe^Jane"),
        ("00100010", "Doe^Jane"),
        ("(0010, 0010)", "Doe^Jane"),
        ("PatientID", ""),
        ("Rows", 512),
        ("Rows[0]", 512),
        ("Rows[1]", ABSENT),
        ("Columns", ABSENT),
        ("ImageType[2]", "AXIAL"),
        ("ImageType[3]", ABSENT),
        ("DeidentificationMethodCodeSequence.CodeValue", "A"),
        ("DeidentificationMethodCodeSequence[0].CodeValue", "A"),
        ("DeidentificationMethodCodeSequence[1].CodingSchemeDesignator", "S2"),
        ("DeidentificationMethodCodeSequence[1]CodingSchemeDesignator", "S2"),
        ("DeidentificationMethodCodeSequence[1].CodeValue", ABSENT),
        ("DeidentificationMethodCodeSequence[2].CodeValue", ABSENT),
        ("(0012,0064)[1](0008,0102)", "S2"),
        ("AnatomicRegionSequence.CodeValue", ABSENT),
        ("AnatomicRegionSequence", []),
        ("AnatomicRegionSequence[0]", ABSENT),
        ("ProcedureCodeSequence.PurposeOfReferenceCodeSequence.CodeValue", "deep"),
        ("PerformedProtocolCodeSequence.PurposeOfReferenceCodeSequence.CodeValue", ABSENT),
        ("PatientName.FamilyName", "Doe"),
        ("PatientName.Alphabetic", "Doe^Jane"),
        ("PatientName.Phonetic.GivenName", ""),
        ("PatientName[0].GivenName", "Jane"),
        ("PatientName[1].GivenName", ABSENT),
        ("ImageType[*]", ["ORIGINAL", "PRIMARY", "AXIAL"]),
        ("Rows[*]", [512]),
        ("DeidentificationMethodCodeSequence[*].CodeValue", ["A", None]),
        ("AnatomicRegionSequence[*].CodeValue", []),
        ("PerformedProtocolCodeSequence[*].CodeValue", ABSENT),
        ("ProcedureCodeSequence[*].PurposeOfReferenceCodeSequence[*].CodeValue", ["deep"]),
        ('(0029,"THIRD",*)', ABSENT),
        ('(0029,"FIRST",10)', "one"),
        ('(0029,"SEC.OND (2)",10)', "two"),
        ('(0029,"SEC.OND (2)",11).Rows', 7),
        ('(0029,"FIRST",11)', ABSENT),
        ('(0029,"THIRD",10)', ABSENT),
        ('(0029,"FIRST",10).Rows', ABSENT),
        ("(0029,1010)", "one"),
        ("(6002,0010)", 99),
        ("TransferSyntaxUID", "1.2.840.10008.1.2.1"),
        ("MediaStorageSOPClassUID", ABSENT),
    ],
)
def test_a_path_leads_to_the_value_or_to_absent(dataset: Dataset, text: str, value: Any) -> None:
    found = parse(text).get(dataset)
    assert (found is ABSENT) if value is ABSENT else (found == value)


def test_an_indexed_sequence_gives_the_item(dataset: Dataset) -> None:
    found = parse("DeidentificationMethodCodeSequence[1]").get(dataset)
    assert found is dataset.DeidentificationMethodCodeSequence[1]


def test_a_creator_may_have_reserved_several_blocks() -> None:
    dataset = item()
    dataset.add_new(0x00290010, "LO", "X")
    dataset.add_new(0x00290011, "LO", "X")
    dataset.add_new(0x00291105, "LO", "in the second block")
    assert parse('(0029,"X",05)').get(dataset) == "in the second block"


def test_group_two_is_absent_without_file_meta() -> None:
    assert parse("TransferSyntaxUID").get(item()) is ABSENT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("PatientNmae", "unknown DICOM keyword 'PatientNmae' (did you mean 'PatientName'?)"),
        ("patientid", "unknown DICOM keyword 'patientid' (did you mean 'PatientID'?)"),
        ("Patient_Name", "unknown DICOM keyword 'Patient_Name' (did you mean 'PatientName'?)"),
        ("Qqqqqqqqqq", "unknown DICOM keyword 'Qqqqqqqqqq'"),
        (
            "AnatomicRegionSequence.CodeMeanin",
            "unknown DICOM keyword 'CodeMeanin' (did you mean 'CodeMeaning'?)",
        ),
        (
            "PatientName.CodeValue",
            (
                "'PatientName.CodeValue': an element of VR PN contains no other elements; "
                "only sequences have items"
            ),
        ),
        (
            "OverlayRows",
            (
                "the DICOM keyword 'OverlayRows' applies to several elements: "
                "use the tag of one of them, such as (6000,0010)"
            ),
        ),
        ('(0028,"X",10)', "'(0028,\"X\",10)': private elements must have an odd group number"),
    ],
)
def test_a_path_that_makes_no_sense_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 1), (" PatientName", 1), ("PatientName ", 12), ("PatientName.", 13), (".Rows", 1),
        ("ImageType[]", 10), ("ImageType[-1]", 10), ("ImageType[**]", 10), ("ImageType[1", 10),
        ("ImageType[1][2]", 13), ("(0010,001)", 1), ("0010001", 1), ('(0029,"",10)', 1),
        ('(0029,"X",1010)', 1), ("ImageType[0]..Rows", 14),
    ],
)  # fmt: skip
def test_a_malformed_path_is_refused_with_the_place(text: str, position: int) -> None:
    with pytest.raises(
        ValueError, match=rf"expected at character {position}: a keyword, .* with an optional index"
    ):
        parse(text)


def test_a_path_can_go_to_another_process() -> None:
    path = parse('DeidentificationMethodCodeSequence[1](0029,"X",10)')
    copy = pickle.loads(pickle.dumps(path))
    assert copy == path
    assert str(copy) == path.text
    assert pickle.loads(pickle.dumps(ABSENT)) is ABSENT


def test_the_vr_of_a_path_is_that_of_its_last_element() -> None:
    assert parse("AnatomicRegionSequence").vr == "SQ"
    assert parse("AnatomicRegionSequence.CodeValue").vr == "SH"
    assert parse('(0029,"X",10)').vr == ""


def test_keywords_have_tags() -> None:
    assert tag_of("PatientID") == 0x00100020
