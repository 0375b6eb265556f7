"""What is asked for: no more than what is missing, at a level that the PACS serves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pacsfw.api import Request
from pacsfw.steps.move.expected import Expectation, SeriesExpectation, expectation_proven
from pacsfw.steps.move.requests import requests_for, series_of

STUDY, FIRST, SECOND = "1.2", "1.2.1", "1.2.2"
WHOLE = Request(study_uid=STUDY)
ONE = Request(study_uid=STUDY, series_uid=FIRST)
OTHER = Request(study_uid=STUDY, series_uid=SECOND)


def uids(*numbers, series=FIRST):
    return frozenset(f"{series}.{number}" for number in numbers)


def listed(*series):
    """A list that is whole."""
    return expectation_proven(
        Expectation(uids=frozenset().union(*(one.uids for one in series)), series=series)
    )


BOTH = listed(
    SeriesExpectation(FIRST, uids(1, 2, 3), 3),
    SeriesExpectation(SECOND, uids(1, 2, series=SECOND), 2),
)


def asked(expectation=BOTH, first=(), second=(), **options):
    stored = {FIRST: uids(*first), SECOND: uids(*second, series=SECOND)}
    return list(requests_for(STUDY, expectation, stored, **options))


def objects(*numbers, series=FIRST):
    names = tuple(f"{series}.{number}" for number in numbers)
    return Request(study_uid=STUDY, series_uid=series, sop_uids=names)


def test_a_study_of_which_nothing_is_here_is_asked_for_as_a_whole():
    assert asked() == [WHOLE]


def test_a_series_of_which_nothing_is_here_is_asked_for_and_single_objects_of_others():
    assert asked(first=(1, 3)) == [objects(2), OTHER]


def test_nothing_is_asked_for_when_nothing_is_missing():
    assert asked(first=(1, 2, 3), second=(1, 2)) == []


def test_what_was_given_up_is_not_asked_for():
    assert asked(first=(1, 3), second=(1, 2), given_up=uids(2)) == []
    assert asked(first=(1,), second=(1, 2), given_up=uids(2)) == [objects(3)]


def test_the_third_attempt_asks_for_objects_one_by_one():
    assert asked(first=(1,), second=(1, 2), attempt=2) == [objects(2, 3)]
    assert asked(first=(1,), second=(1, 2), attempt=3) == [objects(2), objects(3)]


def test_levels_that_the_pacs_refuses_are_not_used():
    assert asked(first=(1, 3), second=(1, 2), refused={"IMAGE"}) == [ONE]
    assert asked(first=(1, 3), refused={"SERIES"}) == [objects(2), objects(1, 2, series=SECOND)]
    assert asked(refused={"STUDY"}) == [ONE, OTHER]
    assert asked(refused={"STUDY", "SERIES"}) == [
        objects(1, 2, 3),
        objects(1, 2, series=SECOND),
    ]
    assert asked(first=(1, 3), refused={"SERIES", "IMAGE"}) == [WHOLE]


def test_without_uids_the_series_that_lack_something_by_number_are_asked_for():
    counted = (SeriesExpectation(FIRST, None, 3), SeriesExpectation(SECOND, None, 2))
    by_count = Expectation(counts={"instance-count": 5}, series=counted)

    assert asked(by_count) == [WHOLE]
    assert asked(by_count, first=(1, 2, 3), second=(1,)) == [OTHER]
    assert asked(by_count, first=(1, 2, 3), second=(1,), refused={"SERIES"}) == [WHOLE]
    assert asked(Expectation(counts={"instance-count": 5}), first=(1, 2, 3)) == [WHOLE]


def test_what_is_no_uid_is_asked_for_with_its_series_or_its_study():
    odd = SeriesExpectation(FIRST, frozenset({"1.2.x", "1.2.1.1"}), 2)
    assert asked(listed(odd), first=(1,)) == [ONE]

    nameless = SeriesExpectation("no uid", frozenset({"1.2.1.1", "1.2.1.2"}), 2)
    assert list(requests_for(STUDY, listed(nameless), {"no uid": uids(1)})) == [WHOLE]


def test_a_study_that_the_pacs_does_not_list_is_asked_for_unless_something_is_here():
    nothing = listed()
    assert asked(nothing) == [WHOLE]
    assert asked(nothing, first=(1,)) == []


def test_a_series_is_asked_for_again_if_its_list_is_cut():
    """Both lists end at the limit of rows; the numbers say that there is more."""
    cut = Expectation(
        uids=uids(1, 2) | uids(1, 2, series=SECOND),
        counts={"instance-count": 6},
        series=(
            SeriesExpectation(FIRST, uids(1, 2), 4),
            SeriesExpectation(SECOND, uids(1, 2, series=SECOND), 2, proven=True),
        ),
    )

    assert asked(cut) == [WHOLE]
    assert asked(cut, first=(1, 2), second=(1, 2)) == [ONE]
    assert asked(cut, first=(1, 2)) == [ONE, OTHER]
    assert asked(cut, first=(1, 2, 3, 4), second=(1, 2)) == []


def test_a_list_of_which_nothing_shows_that_it_is_whole_is_compared_with_a_retrieve():
    doubtful = Expectation(uids=uids(1, 2), series=(SeriesExpectation(FIRST, uids(1, 2)),))

    assert asked(doubtful, first=(1,)) == [WHOLE]
    assert asked(doubtful, first=(1, 2)) == [WHOLE]
    assert asked(doubtful, first=(1,), attempt=2) == [objects(2)]
    assert asked(doubtful, first=(1,), given_up=uids(2)) == []


def test_a_study_of_which_all_that_is_counted_is_here_is_not_asked_for():
    assert asked(Expectation(counts={"instance-count": 3}), first=(1, 2, 3)) == []


def test_the_series_of_requests():
    assert series_of([objects(1), objects(2), objects(1, series=SECOND)]) == [ONE, OTHER]


NUMBERS = st.sets(st.sampled_from([1, 2, 3]))
LEVELS = st.sets(st.sampled_from(["STUDY", "SERIES", "IMAGE"]))


@given(
    first=NUMBERS,
    second=st.sets(st.sampled_from([1, 2])),
    refused=LEVELS,
    attempt=st.integers(1, 5),
)
def test_every_missing_object_is_covered(first, second, refused, attempt):
    requests = asked(first=first, second=second, refused=refused, attempt=attempt)

    covered = set()
    for request in requests:
        if request.level == "STUDY":
            covered |= BOTH.uids
        elif request.level == "SERIES":
            covered |= {uid for uid in BOTH.uids if uid.startswith(f"{request.series_uid}.")}
        else:
            covered |= set(request.sop_uids)
    here = uids(*first) | uids(*second, series=SECOND)
    assert BOTH.uids - here <= covered
