"""``find.filters``: what is understood, and what is refused where it stands."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from pacsfw.config import schema, shown, yaml_text
from pacsfw.config.model import Filter
from pacsfw.errors import PacsfwError
from pacsfw.plugins import PluginPlan

if TYPE_CHECKING:
    from conftest import Desk


def condition(desk: Desk, keyword: str, text: str, env: dict[str, str] | None = None) -> Filter:
    line = f"find: {{start_date: 20200101, filters: {{{keyword}: {text}}}}}\n"
    find = desk.load(line, env=env).config.find
    assert find is not None
    return find.filters[0]


@pytest.mark.parametrize(
    ("keyword", "text", "wanted"),
    [
        ("StudyDescription", '"*chest*"', ("*chest*",)),
        ("StudyDescription", "[CT Thorax, MR Herz]", ("CT Thorax", "MR Herz")),
        ("StudyDescription", "[a, a]", ("a",)),
        ("PatientID", "12345", ("12345",)),
        ("PatientID", "0012345", ("0012345",)),
        ("StudyDate", "20200131", ("20200131",)),
        ("StudyDate", "2020-01-31", ("20200131",)),
        ("StudyDate", "[20200101-20200131, 20210101-]", ("20200101-20200131", "20210101-")),
        ("PatientBirthDate", "-19691231", ("-19691231",)),
        ("StudyTime", "20:00-", ("2000-",)),
        ("StudyTime", "20", ("20",)),
        ("SeriesNumber", "3", ("3",)),
        ("PatientWeight", "72.5", ("72.5",)),
        ("ModalitiesInStudy", "[CT, MR]", ("CT", "MR")),
        ("StudyInstanceUID", "'1.2.3\\1.2.4'", ("1.2.3", "1.2.4")),
        ("StudyInstanceUID", "[1.2.3, 1.2.4]", ("1.2.3", "1.2.4")),
    ],
)
def test_values_are_texts_as_they_are_sent(
    desk: Desk, keyword: str, text: str, wanted: tuple[str, ...]
) -> None:
    assert condition(desk, keyword, text) == Filter(keyword=keyword, wanted=wanted)


def test_a_mapping_says_what_is_wanted_and_what_is_not(desk: Desk) -> None:
    assert condition(desk, "StudyDescription", "{is: ['*chest*', x], not: '*scout*'}") == Filter(
        keyword="StudyDescription", wanted=("*chest*", "x"), unwanted=("*scout*",)
    )
    assert condition(desk, "Modality", "{not: [SR, PR]}") == Filter(
        keyword="Modality", unwanted=("SR", "PR")
    )


def test_names_are_folded_unless_it_is_said_and_other_text_if_it_is(desk: Desk) -> None:
    assert condition(desk, "PatientName", "'Doe*'").fold
    assert condition(desk, "PatientName", "{not: 'Doe*'}").fold
    assert not condition(desk, "PatientName", "{is: 'Doe*', ignore_case: false}").fold
    assert not condition(desk, "StudyDescription", "chest").fold
    assert condition(desk, "BodyPartExamined", "{is: Chest, ignore_case: true}").fold


def test_the_order_is_kept_and_shown_values_load_again(desk: Desk) -> None:
    text = (
        "find: {start_date: 20200101, filters: {StudyID: 7, Modality: {not: SR}, PatientID: x}}\n"
    )
    config = desk.load(text).config
    assert config.find is not None
    assert [each.keyword for each in config.find.filters] == ["StudyID", "Modality", "PatientID"]
    again = desk.load(shown(config)).config.find
    assert again is not None
    assert again.filters == config.find.filters


def test_values_may_come_from_outside(desk: Desk) -> None:
    found = condition(desk, "PatientID", "['${A}', 'x${A}']", {"A": "007"})
    assert found.wanted == ("007", "x007")


REFUSED = [
    ("StudyDate: 202401*", "4:16", ": is not a date or a range of dates"),
    ("StudyDate: 202401", "4:16", ": is not a date or a range of dates"),
    ("StudyDate: [20240101, 20240231]", "4:27", "[1]: contains a day that does not exist"),
    ("StudyTime: 2000-0800", "4:16", ": is a range that ends before it begins; across midnight"),
    ("StudyInstanceUID: 1.2.*", "4:23", ": is not a UID"),
    ("StudyInstanceUID: 1.2", "4:23", ": is a number with a fraction or an exponent"),
    ("AccessionNumber: 1e3", "4:22", ": is a number with a fraction or an exponent"),
    ("SeriesNumber: {not: 1-5}", "4:25", ".not: is not a whole number"),
    ("PatientAge: '0*'", "4:17", ": is not an age"),
    (
        "ModalitiesInStudy: ct",
        "4:24",
        ": is not in upper case (code string, CS); or set `ignore_case: true`",
    ),
    ("PatientID: {is: 'a\\b'}", "4:21", ".is: contains a backslash"),
    ("PatientID: ' '", "4:16", ": is empty"),
    ("PatientID: ''", "4:16", ": '' is not a condition (a value, a list of values, or a mapping"),
    ("PatientID: []", "4:16", ": a list is not a condition"),
    ("PatientID: [x, []]", "4:20", "[1]: a list is not a value to match"),
    ("PatientID: true", "4:16", ": true is not a condition"),
    ("PatientID: {}", "4:16", ": a mapping is not a condition"),
    ("PatientID: {ignore_case: true}", "4:16", ": a mapping is not a condition"),
    ("PatientID: {is: []}", "4:21", ".is: a list is not a value or a list of values"),
    ("PatientID: {is: x, nto: y}", "4:24", ".nto: unknown key (did you mean 'not'?)"),
    ("PatientID: {is: x, ignore_case: 1}", "4:37", ".ignore_case: 1 is not true or false"),
    (
        "StudyDate: {is: 20200101, ignore_case: true}",
        "4:44",
        ".ignore_case: StudyDate (DA) is not text and has no case",
    ),
    (
        "PatientNmae: x",
        "4:5",
        ": 'PatientNmae' is not a DICOM keyword (did you mean 'PatientName'?)",
    ),
    ("patientid: x", "4:5", ": 'patientid' is not a DICOM keyword (did you mean 'PatientID'?)"),
    (
        "SliceThicknes: 1",
        "4:5",
        ": 'SliceThicknes' is not a DICOM keyword (did you mean 'SliceThickness'?)",
    ),
    (
        "SliceThickness: 1",
        "4:5",
        (
            ": 'SliceThickness' is not an attribute of patients, studies or series, "
            "which find queries"
        ),
    ),
    (
        "RequestAttributesSequence: x",
        "4:5",
        ": 'RequestAttributesSequence' is a sequence and has no value to match",
    ),
]


@pytest.mark.parametrize(("text", "at", "why"), REFUSED)
def test_a_fault_is_one_line(desk: Desk, text: str, at: str, why: str) -> None:
    lines = desk.refusal(f"find:\n  start_date: 20200101\n  filters:\n    {text}\n")
    keyword = text.partition(":")[0]
    assert len(lines) == 1
    assert lines[0].startswith(f"conf.yaml:{at}: find.filters.{keyword}{why}")


def test_no_value_that_may_name_a_patient_is_repeated(desk: Desk) -> None:
    text = '{PatientName: "Sec\\tret", PatientBirthDate: 1970-02-31, PatientID: 4711.5}'
    lines = desk.refusal(f"find: {{start_date: 20200101, filters: {text}}}\n")
    assert len(lines) == 3
    assert not any(word in "".join(lines) for word in ("Sec", "1970", "4711"))


@pytest.mark.parametrize("shape", ["", "5", "x", "[]", "{}", "[{}]", "{x: 1}", "[[]]", "'${X}'"])
@pytest.mark.parametrize("place", ["filters: {}", "filters: {{PatientID: {}}}", "{}: x"])
def test_no_shape_ends_in_a_traceback(desk: Desk, place: str, shape: str) -> None:
    for around in ("{}", "filters: {{PatientID: {{is: {}}}}}", "filters: {{PatientID: [{}]}}"):
        with suppress(PacsfwError):
            desk.load(f"find: {{start_date: 20200101, {around.format(place.format(shape))}}}\n")


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("{PatientID: x}", True),
        ("{PatientID: [x, 5]}", True),
        ("{PatientID: {is: x, not: [y], ignore_case: true}}", True),
        ("{PatientID: {ignore_case: true}}", False),
        ("{PatientID: [[x]]}", False),
        ("[PatientID]", False),
    ],
)
def test_the_schema_for_editors_agrees(desk: Desk, text: str, good: bool) -> None:
    tree = yaml_text.read(f"find: {{start_date: 20200101, filters: {text}}}", "c").tree
    assert Draft202012Validator(schema(desk.registry_for(PluginPlan()))).is_valid(tree) == good
