"""The result of each study, for the table of studies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pacsfw.ledger.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResult:
    """One study, with its verdict; ``pending`` if it has none yet.

    ``missing`` is the number of missing instances; None if it is not known.
    """

    uid: str
    patient_id: str
    attributes: Mapping[str, str]
    verdict: str
    expected: int | None
    stored: int
    left_out: int
    missing: int | None
    reason: str
    attempts: int
    settled_at: datetime | None
    source: str


class Results:
    """Joins the tables ``studies``, ``instances`` and ``answers``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> Iterator[StudyResult]:
        """Yield the studies on the study list, and all others that were settled, by date."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT *, (SELECT count(*) FROM instances WHERE instances.study_uid ="
                " studies.study_uid AND instances.state = 'stored') AS stored FROM studies"
                " WHERE selected = 1 OR settled_at IS NOT NULL"
                " ORDER BY json_extract(attributes, '$.StudyDate'), study_uid"
            )
            for row in rows:
                settled = row["settled_at"]
                yield StudyResult(
                    uid=row["study_uid"],
                    patient_id=row["patient_id"],
                    attributes=json.loads(row["attributes"]),
                    verdict=row["verdict"] or "pending",
                    expected=row["expected"],
                    stored=row["stored"],
                    left_out=row["left_out"],
                    missing=_missing(row["missing"], row["expected"], row["stored"]),
                    reason=row["reason"],
                    attempts=row["attempts"],
                    settled_at=datetime.fromisoformat(settled) if settled else None,
                    source=row["source"],
                )

    def by_modality(self) -> Mapping[str, tuple[int, int]]:
        """Return (stored instances, their bytes) by the ModalitiesInStudy of their studies."""
        return {
            row[0]: (int(row[1]), int(row[2]))
            for row in self._database.rows(
                "SELECT coalesce(json_extract(attributes, '$.ModalitiesInStudy'), ''), count(*),"
                " sum(size) FROM instances JOIN studies USING (study_uid)"
                " WHERE instances.state = 'stored' GROUP BY 1"
            )
        }

    def irregular(self) -> Mapping[str, int]:
        """Return the number of irregular instances by kind of irregularity."""
        rows = self._database.rows(
            "SELECT reason, count(*) FROM tag_errors WHERE stage = 'irregular' GROUP BY 1"
        )
        return dict(map(tuple, rows))

    def members(self, search: int) -> Mapping[str, list[int]]:
        """Return the rows of the cohort that each study of a search matches, by study."""
        found: dict[str, list[int]] = {}
        for row in self._database.rows(
            "SELECT study_uid, member FROM answers WHERE search = ? AND member > 0 ORDER BY member",
            search,
        ):
            found.setdefault(row["study_uid"], []).append(row["member"])
        return found


def _missing(uids: str, expected: int | None, stored: int) -> int | None:
    """Return the number of missing instances: their UIDs, or else the difference of counts."""
    if named := len(json.loads(uids)):
        return named
    return None if expected is None else max(0, expected - stored)
