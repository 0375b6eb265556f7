"""Filters: what a row has to be, and what of it may be asked of a PACS."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacsfw.api import Profile
from pacsfw.config.model import Filter
from pacsfw.dicom.matching import matches
from pacsfw.steps.find.filters import (
    accepts,
    accepts_series,
    capitals_decide,
    may_send,
    pushed,
    series_filters,
    study_filters,
)

PROVEN = Profile(before_limit=frozenset({"ModalitiesInStudy", "StudyDescription", "PatientWeight"}))


def wants(keyword: str, *values: str, **more: Any) -> Filter:
    return Filter(keyword=keyword, wanted=values, **more)


def refuses(keyword: str, *values: str) -> Filter:
    return Filter(keyword=keyword, unwanted=values)


def test_filters_are_split_by_level() -> None:
    filters = (wants("PatientID", "1"), wants("Modality", "CT"), wants("StudyID", "2"))
    assert study_filters(filters) == (filters[0], filters[2])
    assert series_filters(filters) == (filters[1],)


def test_one_wanted_value_is_enough_and_every_filter_has_to_match() -> None:
    filters = [wants("StudyDescription", "*chest*", "*thorax*"), refuses("PatientSex", "F", "O")]
    assert accepts(filters, {"StudyDescription": "CT thorax", "PatientSex": "M"})
    assert not accepts(filters, {"StudyDescription": "CT thorax", "PatientSex": "O"})
    assert not accepts(filters, {"StudyDescription": "CT skull", "PatientSex": "M"})


@pytest.mark.parametrize("attributes", [{}, {"StudyDescription": ""}, {"StudyDescription": "\\"}])
def test_an_empty_attribute_is_neither_wanted_nor_unwanted(attributes: dict[str, str]) -> None:
    assert not accepts([wants("StudyDescription", "*")], attributes)
    assert accepts([refuses("StudyDescription", "*")], attributes)
    assert accepts([], attributes)


def test_one_value_of_several_is_enough_to_match() -> None:
    attributes = {"ModalitiesInStudy": "CT\\SR"}
    assert accepts([wants("ModalitiesInStudy", "SR")], attributes)
    assert not accepts([refuses("ModalitiesInStudy", "SR")], attributes)


def test_a_backslash_in_a_long_text_is_text() -> None:
    assert accepts([wants("PatientComments", "a\\b")], {"PatientComments": "a\\b"})
    assert not accepts([wants("PatientComments", "b")], {"PatientComments": "a\\b"})


def test_only_folded_filters_disregard_case_and_accents() -> None:
    attributes = {"PatientName": "MÜLLER^Änne", "StudyDescription": "Schädel"}
    assert accepts([wants("PatientName", "muller*", fold=True)], attributes)
    assert not accepts([wants("PatientName", "muller*")], attributes)
    assert accepts([wants("StudyDescription", "schadel", fold=True)], attributes)
    assert not accepts([wants("StudyDescription", "schädel")], attributes)


def test_what_capitals_or_accents_alone_decide_is_told() -> None:
    filters = [wants("StudyDescription", "*chest*"), refuses("StudyID", "a*")]
    assert capitals_decide(filters, {"StudyDescription": "CT CHEST"}) == "StudyDescription"
    assert capitals_decide(filters, {"StudyDescription": "CT chest", "StudyID": "A1"}) == "StudyID"
    assert capitals_decide(filters, {"StudyDescription": "CT chest", "StudyID": "b"}) == ""
    assert capitals_decide([], {"StudyDescription": "CT CHEST"}) == ""


def test_ranges_and_numbers_match_as_such() -> None:
    filters = [wants("PatientBirthDate", "-19691231"), wants("NumberOfStudyRelatedSeries", "3")]
    row = {"PatientBirthDate": "19500101", "NumberOfStudyRelatedSeries": "03"}
    assert accepts(filters, row)
    assert not accepts(filters, {**row, "PatientBirthDate": "19700101"})


CT_HEAD = {"Modality": "CT", "BodyPartExamined": "HEAD"}
MR_KNEE = {"Modality": "MR", "BodyPartExamined": "KNEE"}


def test_one_series_has_to_be_all_that_is_wanted() -> None:
    filters = [wants("Modality", "CT"), wants("BodyPartExamined", "KNEE")]
    assert not accepts_series(filters, [CT_HEAD, MR_KNEE])
    assert accepts_series(filters, [CT_HEAD, {"Modality": "CT", "BodyPartExamined": "KNEE"}])
    assert not accepts_series(filters, [])


def test_no_series_may_be_what_is_not_wanted() -> None:
    filters = [wants("Modality", "CT"), refuses("BodyPartExamined", "KNEE")]
    assert accepts_series(filters, [CT_HEAD])
    assert not accepts_series(filters, [CT_HEAD, MR_KNEE])
    assert not accepts_series(filters, [MR_KNEE, CT_HEAD])
    assert accepts_series([refuses("Modality", "SR")], [])


def test_keys_that_every_archive_matches_are_sent() -> None:
    filters = [wants("PatientID", "12*"), wants("AccessionNumber", "A1"), wants("StudyID", "7")]
    keys = {"PatientID": "12*", "AccessionNumber": "A1", "StudyID": "7"}
    assert pushed(filters, Profile()) == [keys]


def test_optional_keys_are_sent_only_if_proven() -> None:
    filters = [wants("StudyDescription", "*CHEST*"), wants("ModalitiesInStudy", "CT")]
    assert pushed(filters, Profile()) == [{}]
    assert pushed(filters, PROVEN) == [{"StudyDescription": "*CHEST*", "ModalitiesInStudy": "CT"}]


@pytest.mark.parametrize(
    "each",
    [
        wants("StudyDate", "20200101"),
        wants("StudyTime", "10-12"),
        wants("Modality", "CT"),
        wants("PatientName", "DOE*"),
        wants("PatientWeight", "72.5"),
        wants("StudyDescription", "*chest*", fold=True),
        wants("StudyDescription", "Schädel*"),
        wants("StudyDescription", "Sch?del"),
        wants("StudyDescription", "*"),
        wants("StudyDescription", "CHEST", "Thorax é"),
        refuses("PatientID", "1"),
    ],
)
def test_what_an_archive_may_match_more_narrowly_is_not_sent(each: Filter) -> None:
    profile = Profile(before_limit=frozenset({each.keyword}), folds_case=True)
    assert pushed([each], profile) == [{}]


def test_what_is_not_wanted_does_not_keep_what_is_wanted_from_being_sent() -> None:
    both = Filter(keyword="PatientID", wanted=("A*",), unwanted=("A1",))
    assert pushed([both], Profile()) == [{"PatientID": "A*"}]


def test_a_key_that_the_pacs_ignores_is_not_sent() -> None:
    ignoring = Profile(ignored=frozenset({"AccessionNumber"}))
    assert pushed([wants("AccessionNumber", "A1", "A2")], ignoring) == [{}]


def test_several_values_become_alternatives() -> None:
    filters = [wants("ModalitiesInStudy", "CT", "MR"), wants("PatientID", "1")]
    assert pushed(filters, PROVEN) == [
        {"PatientID": "1", "ModalitiesInStudy": "CT"},
        {"PatientID": "1", "ModalitiesInStudy": "MR"},
    ]


def test_of_several_lists_the_shortest_is_asked() -> None:
    filters = [wants("PatientID", "1", "2", "3"), wants("ModalitiesInStudy", "CT", "MR")]
    assert [set(each) for each in pushed(filters, PROVEN)] == [{"ModalitiesInStudy"}] * 2


def test_each_uid_is_asked_on_its_own_and_before_other_lists() -> None:
    filters = [wants("StudyInstanceUID", "1.2.0", "1.2.1", "1.2.2"), wants("PatientID", "1", "2")]
    assert pushed(filters, Profile()) == [
        {"StudyInstanceUID": uid} for uid in ("1.2.0", "1.2.1", "1.2.2")
    ]


VALUES = st.text(alphabet="aAäÄ1*?", min_size=1, max_size=4)
KEYWORDS = st.sampled_from(["PatientID", "PatientName", "StudyDescription", "AccessionNumber"])
FILTERS = st.lists(
    st.builds(
        Filter,
        keyword=KEYWORDS,
        wanted=st.lists(VALUES, max_size=3).map(tuple),
        unwanted=st.lists(VALUES, max_size=2).map(tuple),
        fold=st.booleans(),
    ),
    max_size=4,
    unique_by=lambda each: each.keyword,
)
ROWS = st.dictionaries(KEYWORDS, st.text(alphabet="aAäÄ1", max_size=4))


@given(filters=FILTERS, row=ROWS)
def test_every_row_that_is_accepted_is_asked_for(
    filters: list[Filter], row: dict[str, str]
) -> None:
    profile = Profile(before_limit=frozenset({"StudyDescription"}))
    alternatives = pushed(filters, profile)
    assert alternatives
    assert all(may_send(*item, profile) for keys in alternatives for item in keys.items())
    if accepts(filters, row):
        # An archive that matches exactly, as PS3.4 C.2.2.2 has it for all but names.
        assert any(
            all(matches("LO", value, [row.get(keyword, "")]) for keyword, value in keys.items())
            for keys in alternatives
        )
