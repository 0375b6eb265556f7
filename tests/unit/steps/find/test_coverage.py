"""Whatever an archive holds and however it cuts its answers: all is found, or it is named."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacsfw.api import QueryResult
from pacsfw.errors import RemoteError
from pacsfw.steps.find.cohort import Member
from pacsfw.steps.find.criteria import Criteria
from pacsfw.steps.find.questions import REFUSALS
from support.archive import Archive, looked_for, study

FIRST, LAST = date(2020, 1, 1), date(2020, 12, 31)
YEAR = Criteria(start=FIRST, end=LAST, modality="", search_fields=())


def day(number: int) -> str:
    return f"{FIRST + timedelta(days=number):%Y%m%d}"


def spread(count: int) -> list[dict[str, str]]:
    return [study(f"1.{number}", StudyDate=day(number * 7 % 366)) for number in range(count)]


dates = st.one_of(
    st.integers(0, 365).map(day), st.sampled_from(["20200702", "20200702", "20200703", ""])
)
times = st.one_of(
    st.sampled_from(["", "120000", "120000.5", "120000.999999", "1200", "12", "235959.9"]),
    st.tuples(st.integers(0, 23), st.integers(0, 59), st.integers(0, 59)).map(
        lambda time: "{:02}{:02}{:02}".format(*time)
    ),
)
patients = st.sampled_from(["", "A1", "A2", "B1", "b1", "ÄÖ", "7", "70", "x y", "A*", "0001"])
archives = st.lists(st.tuples(dates, times, patients), max_size=24).map(
    lambda rows: [
        study(f"1.{number}", StudyDate=when, StudyTime=time, PatientID=patient)
        for number, (when, time, patient) in enumerate(rows)
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    rows=archives,
    cap=st.one_of(st.none(), st.integers(3, 12)),
    cap_status=st.sampled_from([0x0000, 0xFE00, 0xA700]),
    ignores=st.sets(st.sampled_from(["StudyDate", "StudyTime", "PatientID"]), max_size=2),
    open_ranges=st.booleans(),
    leaves_out=st.sampled_from(["", "first", "last"]),
    undated=st.booleans(),
)
def test_everything_is_found_or_named(
    rows, cap, cap_status, ignores, open_ranges, leaves_out, undated
):
    archive = Archive(rows, cap, cap_status, frozenset(ignores), open_ranges, leaves_out)
    wanted = {row["StudyInstanceUID"] for row in rows if row["StudyDate"] or undated}
    criteria = Criteria(start=FIRST, end=LAST, modality="", search_fields=(), undated=undated)

    with tempfile.TemporaryDirectory() as state:
        came = looked_for(archive, criteria, Path(state))

    assert came.uids <= wanted
    assert came.uids == wanted or came.unproven


@settings(max_examples=30, deadline=None)
@given(rows=archives, cap=st.one_of(st.none(), st.integers(3, 12)))
def test_everything_is_found_or_named_patient_by_patient(rows, cap):
    archive = Archive(rows, cap)
    wanted = {row["StudyInstanceUID"] for row in rows if row["StudyDate"]}

    with tempfile.TemporaryDirectory() as state:
        came = looked_for(archive, YEAR, Path(state), requires_patient_id=True)

    assert came.uids <= wanted
    assert came.uids == wanted or came.unproven


@pytest.mark.parametrize("status", [0x0000, 0xFE00, 0xA700])
def test_what_a_cap_hides_is_found_and_proven(tmp_path, status):
    archive = Archive(spread(200), cap=10, cap_status=status)

    came = looked_for(archive, YEAR, tmp_path)

    assert len(came.uids) == 200
    assert came.unproven == []


@pytest.mark.parametrize("bound", ["first", "last"])
@pytest.mark.parametrize("cap", [None, 10])
def test_ranges_that_leave_out_a_bound_lose_nothing(tmp_path, cap, bound):
    archive = Archive(spread(200), cap=cap, leaves_out=bound)

    came = looked_for(archive, YEAR, tmp_path)

    assert (len(came.uids), came.unproven) == (200, [])


def test_ranges_that_have_shown_both_bounds_are_asked_as_they_are(tmp_path):
    rows = spread(366)
    archive = Archive([*rows, study("2.1", StudyDate="20191231"), study("2.2", StudyDate=day(366))])

    looked_for(archive, YEAR, tmp_path)

    asked = [question.match["StudyDate"] for question in archive.asked]
    assert asked[0] == "20191231-20210101"
    assert asked[1].startswith("20200101-")
    assert asked[2].endswith("-20201231")


def test_without_a_cap_a_range_costs_three_questions(tmp_path):
    archive = Archive(spread(200))

    came = looked_for(archive, YEAR, tmp_path)

    assert (len(came.uids), came.unproven) == (200, [])
    assert len(archive.asked) == 3


def test_parts_that_are_only_compared_ask_nothing_back_that_is_not_needed(tmp_path):
    archive = Archive(spread(200))

    looked_for(archive, YEAR, tmp_path)

    whole, *parts = archive.asked
    assert "ModalitiesInStudy" in whole.returns
    assert [part.returns for part in parts] == [("StudyDate", "StudyTime")] * 2


def test_parts_that_bring_what_the_whole_lacks_are_asked_again_in_full(tmp_path):
    archive = Archive(spread(30), cap=20)

    came = looked_for(archive, YEAR, tmp_path)

    assert len(came.uids) == 30
    short = [question.match for question in archive.asked if len(question.returns) == 2]
    full = [question.match for question in archive.asked if len(question.returns) > 2]
    assert all(match in full for match in short)


def test_one_day_costs_two_questions_where_other_days_have_more(tmp_path):
    archive = Archive(spread(200) + [study(f"2.{n}", StudyTime=f"10{n:02}00") for n in range(9)])
    one_day = Criteria(
        start=date(2020, 6, 15), end=date(2020, 6, 15), modality="", search_fields=()
    )

    came = looked_for(archive, one_day, tmp_path)

    assert (len(came.uids), came.unproven) == (10, [])
    assert len(archive.asked) == 2
    assert archive.asked[1].max_rows == 11


def test_a_single_study_needs_no_proof(tmp_path):
    alone = Archive([study()])

    assert looked_for(alone, YEAR, tmp_path).uids == {"1.2"}
    assert len(alone.asked) == 1


def test_an_empty_answer_is_proven_where_a_wider_range_finds_something(tmp_path):
    archive = Archive([study(StudyDate="20210302")])

    came = looked_for(archive, YEAR, tmp_path)

    assert (came.uids, came.unproven) == (frozenset(), [])
    assert len(archive.asked) == 2
    assert archive.asked[1].max_rows


def test_an_empty_archive_proves_nothing(tmp_path):
    archive = Archive([])

    came = looked_for(archive, YEAR, tmp_path)

    ((_, reason),) = came.unproven
    assert "no other query returned a study" in reason
    assert all(question.match.get("StudyDate") for question in archive.asked)


@pytest.mark.parametrize("longest", [1, 7, 31, 200])
def test_studies_that_only_short_ranges_find_are_all_found(tmp_path, longest):
    archive = Archive(spread(9), longest_range=longest)

    came = looked_for(archive, YEAR, tmp_path)

    assert (len(came.uids), came.unproven) == (9, [])


def test_days_known_from_earlier_searches_show_that_ranges_find_nothing(tmp_path):
    rows = [*spread(9), *(study(f"2.{n}", StudyDate=f"19990{n}05") for n in range(1, 9))]
    old = Criteria(start=date(1999, 1, 5), end=date(1999, 1, 5), modality="", search_fields=())
    looked_for(Archive(rows), old, tmp_path)
    archive = Archive(rows, longest_range=1)

    years = Criteria(start=date(1999, 1, 1), end=date(2000, 12, 31), modality="", search_fields=())
    came = looked_for(archive, years, tmp_path)

    assert {f"2.{n}" for n in range(1, 9)} <= came.uids
    assert came.unproven == []


def test_a_cohort_of_which_nothing_is_found_is_proven_where_its_key_finds_others(tmp_path):
    members = [Member(1, "c.csv:2", {"AccessionNumber": "B1"})]
    wanted = Criteria(
        start=None, end=None, modality="", search_fields=(), members=members, has_cohort=True
    )

    assert looked_for(Archive(spread(9)), wanted, tmp_path / "finds").unproven == []

    class Blind(Archive):
        def _matches(self, question, row):
            return "AccessionNumber" not in question.match and super()._matches(question, row)

    assert looked_for(Blind(spread(9)), wanted, tmp_path / "blind").unproven


@pytest.mark.parametrize("status", [0x0001, 0x0107, 0x0116, 0xB000, 0xBFFF])
@pytest.mark.parametrize("count", [0, 3, 200])
def test_where_every_answer_warns_the_rows_count_and_nothing_is_proven(tmp_path, status, count):
    archive = Archive(spread(count), warns=status)

    came = looked_for(archive, YEAR, tmp_path)

    assert len(came.uids) == count
    assert [reason for _, reason in came.unproven] == [f"{status:04X}"]
    assert len(archive.asked) <= 3


@pytest.mark.parametrize("status", [0xB000, 0xB001])
def test_a_limit_that_is_a_warning_hides_nothing(tmp_path, status):
    archive = Archive(spread(200), cap=10, cap_status=status)

    assert len(looked_for(archive, YEAR, tmp_path).uids) == 200


def test_studies_of_one_second_are_told_apart_by_patient(tmp_path):
    rows = spread(50) + [study(f"2.{n}", PatientID=f"{n:03}") for n in range(40)]

    came = looked_for(Archive(rows, cap=10), YEAR, tmp_path)

    assert len(came.uids) == 90
    reasons = " ".join(reason for _, reason in came.unproven)
    assert "PatientID is empty or begins otherwise" in reasons
    assert "without a StudyTime" in reasons


def test_an_archive_that_counts_empty_times_as_early_leaves_no_hole(tmp_path):
    rows = spread(50) + [study(f"2.{n}", StudyTime=f"10{n:02}00") for n in range(40)]
    rows.append(study("3.1", StudyTime=""))

    came = looked_for(Archive(rows, cap=10, open_ranges=True), YEAR, tmp_path)

    assert (len(came.uids), came.unproven) == (91, [])


@pytest.mark.parametrize("cap", [None, 20])
def test_some_undated_studies_are_no_proof_of_all(tmp_path, cap):
    """An open range finds those with an empty date, but not those without the attribute."""

    class ByIndex(Archive):
        def _matches(self, question, row):
            dates = question.match.get("StudyDate", "")
            return not (dates and row.get("Lacks")) and super()._matches(question, row)

    rows = [*spread(50), *(study(f"2.{n}", StudyDate="") for n in range(5))]
    rows += [study("3.1", StudyDate="", Lacks="StudyDate")]
    criteria = Criteria(start=FIRST, end=LAST, modality="", search_fields=(), undated=True)

    came = looked_for(ByIndex(rows, cap=cap, open_ranges=True), criteria, tmp_path)

    assert len(came.uids) == (56 if cap is None else 55)
    assert [reason for _, reason in came.unproven if "nothing shows" in reason]


def test_undated_studies_are_proven_where_they_are_few(tmp_path):
    rows = [study("2.1", StudyDate="")]
    members = [Member(1, "c.csv:2", {"AccessionNumber": "A2.1"})]
    criteria = Criteria(
        start=FIRST, end=LAST, modality="", search_fields=(), undated=True, has_cohort=True,
        members=members,
    )  # fmt: skip

    came = looked_for(Archive([*spread(50), *rows], open_ranges=True), criteria, tmp_path)

    assert (came.uids, came.unproven) == ({"2.1"}, [])


def test_whole_answers_need_no_proof_where_there_is_no_limit(tmp_path):
    rows = [study(f"1.{n}", StudyDate="20200301", StudyTime="12") for n in range(30)]
    rows += [study(f"2.{n}", StudyDate="") for n in range(5)]
    criteria = Criteria(start=FIRST, end=LAST, modality="", search_fields=(), undated=True)
    archive = Archive(rows, is_unlimited=True)

    came = looked_for(archive, criteria, tmp_path)

    assert (len(came.uids), came.unproven, len(archive.asked)) == (35, [], 2)


def test_a_date_that_is_none_does_not_stand_for_the_undated_studies(tmp_path):
    """``00000000`` matches a range of early dates wherever an empty date does not."""
    rows = [*spread(8), study("2.1", StudyDate="00000000"), study("2.2", StudyDate="")]
    criteria = Criteria(start=FIRST, end=LAST, modality="", search_fields=(), undated=True)

    class ByText(Archive):
        def _matches(self, question, row):
            if row["StudyDate"] == "00000000" and "StudyDate" in question.match:
                return question.match["StudyDate"].startswith("-")
            return super()._matches(question, row)

    came = looked_for(ByText(rows), criteria, tmp_path)

    assert came.uids == {row["StudyInstanceUID"] for row in rows}


def test_rows_that_come_twice_make_no_limit_look_higher(tmp_path):
    """The limit counts studies, of which some have two rows: it is 5 and never 10."""

    class Twice(Archive):
        def put(self, question, emit):
            def twice(found):
                for _ in range(1 + (found.attributes["StudyDate"] < "20200201")):
                    emit(found)

            return super().put(question, twice)

    january = [study(f"1.{n}", StudyDate=f"202001{n + 1:02}") for n in range(9)]
    rows = [*january, *(study(f"2.{n}", StudyDate=day(100 + 20 * n)) for n in range(9))]

    came = looked_for(Twice(rows, cap=5), YEAR, tmp_path)

    assert (len(came.uids), came.unproven) == (18, [])


def test_identifiers_of_any_length_are_no_way_to_overthrow_the_search(tmp_path):
    rows = [
        study(f"1.{n}", PatientID="A" * 3000 + str(n), AccessionNumber="B" * 3000, StudyTime="")
        for n in range(6)
    ]

    came = looked_for(Archive(rows, cap=3, cap_status=0xFE00), YEAR, tmp_path)

    assert came.unproven


def test_a_study_that_comes_while_we_ask_is_growth_and_no_limit(tmp_path):
    archive = Archive(spread(30))
    rows = archive.rows

    def arrive(number):
        if number == 1:
            archive.rows = [*rows, study("2.1", StudyDate="20200103")]

    archive.before = arrive

    came = looked_for(archive, YEAR, tmp_path)

    assert len(came.uids) == 31
    assert came.unproven == []


def test_growth_is_no_excuse_for_a_limit(tmp_path):
    many = [study(f"1.{number}", StudyDate="20200701") for number in range(14)]
    archive = Archive(many, cap=12)

    def grow(number: int) -> None:
        if number in (1, 2, 3):
            archive.rows = [study(f"2.{number}", StudyDate="20200701"), *archive.rows]

    archive.before = grow
    two_days = Criteria(
        start=date(2020, 6, 30), end=date(2020, 7, 1), modality="", search_fields=()
    )

    came = looked_for(archive, two_days, tmp_path)

    assert {"1.12", "1.13"} <= came.uids or came.unproven


def test_ranges_that_lose_studies_are_named(tmp_path):
    """The parts of a range lack what the whole range had: they cannot prove anything."""

    class Lossy(Archive):
        def _matches(self, question, row):
            last = question.match.get("StudyDate", "").partition("-")[2]
            return super()._matches(question, row) and (
                row["StudyDate"] != last or last == day(365)
            )

    archive = Lossy(spread(60), cap=20)

    came = looked_for(archive, YEAR, tmp_path)

    wanted = {row["StudyInstanceUID"] for row in archive.rows}
    assert came.uids == wanted or came.unproven


def test_an_archive_that_refuses_everything_is_an_error(tmp_path):
    class Refusing(Archive):
        def put(self, question, emit):
            self.asked.append(question)
            return QueryResult(complete=False, status_text="A700: Refused", status=0xA700)

    archive = Refusing([])

    with pytest.raises(RemoteError, match="refuses the query: A700"):
        looked_for(archive, YEAR, tmp_path)
    assert len(archive.asked) == REFUSALS


def test_an_interrupted_search_goes_on_where_it_ended(tmp_path):
    archive = Archive(spread(200), cap=10)
    whole = Archive(spread(200), cap=10)
    looked_for(whole, YEAR, tmp_path / "undisturbed")

    def die(number):
        if number == 30:
            raise KeyboardInterrupt

    archive.before = die
    with pytest.raises(KeyboardInterrupt):
        looked_for(archive, YEAR, tmp_path / "state")
    archive.before = lambda _: None
    before = len(archive.asked)

    came = looked_for(archive, YEAR, tmp_path / "state")

    assert len(came.uids) == 200
    assert came.unproven == []
    # Only what was in the middle of being settled is asked again.
    assert len(archive.asked) - before <= len(whole.asked) - before + 10
