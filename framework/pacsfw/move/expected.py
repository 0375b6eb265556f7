"""What a study should consist of, from the best source that the PACS offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pacsfw.api import Answer, Found, Slice

Ask = Callable[[Slice], tuple[Answer, list[Found]]]
"""Puts one slice to the PACS and returns how it was answered, with all rows."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """The objects expected of one study: their UIDs, or at least how many, or nothing."""

    source: str = ""
    uids: frozenset[str] | None = None
    count: int | None = None

    @property
    def strength(self) -> int:
        """How much it proves: UIDs more than a number, a number more than nothing."""
        return 2 if self.uids is not None else int(self.count is not None)


def read_expectation(ask: Ask, study_uid: str) -> Expectation:
    """Ask for the UIDs series by series, else for the number of instances.

    Every unique key above the level is sent (PS3.4 C.4.1.2.1): archives without
    relational queries refuse anything less.

    Raises
    ------
    RemoteError
        The PACS could not be asked.
    """
    uids = _image_uids(ask, study_uid)
    if uids is not None:
        return Expectation("image-uids", uids, len(uids))
    count = _instance_count(ask, study_uid)
    if count is not None:
        return Expectation("instance-count", None, count)
    return Expectation()


def _image_uids(ask: Ask, study_uid: str) -> frozenset[str] | None:
    study = {"StudyInstanceUID": study_uid}
    answer, series = ask(Slice(level="SERIES", match=study, returns=("SeriesInstanceUID",)))
    if not answer.whole or not all(row.attributes.get("SeriesInstanceUID") for row in series):
        return None
    uids: set[str] = set()
    for series_uid in dict.fromkeys(row.attributes["SeriesInstanceUID"] for row in series):
        match = {**study, "SeriesInstanceUID": series_uid}
        answer, images = ask(Slice(level="IMAGE", match=match, returns=("SOPInstanceUID",)))
        if not answer.whole:
            return None
        uids.update(row.attributes.get("SOPInstanceUID", "") for row in images)
    # A row without its unique key says that there is an object, but not which.
    return None if "" in uids else frozenset(uids)


def _instance_count(ask: Ask, study_uid: str) -> int | None:
    key = "NumberOfStudyRelatedInstances"
    answer, rows = ask(Slice(level="STUDY", match={"StudyInstanceUID": study_uid}, returns=(key,)))
    counts = [row.attributes.get(key, "").strip() for row in rows]
    if not answer.whole or len(counts) != 1 or not counts[0].isdecimal():
        return None
    return int(counts[0])
