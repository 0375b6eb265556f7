"""C-GET as a transfer (PS3.4 section C.4.3): the objects come over the association we open."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from pacsfw.api import (
    Inbox,
    Outcome,
    Query,
    QueryResult,
    QueryRow,
    Request,
    RunContext,
    is_uid,
)
from pacsfw.dimse.identifier import STUDY_ROOT_GET
from pacsfw.dimse.requestor import Requestor
from pacsfw.dimse.status import CANCELLED, SUCCESS
from pacsfw.errors import RemoteError
from pacsfw_plugins.dimse._cfind import CFind
from pacsfw_plugins.dimse._cget_contexts import MOST, OTHERS, USUAL, contexts
from pacsfw_plugins.dimse._retrieve import Retrieving, Service

_BATCH = 200
"""UIDs in one request."""

_Objects = Mapping[str, Mapping[str, str]]
"""SeriesInstanceUID to SOP Instance UID to SOP class, which is empty where it is not known."""


class CGet(Retrieving):
    """Proposes what the study holds: its SOP classes, which the PACS is asked for first.

    Where it holds more classes than one association can propose, objects are requested by
    their UIDs, as many classes at a time as there is room for. Where the PACS does not name
    the classes, the usual ones of the standard are proposed, and for what fails the others.
    Parameters are those of `Retrieving`.
    """

    service: ClassVar[Service] = "C-GET"
    sop_class: ClassVar[str] = STUDY_ROOT_GET
    model: ClassVar[str] = "study-get"
    use: ClassVar[str] = "cget"

    def __init__(self, **clocks: float) -> None:
        super().__init__(**clocks)
        self._query = CFind()
        self._listed: tuple[str, dict[str, dict[str, str]]] = ("", {})
        """The last study of which objects were listed."""

    def open(self, context: RunContext) -> None:
        """Take the nodes, also for the questions; raises what `Retrieving.open` does."""
        super().open(context)
        self._query.open(context)

    def close(self) -> None:
        """Release the association for questions."""
        self._query.close()

    def _fetch(self, request: Request, inbox: Inbox) -> Outcome:
        outcomes: list[Outcome] = []
        steps = self._steps(request)
        self._query.release()  # the PACS may allow few associations
        for step, classes in steps:
            outcomes.append(self._get(step, classes, inbox))
            if outcomes[-1].status in (None, CANCELLED):
                break
        outcome = _together(outcomes)
        if steps[-1][1] is not USUAL or not _lacks(outcome) or outcome.status is None:
            return outcome
        return _after_all(outcome, self._get(request, OTHERS, inbox))

    def _get(self, request: Request, classes: Collection[str], inbox: Inbox) -> Outcome:
        def prepare(association: Requestor) -> None:
            if not association.accepts(STUDY_ROOT_GET):
                association.release()
                raise RemoteError("cget: the PACS does not accept C-GET (Study Root) from us")
            association.take_objects(inbox.create)

        return self._request(request, inbox, contexts(classes), {}, prepare)

    def _steps(self, request: Request) -> Sequence[tuple[Request, Collection[str]]]:
        """Return what to request, and the classes to propose for each."""
        classes = self._classes_of_study(request) if request.series_uid is None else ()
        if 0 < len(classes) <= MOST:
            return [(request, classes)]
        objects = self._objects(request)
        found = {sop_class for uids in objects.values() for sop_class in uids.values()}
        if not found or "" in found:  # USUAL itself, which says that it is a guess
            return [(request, USUAL)]
        ordered = sorted(found)
        if len(ordered) <= MOST:
            return [(request, ordered)]
        return [
            (step, batch)
            for first in range(0, len(ordered), MOST)
            for batch in [ordered[first : first + MOST]]
            for step in _of_classes(request.study_uid, objects, batch)
        ]

    def _classes_of_study(self, request: Request) -> Sequence[str]:
        """Return the SOP Classes in Study, which few PACS name (PS3.4 C.3.4)."""
        key = "SOPClassesInStudy"
        match = {"StudyInstanceUID": request.study_uid}
        answer, rows = self._ask(Query(level="STUDY", match=match, returns=(key,)))
        if not answer or len(rows) != 1:
            return ()
        classes = rows[0].attributes.get(key, "").split("\\")
        return sorted(set(classes)) if all(map(is_uid, classes)) else ()

    def _objects(self, request: Request) -> _Objects:
        """Return the objects asked for, or none where the PACS does not tell them all."""
        study, listed = self._listed
        if study != request.study_uid:
            listed = {}
            self._listed = (request.study_uid, listed)
        series = [request.series_uid] if request.series_uid else self._series(request.study_uid)
        objects: dict[str, dict[str, str]] = {}
        for uid in series:
            wanted = set(request.sop_uids)
            if uid not in listed or not wanted <= listed[uid].keys() or not wanted:
                listed[uid] = self._of_series(request.study_uid, uid)
            if not wanted <= listed[uid].keys() or not listed[uid]:
                return {}
            objects[uid] = {
                each: sop_class
                for each, sop_class in listed[uid].items()
                if not wanted or each in wanted
            }
        return objects

    def _series(self, study_uid: str) -> list[str]:
        match = {"StudyInstanceUID": study_uid}
        _, rows = self._ask(Query(level="SERIES", match=match, returns=("SeriesInstanceUID",)))
        uids = [row.attributes.get("SeriesInstanceUID", "") for row in rows]
        return list(dict.fromkeys(uids)) if all(map(is_uid, uids)) else []

    def _of_series(self, study_uid: str, series_uid: str) -> dict[str, str]:
        match = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
        returns = ("SOPInstanceUID", "SOPClassUID")
        _, rows = self._ask(Query(level="IMAGE", match=match, returns=returns))
        found = {}
        for row in rows:
            sop_class = row.attributes.get("SOPClassUID", "")
            uid = row.attributes.get("SOPInstanceUID", "")
            found[uid] = sop_class if is_uid(sop_class) else ""
        return {} if "" in found else found

    def _ask(self, question: Query) -> tuple[QueryResult | None, list[QueryRow]]:
        """Return the answer with its rows; None and none unless it is whole."""
        rows: list[QueryRow] = []
        try:
            answer = self._query.ask(question, rows.append)
        except RemoteError:
            return None, []  # the request will tell if the PACS is not there at all
        return (answer, rows) if answer.complete else (None, [])


def _of_classes(study_uid: str, objects: _Objects, classes: Collection[str]) -> Iterator[Request]:
    """Yield requests, by UID, for the objects that are of these classes."""
    for series_uid, uids in objects.items():
        wanted = [uid for uid, sop_class in uids.items() if sop_class in classes]
        for first in range(0, len(wanted), _BATCH):
            batch = tuple(wanted[first : first + _BATCH])
            yield Request(study_uid=study_uid, series_uid=series_uid, sop_uids=batch)


def _lacks(outcome: Outcome) -> bool:
    """Tell whether the PACS says that something was not sent."""
    return outcome.status != SUCCESS or bool(outcome.failed)


def _together(outcomes: Sequence[Outcome]) -> Outcome:
    """Return one outcome for requests of different objects: the last bad one, with all counts."""
    bad = [each for each in outcomes if _lacks(each)]
    told = bad[-1] if bad else outcomes[-1]
    return replace(
        told,
        completed=_sum([each.completed for each in outcomes]),
        failed=_sum([each.failed for each in outcomes]),
        warning=_sum([each.warning for each in outcomes]),
        failed_uids=tuple(dict.fromkeys(uid for each in bad for uid in each.failed_uids)),
    )


def _after_all(first: Outcome, second: Outcome) -> Outcome:
    """Return one outcome for the same objects in other classes: what failed in both has failed.

    Each time everything fails that is not of the classes which were proposed.
    """
    completed = _sum([first.completed, second.completed])
    failed = None if first.failed is None else max(0, first.failed - (second.completed or 0))
    if second.status is not None and failed == 0:
        return Outcome(status=SUCCESS, status_text="all came, in two requests", completed=completed)
    both = set(first.failed_uids) & set(second.failed_uids)
    return replace(first, completed=completed, failed=failed, failed_uids=tuple(sorted(both)))


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
