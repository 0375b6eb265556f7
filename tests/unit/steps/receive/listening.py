"""A running receiver for tests, and what it reported."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from pacsfw.api import Accept, Limits, Node, Tls
from pacsfw.dimse.senders import KnownSenders
from pacsfw.spool.records import Begun, Discarded, Sealed, SpoolRecord
from pacsfw.steps.receive import Receiver
from unit.dimse.wire import Sender


class Listening:
    """A `Receiver` called PACSFW on 127.0.0.1, by default on a free port."""

    def __init__(
        self,
        spool: Path,
        processes: int = 1,
        limits: Limits | None = None,
        accept: Accept | None = None,
        tls: Tls | None = None,
        port: int = 0,
        senders: KnownSenders | None = None,
    ) -> None:
        self.spool = spool
        self.records: list[SpoolRecord] = []
        self._news = threading.Condition()
        node = Node(
            aetitle="PACSFW",
            bind="127.0.0.1",
            port=port,
            limits=limits or Limits(),
            accept=accept or Accept(),
            tls=tls,
        )
        self.refused: list[str] = []
        self.receiver = Receiver(
            node, spool, processes, self, senders=senders, refused=self._refused
        )
        self.receiver.start()
        self.aetitle, self.host, self.port = "PACSFW", "127.0.0.1", self.receiver.port

    def take(self, records: Sequence[SpoolRecord]) -> None:
        with self._news:
            self.records += records
            self._news.notify_all()

    def _refused(self, text: str) -> None:
        with self._news:
            self.refused.append(text)
            self._news.notify_all()

    @property
    def begun(self) -> list[Begun]:
        return [record for record in self.records if isinstance(record, Begun)]

    @property
    def sealed(self) -> list[Sealed]:
        return [record for record in self.records if isinstance(record, Sealed)]

    @property
    def discarded(self) -> list[Discarded]:
        return [record for record in self.records if isinstance(record, Discarded)]

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until what was reported fulfils a condition."""
        with self._news:
            assert self._news.wait_for(condition, 30), f"only {self.records} were reported"

    def connect(self) -> Sender:
        return Sender(socket.create_connection((self.host, self.port)))

    def stop(self) -> None:
        self.receiver.stop(5)
