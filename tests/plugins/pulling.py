"""An inbox for transfers that pull: a spool, and what was sealed in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pacsfw.api import Clock, Component, Net, SpoolFile, Transfer
from pacsfw.spool.records import Discarded, Sealed
from pacsfw.spool.writer import Spool
from peers.readback import dataset_bytes
from plugins.dicomweb.scripted_web import context


class PullInbox:
    def __init__(self, spool: Path) -> None:
        self.aetitle = "PACSFW"
        self.sealed: list[Sealed] = []
        self.discarded: list[Discarded] = []
        self._spool = spool
        self._news = threading.Condition()
        spool.mkdir(exist_ok=True)

    def create(self, sop_class: str, uid: str, syntax: str) -> SpoolFile:
        return Spool(self._spool, self._take).begin(sop_class, uid, syntax, "PACS")

    def wait(self, seconds: float) -> frozenset[str]:
        with self._news:
            self._news.wait(seconds)
            return self.uids

    def news(self) -> int:
        return len(self.sealed)

    def originates(self, message_id: int) -> None:
        raise AssertionError("what is pulled has no Move Originator")

    def wait_for(self, count: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: len(self.sealed) >= count, 30)

    @property
    def uids(self) -> frozenset[str]:
        return frozenset(record.sop_uid for record in self.sealed)

    @property
    def content(self) -> dict[str, bytes]:
        """Data-set bytes by SOP Instance UID."""
        return {record.sop_uid: dataset_bytes(record.path) for record in self.sealed}

    def _take(self, record: object) -> None:
        with self._news:
            if isinstance(record, Sealed):
                self.sealed.append(record)
            if isinstance(record, Discarded):
                self.discarded.append(record)
            self._news.notify_all()


@contextmanager
def opened(
    component: Component[Transfer], net: Net | None, clock: Clock | None = None, **options: Any
) -> Iterator[Transfer]:
    made = component.factory(**options)
    assert not component.needs_receiver
    made.open(context(net, clock))
    try:
        yield made
    finally:
        made.close()
