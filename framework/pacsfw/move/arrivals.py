"""What is on its way in and what has arrived, by study: the evidence for settling one."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pacsfw.api import Clock, SpoolFile
from pacsfw.dicom.spool import Discarded, Sealed, SpoolRecord, spool_id
from pacsfw.ledger.instances import Instance

BEHIND = 4
"""So many quiet periods are waited while objects of other studies arrive: behind those in
the queues there may still be some of this one."""


class Arrivals:
    """Shared by the transfer threads and the intake. Objects are attributed by UID only.

    Which association or AE title an object came through says nothing: archives use
    several, send after the final response, and from other nodes.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._news = threading.Condition()
        self._on_the_way: dict[str, str] = {}
        self._tracked: dict[str, set[str]] = {}
        self._last_news: dict[str, float] = {}
        self._last_of_all = clock.monotonic()
        self._late: set[str] = set()

    def on_the_way(self, record: SpoolRecord) -> None:
        """Note what a receiver reported."""
        with self._news:
            if isinstance(record, Discarded):
                self._on_the_way.pop(spool_id(record.path), None)
            else:
                self._on_the_way[spool_id(record.path)] = record.sop_uid
            self._tell()

    def arrived(self, sealed: Sealed, instance: Instance, news: bool) -> None:
        """Note that an object is in the ledger; ``news`` when it was not there before."""
        with self._news:
            self._on_the_way.pop(spool_id(sealed.path), None)
            if instance.study_uid in self._tracked:
                self._last_news[instance.study_uid] = self._clock.monotonic()
                if instance.state == "stored":
                    self._tracked[instance.study_uid].add(instance.sop_uid)
            elif instance.study_uid and news:
                self._late.add(instance.study_uid)
            self._tell()

    def track(self, study_uid: str, already: frozenset[str]) -> None:
        """Begin to follow a study of which these objects are stored already."""
        with self._news:
            self._tracked[study_uid] = set(already)
            self._late.discard(study_uid)

    def untrack(self, study_uid: str) -> None:
        """Stop following a study; what still comes for it is late."""
        with self._news:
            self._tracked.pop(study_uid, None)
            self._last_news.pop(study_uid, None)

    def take_late(self) -> frozenset[str]:
        """Return (once) the studies for which objects came while nobody followed them."""
        with self._news:
            late, self._late = frozenset(self._late), set()
            return late

    def wait(self, study_uid: str, seconds: float) -> frozenset[str]:
        """Wait for any news, ``seconds`` at most; return what of the study is stored."""
        with self._news:
            self._news.wait(seconds)
            return frozenset(self._tracked.get(study_uid, ()))

    def settle(
        self,
        study_uid: str,
        expected: frozenset[str] | None,
        quiet_seconds: float,
        stop: threading.Event,
    ) -> frozenset[str]:
        """Wait until the study is all there, or nothing of it has come for the quiet period.

        While a file that may be of the study is open or not yet ingested it is not quiet.
        Objects of other studies, which may arrive for days, make it wait longer (`BEHIND`)
        but not for ever. Returns what is stored.
        """
        with self._news:
            begun = self._clock.monotonic()
            awaited: set[str] | None = None
            while not stop.is_set():
                stored = self._tracked.get(study_uid, set())
                if expected is not None and expected <= stored and not self._awaited(expected):
                    break
                now = self._clock.monotonic()
                busy = now - max(self._last_of_all, begun) < quiet_seconds
                enough = quiet_seconds * (BEHIND if busy else 1)
                quiet = now - max(self._last_news.get(study_uid, begun), begun)
                if quiet < enough:
                    awaited = None
                else:
                    # What begins only after the quiet period is not waited for: it may be
                    # of any study, and comes late if it is of this one.
                    there = self._awaited(expected)
                    awaited = there if awaited is None else awaited & there
                    if not awaited:
                        break
                self._news.wait(min(1.0, max(0.01, quiet_seconds - quiet)))
            return frozenset(self._tracked.get(study_uid, ()))

    def _tell(self) -> None:
        self._last_of_all = self._clock.monotonic()
        self._news.notify_all()

    def _awaited(self, expected: frozenset[str] | None) -> set[str]:
        """Return which spool files on their way may be of a study."""
        if expected is None:
            return set(self._on_the_way)
        return {file for file, uid in self._on_the_way.items() if uid in expected}


class RequestInbox:
    """The `pacsfw.api.Inbox` of one request."""

    def __init__(
        self,
        study_uid: str,
        aetitle: str,
        arrivals: Arrivals,
        create: Callable[[str, str, str], SpoolFile],
    ) -> None:
        self.aetitle = aetitle
        self._study_uid, self._arrivals, self._create = study_uid, arrivals, create

    def wait(self, seconds: float) -> frozenset[str]:
        """Wait for news; return the UIDs of the study that have arrived."""
        return self._arrivals.wait(self._study_uid, seconds)

    def create(self, sop_class: str, uid: str, syntax: str) -> SpoolFile:
        """Begin an object that the transfer pulls."""
        return self._create(sop_class, uid, syntax)
