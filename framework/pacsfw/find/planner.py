"""From the configured criteria to questions, and from their answers to studies.

One slice covers the whole query for now; splitting slices until each is proven whole
belongs here and changes nothing for the callers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from pacsfw.api import Answer, Clock, Found, Slice, is_uid
from pacsfw.dicom.matching import matches
from pacsfw.errors import RemoteError

Ask = Callable[[Slice], tuple[Answer, list[Found]]]
"""Puts one slice to the PACS and returns how it was answered, with all rows."""

Evidence = Callable[[Slice, Answer, int, float], None]
"""Told of every question: slice, answer, rows, seconds."""

STUDY_KEYS = (
    "StudyInstanceUID",
    "PatientID",
    "PatientName",
    "StudyDate",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedInstances",
)
"""Asked of every study, beside the configured search fields."""

_log = logging.getLogger("pacsfw.find")


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What `find` looks for: studies in a range of days (inclusive), of one modality."""

    start: date
    end: date
    modality: str
    search_fields: tuple[str, ...]

    @property
    def dates(self) -> str:
        """The matching value for StudyDate: single value or range (PS3.4 C.2.2.2.5)."""
        first, last = f"{self.start:%Y%m%d}", f"{self.end:%Y%m%d}"
        return first if first == last else f"{first}-{last}"

    @property
    def returns(self) -> tuple[str, ...]:
        """The keywords to ask back."""
        return tuple(dict.fromkeys((*STUDY_KEYS, *self.search_fields)))


class Planner:
    """Puts the questions and keeps the evidence."""

    def __init__(self, ask: Ask, evidence: Evidence, clock: Clock) -> None:
        self._ask, self._evidence, self._clock = ask, evidence, clock

    def studies(self, criteria: Criteria) -> Iterator[Mapping[str, str]]:
        """Yield the attributes of every study that matches, each once.

        The modality is matched here and not at the PACS: some archives ignore it as a
        matching key, others apply their result limit before it, both without a word.

        Raises
        ------
        RemoteError
            An answer was not whole, so it proves nothing.
        """
        slice_ = Slice(level="STUDY", match={"StudyDate": criteria.dates}, returns=criteria.returns)
        seen: set[str] = set()
        for found in self._whole(slice_):
            attributes = dict(found.attributes)
            uid = attributes.get("StudyInstanceUID", "")
            if not is_uid(uid):
                raise RemoteError(
                    "the PACS answered with a study whose StudyInstanceUID is not a UID: "
                    "it cannot be requested"
                )
            # The PACS may ignore a key or stretch a range (undated studies): ask again here.
            if uid in seen or not matches("DA", criteria.dates, [attributes.get("StudyDate", "")]):
                continue
            seen.add(uid)
            if not attributes.get("ModalitiesInStudy"):
                attributes["ModalitiesInStudy"] = self._modalities(uid)
            if criteria.modality and not matches(
                "CS", criteria.modality, attributes["ModalitiesInStudy"].split("\\")
            ):
                continue
            yield attributes

    def _modalities(self, study_uid: str) -> str:
        """Ask the series of a study, for a PACS that does not return ModalitiesInStudy."""
        series = self._whole(
            Slice(
                level="SERIES",
                match={"StudyInstanceUID": study_uid},
                returns=("SeriesInstanceUID", "Modality"),
            )
        )
        return "\\".join(sorted({found.attributes.get("Modality", "") for found in series} - {""}))

    def _whole(self, slice_: Slice) -> list[Found]:
        started = self._clock.monotonic()
        answer, rows = self._ask(slice_)
        self._evidence(slice_, answer, len(rows), self._clock.monotonic() - started)
        if not answer.whole:
            raise RemoteError(
                f"find: the PACS did not give a whole answer at {slice_.level} level: "
                f"{answer.ended} ({len(rows)} rows came before, they prove nothing)"
            )
        return rows
