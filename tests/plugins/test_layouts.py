"""The bundled layouts name folders and files after attributes, and templates do as written."""

import pickle
from typing import Any

import pytest
from pydicom.dataset import Dataset

from pacsfw.dicom.header import FileHeader, HeaderReader
from pacsfw.plugins import PluginPlan, discover
from pacsfw_plugins.layouts import Template, pacsfw_layouts


def header(**attributes: Any) -> FileHeader:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return HeaderReader().of(dataset)


COMPLETE = header(
    PatientID="P/1", StudyInstanceUID="1.1", SeriesInstanceUID="1.2", SOPInstanceUID="1.3"
)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("PATIENT", ["P/1", "1.1", "1.2", "1.3.dcm"]),
        ("STUDY", ["1.1", "1.2", "1.3.dcm"]),
        ("SERIES", ["1.2", "1.3.dcm"]),
        ("IMAGE", ["1.3.dcm"]),
    ],
)
def test_the_four_documented_layouts_are_found_by_name(name: str, names: list[str]) -> None:
    layout = discover(PluginPlan()).build("layout", name, {})
    assert layout(COMPLETE) == names


def test_a_template_is_built_from_its_pattern() -> None:
    layout = discover(PluginPlan()).build("layout", "template", {"pattern": "{PatientID}.dcm"})
    assert layout(COMPLETE) == ["P/1.dcm"]


def test_an_absent_or_empty_patient_id_leaves_the_name_empty() -> None:
    layout = Template("{PatientID}/{SOPInstanceUID}.dcm")
    assert layout(header(SOPInstanceUID="1.3")) == ["", "1.3.dcm"]
    assert layout(header(SOPInstanceUID="1.3", PatientID=" ")) == ["", "1.3.dcm"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("{PatientID}_{StudyDate}/x", ["a/b_20200102", "x"]),
        ("{ImageType[1]}/{ImageType}", ["PRIMARY", "ORIGINAL\\PRIMARY"]),
        ("{AnatomicRegionSequence.CodeMeaning}", ["Chest"]),
        ("{AnatomicRegionSequence[1]CodeMeaning}", [""]),
        ('{(0029,"A/B",10)}/x', ["private", "x"]),
        ("{(0010,0020)}", ["a/b"]),
        ("{{{PatientID}}}", ["{a/b}"]),
        ("{SliceThickness}", ["1.50"]),
        ("{PatientName}", ["Doe^Jane"]),
        ("fixed/name.dcm", ["fixed", "name.dcm"]),
        ("a b/ c", ["a b", " c"]),
    ],
)
def test_a_pattern_is_filled_after_it_was_split(pattern: str, names: list[str]) -> None:
    item = Dataset()
    item.CodeMeaning = "Chest"
    filled = header(
        PatientID="a/b",
        StudyDate="20200102",
        ImageType=["ORIGINAL", "PRIMARY"],
        AnatomicRegionSequence=[item],
        SliceThickness="1.50",
        PatientName="Doe^Jane",
    )
    filled.dataset.private_block(0x0029, "A/B", create=True).add_new(0x10, "LO", "private")
    assert Template(pattern)(filled) == names


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{PatientNmae}/x", "unknown DICOM keyword 'PatientNmae' (did you mean 'PatientName'?)"),
        ("{PatientID!r}", "is not a tag path"),
        ("{PatientID:>10}", "is not a tag path"),
        ("{PatientID.__class__}", "is not a tag path"),
        ("{0}", "is not a tag path"),
        ("{}", "is not a tag path"),
        ("{PatientID", "unmatched brace at character 1"),
        ("a}", "unmatched brace at character 2"),
        ("{a{b}}", "unmatched brace at character 1"),
        ("{AnatomicRegionSequence}", "is a sequence, which has no text"),
        ("", "name 1 is ''"),
        ("/{PatientID}", "name 1 is ''"),
        ("{PatientID}/", "name 2 is ''"),
        ("{PatientID}//x", "name 2 is ''"),
        ("{PatientID}/../x", "name 2 is '..'"),
    ],
)
def test_a_malformed_pattern_is_refused_when_it_is_built(pattern: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Template(pattern)
    assert str(caught.value).startswith(f"pattern {pattern!r}: ")
    assert message in str(caught.value)


def test_a_template_can_go_to_another_process() -> None:
    layout = pickle.loads(pickle.dumps(Template("{PatientID}/{SOPInstanceUID}.dcm")))
    assert layout(COMPLETE) == ["P/1", "1.3.dcm"]


def test_every_layout_says_what_it_does() -> None:
    assert all(component.summary for component in pacsfw_layouts())
