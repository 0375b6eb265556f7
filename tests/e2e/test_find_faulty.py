"""Find against an archive that cuts answers short, ignores keys or aborts: all, or named."""

from __future__ import annotations

import re
from datetime import date

import pytest

from pacsfw.testing import population
from pacsfw.testing.population import BUSY_SECOND
from support.finding import assert_honest, between, dated, look, of_modality, questions

YEAR = date(2019, 12, 1), date(2021, 1, 31)
BUSY_DAY = date(2020, 7, 2)
AROUND = date(2020, 6, 20), date(2020, 7, 10)
ENDINGS = pytest.mark.parametrize("ending", [0x0000, 0xFE00, 0xA700], ids="{:04X}".format)
QUIET = {"StudyDate", "StudyTime"}


@pytest.fixture(scope="module")
def studies():
    return population(300)


@pytest.fixture(scope="module")
def few():
    """For what takes many questions."""
    return population(60, days=40)


@pytest.fixture(scope="module")
def many():
    return population(5000)


@pytest.fixture
def find(collection, faulty_pacs, capsys):
    """Finds what lies between two days; returns what came of it, the truth and the PACS."""

    def find(studies, days, *lines, modality=None, undated=False, **faults):
        pacs = faulty_pacs(studies, **faults)
        lines += (f"modality: {modality}",) if modality else ()
        lines += ("undated: true",) if undated else ()
        collected = collection(pacs, changes=between(*days, *lines))
        come = look(collected, lambda: capsys.readouterr().out)
        first, last = (f"{day:%Y%m%d}" for day in days)
        wanted = dated(studies, first, last)
        wanted += [study for study in studies if undated and not study.study_date]
        truth = frozenset(study.uid for study in wanted)
        if modality:
            truth &= of_modality(studies, modality)
        assert truth
        assert "rejected" not in pacs.counters, "more than one association at a time"
        return come, truth, pacs

    return find


def assert_all(come, truth):
    assert come.listed == truth
    assert come.proven
    assert come.code == 0


def test_without_a_limit_a_range_costs_three_questions_and_one_association(find, studies):
    come, truth, pacs = find(studies, YEAR)

    assert_all(come, truth)
    assert len(pacs.log) <= 3
    assert questions(pacs) == pacs.log
    assert pacs.counters["associations"] == 1


def test_the_questions_are_reported(find, studies):
    come, _, pacs = find(studies, YEAR)

    assert re.search(rf"^queries +{len(questions(pacs))}$", come.said, re.MULTILINE)


def test_ranges_of_one_day_cost_no_more(find, studies):
    come, truth, pacs = find(studies, (BUSY_DAY, BUSY_DAY))

    assert_all(come, truth)
    assert len(pacs.log) <= 3


@ENDINGS
def test_a_limit_loses_nothing(ending, find, studies):
    come, truth, pacs = find(studies, YEAR, cap=30, cap_status=ending)

    assert_all(come, truth)
    assert pacs.counters["associations"] == 1
    assert len(questions(pacs)) <= len(studies) / 30 * 5


@ENDINGS
def test_a_small_limit_loses_nothing_or_names_where(ending, find, studies):
    come, truth, pacs = find(studies, AROUND, cap=6, cap_status=ending)

    assert_honest(come, truth)
    assert come.listed == truth  # those without time are found by their PatientID
    assert set(re.findall(r"\d{4}-\d\d-\d\d", come.said)) <= {BUSY_DAY.isoformat()}
    assert pacs.counters["associations"] == 1


def test_a_limit_that_comes_before_the_modality_loses_nothing(find, studies):
    come, truth, _ = find(studies, YEAR, modality="MR", cap=30, cap_before_filter=True)

    assert_all(come, truth)


def test_what_one_second_hides_is_named(find):
    studies = population(120, days=3, busy=0.6, same_second=1.0, busy_day=date(2020, 1, 2))
    assert sum(study.study_time == BUSY_SECOND for study in studies) > 60

    ignored = {"PatientID", "AccessionNumber"}
    days = date(2020, 1, 1), date(2020, 1, 3)
    come, truth, _ = find(studies, days, cap=6, ignore_keys=ignored)

    assert_honest(come, truth)
    assert come.listed < truth
    assert "2020-01-02, StudyTime 10:30:00" in come.said


def test_studies_without_date_are_found_if_asked_for_or_doubted(find, few):
    come, truth, _ = find(few, YEAR, undated=True, cap=12)

    assert_honest(come, truth)
    assert "without a StudyDate" in come.said


@pytest.mark.parametrize("some", [False, True])
def test_some_studies_without_date_are_no_proof_of_all(find, studies, some):
    come, truth, _ = find(studies, YEAR, undated=True, open_ranges=True, some_undated=some)

    assert come.listed == truth
    assert not come.proven
    assert "nothing shows that there are no others" in come.said


def test_patients_are_asked_for_by_a_wildcard_where_no_key_is_refused(find, few):
    come, truth, _ = find(few, YEAR, models=("patient",), wild_patients=True)

    assert_honest(come, truth)
    assert come.listed >= {study.uid for study in few if study.patient_id} & truth


