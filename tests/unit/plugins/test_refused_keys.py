"""A PACS that refuses a query for one key is asked with fewer, down to the required ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pacsfw.api import Query, QueryProvider, QueryResult, QueryRow
from pacsfw.plugins.pacs_query import PacsQuery
from pacsfw.plugins.refused_keys import RefusedKeys

OPTIONAL = ("ModalitiesInStudy", "NumberOfStudyRelatedInstances", "StudyDescription", "PatientSex")
ASKED = Query(
    level="STUDY",
    match={"StudyDate": "20200101-20201231"},
    returns=("StudyInstanceUID", "StudyDate", "StudyTime", "PatientID", *OPTIONAL),
)


class Picky(QueryProvider):
    """Refuses queries with certain return keys."""

    def __init__(self, refused: set[str], status: int = 0xA900, *, names: bool = False) -> None:
        self.refused, self.status, self.names = refused, status, names
        self.asked: list[Query] = []

    def ask(self, query: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
        self.asked.append(query)
        bad = sorted(self.refused.intersection(query.returns))
        if bad:
            return QueryResult(
                complete=False,
                status_text="refused",
                status=self.status,
                refused_keys=tuple(bad[:1]) if self.names else (),
            )
        emit(QueryRow(dict.fromkeys(query.returns, "1")))
        return QueryResult(complete=True, status_text="Success", status=0)


@pytest.mark.parametrize("status", [0xA900, 0xC000, 0xC001, 0x0105, 0x0110, 400])
@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize(
    "refused",
    [{"ModalitiesInStudy"}, {"PatientSex", "NumberOfStudyRelatedInstances"}, {"StudyTime"}],
)
def test_what_is_refused_is_left_out_and_all_other_keys_are_returned(status, names, refused):
    provider, known = Picky(refused, status, names=names), RefusedKeys()

    result, rows = PacsQuery(provider, "picky", known).ask(ASKED)

    assert result.complete
    assert [set(row.attributes) for row in rows] == [set(ASKED.returns) - refused]
    assert known.at("STUDY") == refused


def test_it_is_found_out_once_and_kept():
    kept = []
    provider = Picky({"ModalitiesInStudy"})
    known = RefusedKeys(keep=kept.append)
    PacsQuery(provider, "picky", known).ask(ASKED)
    before = len(provider.asked)

    PacsQuery(provider, "picky", known).ask(ASKED)

    assert len(provider.asked) == before + 1
    assert kept == [{"STUDY": ["ModalitiesInStudy"]}]


def test_what_is_known_is_never_asked_for():
    provider = Picky({"ModalitiesInStudy"})

    PacsQuery(provider, "picky", RefusedKeys({"STUDY": ["ModalitiesInStudy"]})).ask(ASKED)

    assert len(provider.asked) == 1


def test_keys_that_were_answered_once_are_not_to_blame_for_a_refusal():
    provider = Picky(set())
    pacs = PacsQuery(provider, "picky")
    pacs.ask(ASKED)
    provider.refused = {"StudyInstanceUID"}

    assert not pacs.ask(ASKED)[0].complete
    assert len(provider.asked) == 2


def test_a_pacs_that_refuses_everything_is_not_asked_three_times_as_much_for_ever():
    class Refusing(Picky):
        def ask(self, query, emit):
            self.asked.append(query)
            return QueryResult(complete=False, status_text="refused", status=0xC001)

    provider = Refusing(set())
    pacs = PacsQuery(provider, "refusing")
    for _ in range(20):
        assert pacs.ask(ASKED)[0].status_text == "refused"

    assert len(provider.asked) <= 20 + 2 * 3


def test_a_refusal_for_too_many_rows_is_no_refusal_of_keys():
    provider = Picky({"ModalitiesInStudy"}, 0xA700)

    assert PacsQuery(provider, "picky").ask(ASKED)[0].status == 0xA700
    assert len(provider.asked) == 1
