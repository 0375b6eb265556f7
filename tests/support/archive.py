"""An archive in memory that answers the planner's questions as a PACS would."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.datadict import dictionary_VR

from pacsfw.api import Profile, Query, QueryResult, QueryRow
from pacsfw.dicom.matching import matches
from pacsfw.ledger import open_ledger
from pacsfw.plugins.pacs_query import PacsQuery
from pacsfw.steps.find.criteria import Criteria
from pacsfw.steps.find.search import search
from pacsfw.testing._question import is_longer
from support.run import make_run

QUESTIONS = 6000
"""More than any search of these tests needs."""

SUCCESS = QueryResult(complete=True, status_text="0000: Success", status=0)


@dataclass
class Archive:
    """Studies as rows, and what is wrong with the archive."""

    rows: Sequence[Mapping[str, str]]
    cap: int | None = None
    cap_status: int = 0
    ignores: frozenset[str] = frozenset()
    open_ranges: bool = False
    """Empty dates and times match ranges without a lower bound."""
    leaves_out: str = ""
    """The day that ranges do not include: "first" or "last"."""
    longest_range: int | None = None
    """Ranges of more days than this find nothing, and that is a success."""
    warns: int = 0
    """Final status of every whole answer instead of success."""
    before: Callable[[int], None] = lambda _: None
    """Called with the number of every question before it is answered."""
    asked: list[Query] = field(default_factory=list)
    requires_patient_id: bool = False
    is_unlimited: bool = False
    advice: str = "check the archive"

    def put(self, question: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
        self.before(len(self.asked))
        self.asked.append(question)
        assert len(self.asked) < QUESTIONS, "the planner asks without end"
        found = [row for row in self.rows if self._matches(question, row)]
        limit = len(found) if self.cap is None else self.cap
        for number, row in enumerate(found[:limit], start=1):
            emit(QueryRow(row))
            if number == question.max_rows:
                return QueryResult(complete=False, status_text="FE00: Cancelled", status=0xFE00)
        if len(found) > limit and self.cap_status:
            return QueryResult(
                complete=False, status_text=f"{self.cap_status:04X}", status=self.cap_status
            )
        if self.warns:
            return QueryResult(complete=False, status_text=f"{self.warns:04X}", status=self.warns)
        return SUCCESS

    def _matches(self, question: Query, row: Mapping[str, str]) -> bool:
        if is_longer(question.match.get("StudyDate", ""), self.longest_range):
            return False
        for key, value in question.match.items():
            text = row.get(key, "")
            if key in self.ignores or (self.open_ranges and not text and value.startswith("-")):
                continue
            if key == "StudyDate" and text and "-" in value and self._leaves_out(text, value):
                return False
            if not matches(dictionary_VR(key), value, text.split("\\")):
                return False
        return True

    def _leaves_out(self, day: str, span: str) -> bool:
        first, _, last = span.partition("-")
        return day == {"first": first, "last": last}.get(self.leaves_out)


@dataclass
class Came:
    """What came of a search."""

    uids: frozenset[str]
    unproven: Sequence[tuple[str, str]]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def looked_for(
    archive: Archive | PacsQuery,
    criteria: Criteria,
    state: Path,
    *,
    requires_patient_id: bool = False,
) -> Came:
    """Search an archive with a ledger in this folder."""
    ledger = open_ledger(state)
    try:
        if requires_patient_id:
            archive.requires_patient_id = True
        begun = search(make_run(ledger), criteria, "query", archive, Profile())
        ended = ledger.searches.get(begun.id)
        return Came(
            ledger.searches.uids(begun.id),
            ledger.searches.unproven(begun.id),
            ended.problems,
            ended.notes,
        )
    finally:
        ledger.close()


def study(uid: str = "1.2", **attributes: str) -> dict[str, str]:
    usual = {
        "StudyInstanceUID": uid,
        "PatientID": f"P{uid}",
        "StudyDate": "20200615",
        "StudyTime": "101500",
        "AccessionNumber": f"A{uid}",
        "ModalitiesInStudy": "CT",
    }
    return usual | attributes
