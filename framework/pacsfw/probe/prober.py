"""Questions to the PACS, of which none makes the probe fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pacsfw.api import Level, Query
from pacsfw.errors import PacsfwError
from pacsfw.plugins.pacs_query import Put

Row: TypeAlias = Mapping[str, str]

UID = "StudyInstanceUID"
PATIENCE = 5
"""After so many questions in a row without a final response no more are put."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The rows of an answer and how it ended."""

    rows: Sequence[Row]
    status: int | None
    complete: bool
    stopped: bool
    """We ended it, because enough rows had come."""
    status_text: str

    @property
    def is_clear(self) -> bool:
        """Whether it says something that holds: the PACS had no reason to stop before."""
        return self.complete or self.stopped

    def has(self, uid: str) -> bool:
        """Tell whether a study is among the rows."""
        return any(row.get(UID) == uid for row in self.rows)


class Prober:
    """Puts questions at STUDY level.

    Parameters
    ----------
    requires_patient_id
        The PACS wants a PatientID with each of them (Patient Root alone, PS3.4 C.6.1).
    """

    def __init__(self, ask: Put, *, requires_patient_id: bool = False) -> None:
        self._ask = ask
        self.requires_patient_id = requires_patient_id
        self._silences = 0

    def put(
        self,
        match: Mapping[str, str],
        returns: Sequence[str] = (),
        *,
        max_rows: int = 0,
        level: Level = "STUDY",
    ) -> Reply:
        """Put one question. A failure is an answer too: without status, not whole."""
        if self._silences >= PATIENCE:
            return _failure(f"not asked: {PATIENCE} questions in a row were not answered")
        rows: list[Row] = []
        query = Query(level=level, match=match, returns=tuple(returns), max_rows=max_rows)
        try:
            answer = self._ask(query, lambda found: rows.append(found.attributes))
        except PacsfwError as err:
            self._silences += 1
            return _failure(str(err))
        except Exception as err:  # noqa: BLE001 - plugin boundary; its text may quote a patient
            self._silences += 1
            return _failure(f"the query component failed: {type(err).__name__}")
        stopped = 0 < max_rows <= len(rows)
        self._silences = 0 if stopped or answer.status is not None else self._silences + 1
        return Reply(
            rows,
            answer.status,
            answer.complete,
            stopped and not answer.complete,
            answer.status_text,
        )

    def about(self, row: Row) -> dict[str, str]:
        """Return the keys that name the study of a row."""
        return {**self._patient(row), UID: row[UID]}

    def on_its_day(self, row: Row) -> dict[str, str]:
        """Return the keys for the studies of the same day; none where that is not known."""
        day = row.get("StudyDate", "")
        return {**self._patient(row), "StudyDate": day} if day else {}

    def _patient(self, row: Row) -> dict[str, str]:
        return {"PatientID": row.get("PatientID", "")} if self.requires_patient_id else {}


def _failure(why: str) -> Reply:
    return Reply((), None, complete=False, stopped=False, status_text=why)