@pytest.mark.parametrize("unnamed", [False, True])
def test_a_refused_key_is_left_out_and_named(find, studies, unnamed):
    refused = frozenset({"ModalitiesInStudy", "NumberOfStudyRelatedInstances"})
    come, truth, pacs = find(studies, YEAR, refuse_keys=refused, unnamed=unnamed)

    assert_all(come, truth)
    assert "refuses these keys" in come.said
    assert "ModalitiesInStudy, NumberOfStudyRelatedInstances" in come.said
    assert len(questions(pacs)) < 20


@pytest.mark.parametrize("status", [0x0001, 0x0107, 0x0116, 0xB000])
def test_what_comes_with_a_warning_is_listed_and_not_proven(find, studies, status):
    come, truth, pacs = find(studies, YEAR, warn=status)

    assert come.listed == truth
    assert not come.proven
    assert f"{status:04X}" in come.said
    assert len(questions(pacs)) <= 4


@pytest.mark.parametrize("longest", [1, 31])
def test_studies_that_only_short_ranges_find_are_found(find, studies, longest):
    come, truth, _ = find(studies, YEAR, longest_range=longest)

    assert_honest(come, truth)
    assert come.listed == truth
    # No single day has more studies than the busiest one, so nothing proves that one.
    assert come.proven is (longest > 1)


def test_the_row_that_comes_with_the_success_is_one(find, studies):
    come, truth, pacs = find(studies, YEAR, last_with_success=True)

    assert_all(come, truth)
    assert len(questions(pacs)) <= 3


def test_studies_without_date_are_not_listed_if_not_asked_for(find, studies):
    come, truth, _ = find(studies, YEAR, open_ranges=True, cap=30)

    assert_all(come, truth)


@pytest.mark.parametrize(
    ("ignored", "is_provable"),
    [({"StudyDate"}, False), ({"StudyTime"}, True), (QUIET, False), ({"optional"}, True)],
    ids=["date", "time", "both", "optional"],
)
@pytest.mark.parametrize("cap", [None, 12])
def test_ignored_keys_hide_nothing(ignored, is_provable, cap, find, few):
    come, truth, _ = find(few, YEAR, modality="MR", ignore_keys=ignored, cap=cap)

    assert_honest(come, truth)
    assert len(come.listed) > len(truth) * 0.8
    if is_provable:
        assert_all(come, truth)


def test_the_modality_is_asked_of_the_series_where_studies_do_not_tell(find, studies):
    come, truth, pacs = find(studies, AROUND, modality="MR", no_optional_keys=True)

    assert_all(come, truth)
    assert len(questions(pacs)) <= 3
    studies_seen = len(dated(studies, "20200620", "20200710"))
    assert len(questions(pacs, "SERIES")) == studies_seen


def test_answers_that_are_aborted_are_asked_for_in_parts(find, studies):
    come, truth, pacs = find(studies, AROUND, abort_after=10, max_associations=64)

    assert_honest(come, truth)
    assert come.listed == truth
    assert pacs.counters["aborted"]


def test_a_pacs_with_patient_root_alone_is_asked_patient_by_patient(find):
    studies = population(60, days=30)
    days = date(2020, 1, 1), date(2020, 1, 30)
    come, truth, pacs = find(studies, days, models=("patient",))

    assert_honest(come, truth)
    # Without a PatientID a study cannot be asked for in this model.
    nameless = {study.uid for study in studies if not study.patient_id}
    assert come.listed == truth - nameless
    assert nameless & truth
    assert "some patients have an ID that a query cannot name" in come.said
    assert all(each.keys["PatientID"] for each in questions(pacs))


def test_a_pacs_with_patient_root_alone_loses_nobody_who_has_an_id(find):
    studies = [study for study in population(60, days=30) if study.patient_id]
    days = date(2020, 1, 1), date(2020, 1, 30)
    come, truth, _ = find(studies, days, models=("patient",))

    assert_honest(come, truth)
    assert come.listed == truth


@pytest.mark.full
@ENDINGS
@pytest.mark.parametrize("undated", [False, True], ids=["dated", "undated"])
@pytest.mark.parametrize("cap", [100, 500])
@pytest.mark.timeout(900)
def test_many_studies_behind_a_limit(cap, undated, ending, find, many):
    come, truth, pacs = find(many, YEAR, undated=undated, cap=cap, cap_status=ending)

    assert_honest(come, truth)
    if not undated:
        assert come.listed == truth
        assert set(re.findall(r"\d{4}-\d\d-\d\d", come.said)) <= {BUSY_DAY.isoformat()}
    assert pacs.counters["associations"] == 1


@pytest.mark.full
@pytest.mark.parametrize("cap", [None, 100, 500])
@pytest.mark.parametrize(
    "fault",
    [
        {"ignore_keys": {"StudyDate"}},
        {"ignore_keys": {"StudyTime"}},
        {"ignore_keys": QUIET},
        {"ignore_keys": {"optional"}},
        {"open_ranges": True},
        {"no_optional_keys": True},
    ],
    ids=["date", "time", "both", "optional", "open ranges", "no optional keys"],
)
@pytest.mark.timeout(900)
def test_many_studies_behind_other_faults(cap, fault, find, many):
    come, truth, _ = find(many, YEAR, modality="MR", cap=cap, **fault)

    assert_honest(come, truth)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_many_studies_behind_a_small_limit(find, many):
    come, truth, _ = find(many, YEAR, cap=30)

    assert_honest(come, truth)
