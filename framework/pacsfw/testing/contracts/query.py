"""The contract of query providers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pacsfw.api import Net, Query, QueryProvider, QueryResult, QueryRow
from pacsfw.errors import PacsfwError
from pacsfw.testing.contracts.component import ComponentContract
from pacsfw.testing.population import population
from pacsfw.testing.synthetic import Study

STUDIES = 40
DATE = "StudyDate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The source of a provider: options of the component, or connection data."""

    options: Mapping[str, Any] = field(default_factory=dict)
    net: Net | None = None


class QueryProviderContract(ComponentContract):
    """A provider returns all matches of a query, or reports that it did not.

    It may return more rows than match (pacsfw filters again), but never fewer in a result
    that it reports as complete.
    """

    kind = "query"

    @abstractmethod
    def serving(
        self, studies: Sequence[Study], folder: Path
    ) -> AbstractContextManager[Source | Mapping[str, Any]]:
        """Make the studies available to the provider, and yield how it finds them.

        ``pacsfw.testing.EmbeddedPACS`` serves them by DICOM; `write_studies` writes files.
        A plain mapping is used as the options of the component.
        """

    @contextmanager
    def provider(self, studies: Sequence[Study], folder: Path) -> Iterator[QueryProvider]:
        """Open the provider with these studies."""
        with self.serving(studies, folder) as source:
            found = source if isinstance(source, Source) else Source(options=source)
            with self.opened(self.make(**found.options), folder, found.net) as provider:
                yield provider

    def test_all_studies_are_found(self, tmp_path: Path) -> None:
        """Whatever their names, including those without a date."""
        studies = population(STUDIES)
        with self.provider(studies, tmp_path) as provider:
            if provider.requires_patient_id:
                return  # such a provider cannot return all studies at once
            answer, rows = ask(provider, Query(level="STUDY", match={}))
        _check_whole(answer)
        assert uids(rows) == {study.uid for study in studies}

    def test_rows_are_texts_by_keyword(self, tmp_path: Path) -> None:
        """Requested attributes are present; empty if they have no value."""
        with self.provider(population(STUDIES), tmp_path) as provider:
            match = {DATE: "19000101-20991231", **_patient(provider, STUDIES)}
            _, rows = ask(provider, Query(level="STUDY", match=match, returns=("PatientID",)))
        assert rows
        for row in rows:
            assert all(isinstance(value, str) for value in row.attributes.values())
            assert {"StudyInstanceUID", "PatientID", DATE} <= row.attributes.keys()

    def test_nothing_that_matches_is_missing(self, tmp_path: Path) -> None:
        """Ranges with one bound or two, single days, wildcards, lists of UIDs."""
        studies = [study for study in population(STUDIES) if study.study_date and study.patient_id]
        days = sorted(study.study_date for study in studies)
        middle, some = days[len(days) // 2], studies[:3]
        with self.provider(studies, tmp_path) as provider:
            if provider.requires_patient_id:
                return
            for match, wanted in (
                ({DATE: f"{days[3]}-{middle}"}, _dated(studies, days[3], middle)),
                ({DATE: f"-{middle}"}, _dated(studies, "", middle)),
                ({DATE: f"{middle}-"}, _dated(studies, middle, "9")),
                ({DATE: middle}, _dated(studies, middle, middle)),
                ({"StudyInstanceUID": "\\".join(each.uid for each in some)}, _uids(some)),
                ({"PatientID": f"{some[0].patient_id}*"}, {some[0].uid}),
            ):
                answer, rows = ask(provider, Query(level="STUDY", match=match))
                missing = wanted - uids(rows)
                assert not (answer.complete and missing), f"{sorted(match)}: {len(missing)} missing"

    def test_series_and_instances_of_a_study_are_found(self, tmp_path: Path) -> None:
        """They decide whether a study is complete; or the provider reports that it cannot."""
        study = population(1)[0]
        with self.provider([study], tmp_path) as provider:
            above = {"StudyInstanceUID": study.uid, "PatientID": study.patient_id or ""}
            answer, rows = ask(provider, Query(level="SERIES", match=above))
            series = {row.attributes.get("SeriesInstanceUID") for row in rows}
            known = {study.series_uid(n) for n in range(1, len(study.modalities) + 1)}
            assert not answer.complete or series >= known
            objects: set[str | None] = set()
            whole = answer.complete
            for uid in known:
                match = {**above, "SeriesInstanceUID": uid}
                answer, rows = ask(provider, Query(level="IMAGE", match=match))
                whole &= answer.complete
                objects |= {row.attributes.get("SOPInstanceUID") for row in rows}
            assert not whole or objects >= set(study.sop_uids)

    def test_a_question_may_end_when_there_is_enough(self, tmp_path: Path) -> None:
        """A result that was stopped early is not complete."""
        studies = population(STUDIES)
        with self.provider(studies, tmp_path) as provider:
            if provider.requires_patient_id:
                return
            answer, rows = ask(provider, Query(level="STUDY", match={}, max_rows=3))
        assert len(rows) >= 3
        assert not answer.complete or uids(rows) == {study.uid for study in studies}

    def test_the_same_question_can_be_asked_again(self, tmp_path: Path) -> None:
        """Also after `rest`."""
        with self.provider(population(STUDIES), tmp_path) as provider:
            question = Query(level="STUDY", match=_patient(provider, STUDIES))
            first = ask(provider, question)
            provider.release()
            second = ask(provider, question)
        assert (first[0].complete, uids(first[1])) == (second[0].complete, uids(second[1]))


def ask(provider: QueryProvider, question: Query) -> tuple[QueryResult, list[QueryRow]]:
    """Send a query; an exception counts as an incomplete result."""
    rows: list[QueryRow] = []
    try:
        return provider.ask(question, rows.append), rows
    except PacsfwError as err:
        return QueryResult(complete=False, status_text=f"{type(err).__name__}: {err}"), rows


def uids(rows: Sequence[QueryRow]) -> set[str]:
    """Return the study UIDs of the rows."""
    return {row.attributes["StudyInstanceUID"] for row in rows}


def _check_whole(answer: QueryResult) -> None:
    assert answer.complete, f"the query result is not complete: {answer.status_text}"
    assert answer.status_text.strip(), "a query result must describe in words how it ended"


def _patient(provider: QueryProvider, count: int) -> dict[str, str]:
    if not provider.requires_patient_id:
        return {}
    return {"PatientID": next(each.patient_id or "" for each in population(count))}


def _uids(studies: Sequence[Study]) -> set[str]:
    return {study.uid for study in studies}


def _dated(studies: Sequence[Study], first: str, last: str) -> set[str]:
    return {study.uid for study in studies if first <= study.study_date <= last}
