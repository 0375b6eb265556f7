"""C-GET as a transfer (PS3.4 section C.4.3): the PACS sends over the association we open."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pacsfw.api import Inbox, Outcome, Query, QueryRow, Request, RunContext, is_uid
from pacsfw.dicom.matching import is_nameable
from pacsfw.dimse.identifier import PATIENT_ROOT_GET, STUDY_ROOT_GET, Root
from pacsfw.dimse.requestor import Requestor
from pacsfw.dimse.status import CANCELLED, SUCCESS, WRONG_IDENTIFIER
from pacsfw.errors import RemoteError
from pacsfw_plugins.dimse._cfind import CFind
from pacsfw_plugins.dimse._cget_contexts import MOST, OTHERS, USUAL, contexts
from pacsfw_plugins.dimse._retrieve import NO_PATIENT, Retrieving, Service

_BATCH = 200
"""The limit of UIDs in one request."""

_Instances = Mapping[str, Mapping[str, str]]
"""SeriesInstanceUID to SOP Instance UID to SOP class, which is empty if it is unknown."""


class CGet(Retrieving):
    """Proposes the SOP classes of the study, for which it queries the PACS first.

    If the study has more classes than one association can propose, instances are requested by
    UID, in several requests. If the PACS does not name the classes, the usual ones of the
    standard are proposed, and a second request proposes the others for the instances that
    failed. Parameters are those of `Retrieving`.
    """

    service: ClassVar[Service] = "C-GET"
    models: ClassVar[Mapping[Root, str]] = {"STUDY": STUDY_ROOT_GET, "PATIENT": PATIENT_ROOT_GET}
    use: ClassVar[str] = "cget"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._query = CFind(options.get("root", "auto"))
        self._listed: tuple[str, dict[str, dict[str, str]]] = ("", {})
        """The last study of which instances were listed."""

    def open(self, context: RunContext) -> None:
        """Remember the nodes, also for queries; errors are those of `Retrieving.open`."""
        super().open(context)
        self._query.open(context)

    def close(self) -> None:
        self._query.close()

    def _fetch(self, request: Request, inbox: Inbox) -> Outcome:
        outcomes: list[Outcome] = []
        try:
            if self._query_requires_patient() and not is_nameable(request.patient_id):
                return Outcome(status=WRONG_IDENTIFIER, status_text=NO_PATIENT)
            steps = self._steps(request)
        finally:
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
            association.take_objects(inbox.create)

        return self._request(request, inbox, {}, contexts(classes), prepare)

    def _steps(self, request: Request) -> Sequence[tuple[Request, Collection[str]]]:
        """Return the requests to send, and the classes to propose for each."""
        classes = self._classes_of_study(request) if request.series_uid is None else ()
        if 0 < len(classes) <= MOST:
            return [(request, classes)]
        instances = self._instances(request)
        found = {sop_class for uids in instances.values() for sop_class in uids.values()}
        if not found or "" in found:  # `_fetch` recognizes a guess by the object USUAL
            return [(request, USUAL)]
        ordered = sorted(found)
        if len(ordered) <= MOST:
            return [(request, ordered)]
        return [
            (step, batch)
            for first in range(0, len(ordered), MOST)
            for batch in [ordered[first : first + MOST]]
            for step in _of_classes(request, instances, batch)
        ]

    def _classes_of_study(self, request: Request) -> Sequence[str]:
        """Return the SOP Classes in Study (PS3.4 C.3.4), which few PACS support."""
        key = "SOPClassesInStudy"
        rows = self._ask(Query(level="STUDY", match=self._keys(request), returns=(key,)))
        if len(rows) != 1:
            return ()
        classes = rows[0].attributes.get(key, "").split("\\")
        return sorted(set(classes)) if all(map(is_uid, classes)) else ()

    def _instances(self, request: Request) -> _Instances:
        """Return the requested instances; none if the PACS does not list them all."""
        study, listed = self._listed
        if study != request.study_uid:
            listed = {}
            self._listed = (request.study_uid, listed)
        series = [request.series_uid] if request.series_uid else self._series(request)
        instances: dict[str, dict[str, str]] = {}
        for uid in series:
            wanted = set(request.sop_uids)
            if uid not in listed or not wanted <= listed[uid].keys() or not wanted:
                listed[uid] = self._of_series(request, uid)
            if not wanted <= listed[uid].keys() or not listed[uid]:
                return {}
            instances[uid] = {
                each: sop_class
                for each, sop_class in listed[uid].items()
                if not wanted or each in wanted
            }
        return instances

    def _keys(self, request: Request) -> dict[str, str]:
        """Return the unique keys of the study in the model of the queries."""
        keys = {"StudyInstanceUID": request.study_uid}
        needs_patient = self._query_requires_patient()
        return {**keys, "PatientID": request.patient_id} if needs_patient else keys

    def _query_requires_patient(self) -> bool:
        try:
            return self._query.requires_patient_id
        except RemoteError:
            return False  # if the PACS is unreachable, the request reports it

    def _series(self, request: Request) -> list[str]:
        keys = self._keys(request)
        rows = self._ask(Query(level="SERIES", match=keys, returns=("SeriesInstanceUID",)))
        uids = [row.attributes.get("SeriesInstanceUID", "") for row in rows]
        return list(dict.fromkeys(uids)) if all(map(is_uid, uids)) else []

    def _of_series(self, request: Request, series_uid: str) -> dict[str, str]:
        match = {**self._keys(request), "SeriesInstanceUID": series_uid}
        returns = ("SOPInstanceUID", "SOPClassUID")
        rows = self._ask(Query(level="IMAGE", match=match, returns=returns))
        found = {}
        for row in rows:
            sop_class = row.attributes.get("SOPClassUID", "")
            uid = row.attributes.get("SOPInstanceUID", "")
            found[uid] = sop_class if is_uid(sop_class) else ""
        return {} if "" in found else found

    def _ask(self, query: Query) -> list[QueryRow]:
        """Return the rows of a query; none unless the query result is complete."""
        rows: list[QueryRow] = []
        try:
            result = self._query.ask(query, rows.append)
        except RemoteError:
            return []  # if the PACS is unreachable, the request reports it
        return rows if result.complete else []


def _of_classes(
    request: Request, instances: _Instances, classes: Collection[str]
) -> Iterator[Request]:
    """Yield requests, by UID, for the instances of these classes."""
    for series_uid, uids in instances.items():
        wanted = [uid for uid, sop_class in uids.items() if sop_class in classes]
        for first in range(0, len(wanted), _BATCH):
            batch = tuple(wanted[first : first + _BATCH])
            yield replace(request, series_uid=series_uid, sop_uids=batch)


def _lacks(outcome: Outcome) -> bool:
    """Return whether the PACS reports that instances were not sent."""
    return outcome.status != SUCCESS or bool(outcome.failed)


def _together(outcomes: Sequence[Outcome]) -> Outcome:
    """Return one outcome for requests of different instances: the last bad one, with the sums."""
    bad = [each for each in outcomes if _lacks(each)]
    return replace(
        bad[-1] if bad else outcomes[-1],
        completed=_sum([each.completed for each in outcomes]),
        failed=_sum([each.failed for each in outcomes]),
        warning=_sum([each.warning for each in outcomes]),
        failed_uids=tuple(dict.fromkeys(uid for each in bad for uid in each.failed_uids)),
    )


def _after_all(first: Outcome, second: Outcome) -> Outcome:
    """Return one outcome for two requests of the same instances with different classes.

    In each request, the instances of all classes that were not proposed fail. So only instances
    that failed in both have failed.
    """
    completed = _sum([first.completed, second.completed])
    failed = None if first.failed is None else max(0, first.failed - (second.completed or 0))
    if second.status is not None and failed == 0:
        return Outcome(
            status=SUCCESS, status_text="all instances came, in two requests", completed=completed
        )
    both = set(first.failed_uids) & set(second.failed_uids)
    return replace(first, completed=completed, failed=failed, failed_uids=tuple(sorted(both)))


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
