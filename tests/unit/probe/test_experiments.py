"""Archives that behave oddly while they are probed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from pacsfw.api import Clock, Query, QueryProvider, QueryResult, QueryRow
from pacsfw.config.yaml_text import read
from pacsfw.errors import RemoteError
from pacsfw.probe import Findings, probe, yaml_file
from pacsfw.probe.before_limit import before_limit
from pacsfw.probe.keys import KeyExperiments
from pacsfw.probe.limits import Cut, find_limit
from pacsfw.probe.prober import PATIENCE, Prober
from pacsfw.probe.sample import spans
from pacsfw.testing import EmbeddedPACS, make_studies
from support.guards import guard
from unit.probe.probing import TODAY, answering, matching, nodes, rows_of, why

ROWS = rows_of(make_studies(40))
ALL = spans(TODAY)[-1:]


def test_the_ranges_become_wider_and_begin_with_the_preferred_one() -> None:
    found = spans(date(2026, 11, 24), (date(2020, 1, 1), date(2020, 12, 31)))
    assert [dates for _, dates in found] == [
        "20200101-20201231",
        "20261123-20261125",
        "20261024-20261125",
        "20251123-20261125",
        "19000101-20261125",
    ]


def test_keys_that_are_looked_at_only_without_a_uid_are_honoured() -> None:
    def choose(query: Query) -> list[object]:
        uid = query.match.get("StudyInstanceUID")
        return [row for row in ROWS if row["StudyInstanceUID"] == uid] or matching(query, ROWS)

    findings = Findings()
    KeyExperiments(Prober(answering(choose)), ROWS, findings).run()
    assert findings.subjects("match") >= {"StudyDate", "PatientID", "PatientName"}
    assert "for its day" in why(findings, "match", "PatientID")
    assert findings.result("case", "PatientName") is True
    assert "PatientID" in findings.subjects("wildcard")


def test_wildcards_that_are_taken_literally_are_not_proven() -> None:
    def choose(query: Query) -> list[object]:
        wild = any("*" in value for value in query.match.values())
        return [] if wild else matching(query, ROWS)

    findings = Findings()
    KeyExperiments(Prober(answering(choose)), ROWS, findings).run()
    assert "PatientID" in findings.subjects("match")
    assert "PatientID" in findings.subjects("wildcard", result=False)


def test_an_archive_that_ignores_the_uid_is_not_experimented_with() -> None:
    findings = Findings()
    KeyExperiments(Prober(answering(lambda _: ROWS)), ROWS, findings).run()
    assert not findings.subjects("match") | findings.subjects("match", result=False)
    assert (
        why(findings, "match", "PatientID") == "a query for one study by its UID returned 40 rows"
    )


def test_studies_that_arrive_meanwhile_are_no_limit() -> None:
    held = ROWS[:20]

    def choose(query: Query) -> list[object]:
        rows = matching(query, held)
        held.append(ROWS[len(held)])
        return rows

    findings = Findings()
    assert find_limit(Prober(answering(choose)), ALL, findings) is None
    assert "studies arrive" in why(findings, "limit")


def test_a_silent_limit_within_one_day_is_found() -> None:
    one_day = [{**row, "StudyDate": "20200101"} for row in ROWS]

    def choose(query: Query) -> list[object]:
        return matching(query, sorted(one_day, key=lambda row: row["StudyTime"]))[:10]

    findings = Findings()
    cut = find_limit(Prober(answering(choose)), ALL, findings)
    assert cut is not None
    assert findings.result("limit") == 10


def test_an_archive_that_cuts_at_random_proves_nothing_before_its_limit() -> None:
    asked: list[Query] = []

    def choose(query: Query) -> list[object]:
        asked.append(query)
        return matching(query, ROWS)[len(asked) : len(asked) + 10]

    findings = Findings()
    findings.note("match", "ModalitiesInStudy", True, "")
    prober = Prober(answering(choose))
    before_limit(prober, Cut("19000101-20261125", choose(asking_all())), findings)
    assert findings.result("before_limit", "ModalitiesInStudy") is None
    assert "other rows the second time" in why(findings, "before_limit", "ModalitiesInStudy")


def asking_all() -> Query:
    return Query(level="STUDY", match={"StudyDate": "19000101-20261125"})


def test_an_archive_that_never_answers_is_asked_a_few_times_only() -> None:
    calls = []

    def ask(query: Query, _emit: object) -> QueryResult:
        calls.append(query)
        raise RemoteError("no response within 60 s")

    prober = Prober(ask)
    replies = [prober.put({}) for _ in range(PATIENCE + 2)]
    assert len(calls) == PATIENCE
    assert replies[PATIENCE - 1].status_text == "no response within 60 s"
    assert replies[PATIENCE].status_text == "not queried: 5 queries in a row got no response"


def test_what_needs_no_question_is_found_out_without_answers() -> None:
    def ask(_query: Query, _emit: object) -> QueryResult:
        raise RemoteError("no response within 60 s")

    with EmbeddedPACS() as pacs:
        findings = probe(nodes(pacs), ask, today=TODAY)
    assert "study-find" in findings.subjects("model")
    assert why(findings, "limit").endswith("no response within 60 s")
    assert findings.result("associations") == 8


def test_a_component_that_fails_is_named_and_not_quoted() -> None:
    class Failing(QueryProvider):
        def ask(self, query: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
            raise KeyError("Doe^John")

    with EmbeddedPACS() as pacs:
        findings = probe(nodes(pacs), guard("query", Failing()).ask, today=TODAY)
    assert "query 'it' (from x 1.0): ask: KeyError at" in why(findings, "charset")
    assert "Doe" not in repr(list(findings))


def test_dicomweb_is_asked_where_it_is_configured() -> None:
    def refuse(_query: Query, _emit: object) -> QueryResult:
        raise RemoteError("HTTP 404")

    cfind = answering(lambda query: matching(query, ROWS) if query.level == "STUDY" else [])
    with EmbeddedPACS() as pacs:
        works = probe(nodes(pacs), cfind, today=TODAY, ask_web=cfind)
        fails = probe(nodes(pacs), cfind, today=TODAY, ask_web=refuse)
    assert "dicomweb" in works.subjects("model")
    assert fails.result("model", "dicomweb") is None
    assert "HTTP 404" in why(fails, "model", "dicomweb")


def test_a_reason_of_several_lines_stays_one_comment() -> None:
    findings = Findings()
    findings.note("match", "PatientID", None, "first\nhonoured: [PatientID]\x1b[0m")
    with EmbeddedPACS() as pacs:
        text = yaml_file(findings, nodes(pacs), Clock().now())
    assert read(text, "p").tree["honoured"] == []


def test_no_association_at_all_is_an_error() -> None:
    with EmbeddedPACS() as pacs:
        there = nodes(pacs)
    with pytest.raises(RemoteError, match="no connection"):
        probe(there, answering(lambda _: []), today=TODAY)
