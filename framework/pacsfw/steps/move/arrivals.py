"""The instances arriving and arrived, by study: the evidence for settling a study."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pacsfw.api import Clock, SpoolFile
from pacsfw.ledger.instances import Instance
from pacsfw.spool.records import Begun, Discarded, Sealed, SpoolRecord, spool_id
from pacsfw.spool.writer import Spool
from pacsfw.steps.ports import Expecting

BEHIND = 4
"""Number of quiet periods to wait while instances of other studies arrive: instances of this
study may still be in the queues behind them."""

_MOST_REFUSALS = 50
"""Texts that are kept; who wants to flood us can vary them."""


@dataclass(slots=True)
class _Tracked:
    """A study that is being moved."""

    arrived: set[str]
    """Those that are stored, or were left out on purpose: they are not waited for."""
    last_news: float
    expected: frozenset[str] | None = None
    heard: int = 0
    """How often an instance of it was begun, received or stored, repeats included."""


class Arrivals:
    """Shared by the transfer threads and the intake. Instances are attributed by UID only.

    Association and AE title prove nothing: a PACS may use several, send after the final
    response, and send from other nodes.

    Parameters
    ----------
    receiver
        Informed each time the first study is tracked or the last one untracked.
    patient_of
        Returns the PatientID of a study; empty if it is not known.
    """

    def __init__(
        self,
        clock: Clock,
        receiver: Expecting | None = None,
        patient_of: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._clock, self._patient_of = clock, patient_of
        self._listed: dict[str, tuple[tuple[str, str], ...]] = {}
        """SOP Instance UID to the studies that lack it, with their PatientIDs."""
        self._requests: dict[int, str] = {}
        """Message ID of each C-MOVE request to its study."""
        self._pulled: dict[str, str] = {}
        """Spool ID of each instance that a transfer pulls to the study it was requested for."""
        self._strayed: Counter[str] = Counter()
        self._refused: dict[str, float] = {}
        self._receiver = receiver
        self._news = threading.Condition()
        self._on_the_way: dict[str, SpoolRecord] = {}
        self._tracked: dict[str, _Tracked] = {}
        self._last_of_all = clock.monotonic()
        self._late: set[str] = set()

    def on_the_way(self, records: Sequence[SpoolRecord]) -> None:
        """Note the records of a receiver."""
        with self._news:
            for record in records:
                if isinstance(record, Discarded):
                    self._on_the_way.pop(spool_id(record), None)
                    self._pulled.pop(spool_id(record), None)
                else:
                    self._on_the_way[spool_id(record)] = record
                for tracked in self._tracked.values():
                    tracked.heard += _may_be_of(record, tracked.expected)
            self._announce()

    def arrived(self, objects: Sequence[tuple[Sealed, Instance, bool]]) -> None:
        """Note instances that the ledger has recorded, and whether each is new."""
        with self._news:
            for sealed, instance, news in objects:
                self._on_the_way.pop(spool_id(sealed), None)
                pulled = self._pulled.pop(spool_id(sealed), None)
                asked = pulled or self._requests.get(sealed.originator_message_id or -1)
                if asked is not None and asked != instance.study_uid:
                    self._strayed[asked] += 1
                tracked = self._tracked.get(instance.study_uid)
                if tracked is not None:
                    tracked.last_news = self._clock.monotonic()
                    tracked.heard += 1
                    if instance.state in ("stored", "left-out"):
                        tracked.arrived.add(instance.sop_uid)
                elif instance.study_uid and news:
                    self._late.add(instance.study_uid)
            self._announce()

    def track(self, study_uid: str, already: frozenset[str]) -> None:
        """Begin to follow a study; ``already`` are its instances that have arrived."""
        with self._news:
            if not self._tracked:
                self._expect(True)
            self._tracked[study_uid] = _Tracked(set(already), self._clock.monotonic())
            self._late.discard(study_uid)

    def expect(self, study_uid: str, expected: frozenset[str] | None) -> None:
        """Set the expected instances of a tracked study; None if they are not known."""
        with self._news:
            self._tracked[study_uid].expected = expected
            if expected is not None:
                self._list(study_uid, expected)

    def lacks(self, study_uid: str, sop_uids: Iterable[str]) -> None:
        """Note instances that an earlier run did not get: they may have come since."""
        with self._news:
            self._list(study_uid, sop_uids)

    def listed(self, sop_uid: str) -> tuple[tuple[str, str], ...]:
        """Return StudyInstanceUID and PatientID of the studies that lack this instance."""
        return self._listed.get(sop_uid, ())

    def originates(self, study_uid: str, message_id: int) -> None:
        """Note the Message ID of a C-MOVE request for a tracked study."""
        with self._news:
            self._requests[message_id] = study_uid

    def pulls(self, study_uid: str, file: str) -> None:
        """Note the spool ID of an instance that a transfer pulls for a tracked study."""
        with self._news:
            self._pulled[file] = study_uid

    def is_running(self, message_id: int) -> bool:
        """Return whether a tracked study is requested under this Message ID."""
        return message_id in self._requests

    def strayed(self, study_uid: str) -> int:
        """Return how many instances of other studies came by the requests for this one."""
        with self._news:
            return self._strayed[study_uid]

    def refused(self, text: str) -> None:
        """Note what the receiver refused: ``an association: ...``."""
        with self._news:
            if text in self._refused or len(self._refused) < _MOST_REFUSALS:
                self._refused[text] = self._clock.monotonic()

    def refusals(self, since: float = 0.0) -> Sequence[str]:
        """Return what we refused since a moment on the monotonic clock, once each."""
        with self._news:
            texts = [text for text, at in self._refused.items() if at >= since]
        return [f"we refused {text}" for text in texts]

    def news(self, study_uid: str) -> int:
        """Return a number that grows with everything that arrives for a study.

        It counts repeated instances too, and each byte of those still arriving: a large
        instance may take longer than the timeout for a silent PACS.
        """
        with self._news:
            tracked = self._tracked.get(study_uid)
            if tracked is None:
                return 0
            open_files = [
                record.path
                for record in self._on_the_way.values()
                if isinstance(record, Begun) and _may_be_of(record, tracked.expected)
            ]
            heard = tracked.heard
        return heard + sum(map(_size, open_files))

    def untrack(self, study_uid: str) -> None:
        """Stop following a study; its further instances count as late."""
        with self._news:
            tracked = self._tracked.pop(study_uid, None)
            if tracked is not None:
                self._unlist(study_uid, tracked.arrived)
            asked = self._requests.items()
            self._requests = {number: uid for number, uid in asked if uid != study_uid}
            self._strayed.pop(study_uid, None)
            if not self._tracked:
                self._expect(False)

    def take_late(self) -> frozenset[str]:
        """Return, once, the studies whose instances arrived while they were not tracked."""
        with self._news:
            late, self._late = frozenset(self._late), set()
            return late

    def wait(self, study_uid: str, seconds: float) -> frozenset[str]:
        """Wait up to ``seconds`` for any news; return the instances that have arrived."""
        with self._news:
            self._news.wait(seconds)
            return self._arrived(study_uid)

    def settle(
        self,
        study_uid: str,
        expected: frozenset[str] | None,
        quiet_seconds: float,
        stop: threading.Event,
        *,
        number: int = 0,
    ) -> frozenset[str]:
        """Wait until the study is complete, or none of it arrived for the quiet period.

        Without a list it is complete once this ``number`` of instances arrived; 0: unknown.

        The study is not quiet while a file that may belong to it is open or not yet ingested.
        Instances of other studies, which may arrive for days, prolong the wait (`BEHIND`), but
        not indefinitely. Returns the instances that have arrived.
        """
        with self._news:
            begun = self._clock.monotonic()
            awaited: set[str] | None = None
            while not stop.is_set():
                tracked = self._tracked.get(study_uid)
                here = tracked.arrived if tracked else frozenset[str]()
                there = expected <= here if expected is not None else 0 < number <= len(here)
                if there and not self._awaited(expected):
                    break
                now = self._clock.monotonic()
                busy = now - max(self._last_of_all, begun) < quiet_seconds
                enough = quiet_seconds * (BEHIND if busy else 1)
                quiet = now - max(tracked.last_news if tracked else begun, begun)
                if quiet < enough:
                    awaited = None
                else:
                    # Files begun after the quiet period are not waited for: they may belong
                    # to any study. If they belong to this one, they are late.
                    still = self._awaited(expected)
                    awaited = still if awaited is None else awaited & still
                    if not awaited:
                        break
                self._news.wait(min(1.0, max(0.01, quiet_seconds - quiet)))
            return self._arrived(study_uid)

    def _list(self, study_uid: str, sop_uids: Iterable[str]) -> None:
        entry = (study_uid, self._patient_of(study_uid))
        for sop_uid in sop_uids:
            there = self._listed.get(sop_uid, ())
            if entry not in there:
                self._listed[sop_uid] = (*there, entry)

    def _unlist(self, study_uid: str, sop_uids: Iterable[str]) -> None:
        for sop_uid in sop_uids:
            left = tuple(each for each in self._listed.pop(sop_uid, ()) if each[0] != study_uid)
            if left:
                self._listed[sop_uid] = left

    def _expect(self, expected: bool) -> None:
        if self._receiver is not None:
            self._receiver.expect(expected)

    def _arrived(self, study_uid: str) -> frozenset[str]:
        tracked = self._tracked.get(study_uid)
        return frozenset(tracked.arrived) if tracked else frozenset()

    def _announce(self) -> None:
        self._last_of_all = self._clock.monotonic()
        self._news.notify_all()

    def _awaited(self, expected: frozenset[str] | None) -> set[str]:
        """Return the arriving spool files that may belong to a study."""
        return {file for file, record in self._on_the_way.items() if _may_be_of(record, expected)}


def _may_be_of(record: SpoolRecord, expected: frozenset[str] | None) -> bool:
    return expected is None or record.sop_uid in expected


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # complete by now, or discarded


@dataclass(frozen=True, slots=True)
class Inboxes:
    """Makes the inboxes of requests.

    Attributes
    ----------
    spool
        Takes the instances that a transfer pulls.
    aetitle
        Ours, the move destination.
    source
        AE title of the PACS from which a transfer pulls.
    """

    arrivals: Arrivals
    spool: Spool
    aetitle: str
    source: str

    def of(self, study_uid: str) -> RequestInbox:
        """Return the inbox of a request for this study, or for parts of it."""
        return RequestInbox(study_uid, self)


class RequestInbox:
    """The `pacsfw.api.Inbox` of one request."""

    def __init__(self, study_uid: str, inboxes: Inboxes) -> None:
        self.aetitle = inboxes.aetitle
        self._study_uid, self._arrivals = study_uid, inboxes.arrivals
        self._spool, self._source = inboxes.spool, inboxes.source

    def wait(self, seconds: float) -> frozenset[str]:
        """Wait for news; return the UIDs of the study that have arrived."""
        return self._arrivals.wait(self._study_uid, seconds)

    def news(self) -> int:
        """Return a number that grows with everything that arrives for this request."""
        return self._arrivals.news(self._study_uid)

    def originates(self, message_id: int) -> None:
        """Note the Message ID of the request: whoever repeats it was told by the PACS."""
        self._arrivals.originates(self._study_uid, message_id)

    def create(self, sop_class: str, uid: str, syntax: str) -> SpoolFile:
        """Begin an instance that the transfer pulls."""
        writer = self._spool.begin(sop_class, uid, syntax, self._source)
        self._arrivals.pulls(self._study_uid, writer.id)
        writer.announce()
        return writer
