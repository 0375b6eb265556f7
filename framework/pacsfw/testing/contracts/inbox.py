"""An inbox that records all arrivals, pulled or pushed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

AETITLE = "CONTRACT"


class RecordingFile:
    """A `pacsfw.api.SpoolFile` in memory."""

    def __init__(self, inbox: RecordingInbox, uid: str) -> None:
        self._inbox, self._uid = inbox, uid
        self._data = bytearray()
        self.ended = ""

    def write(self, data: bytes | memoryview) -> None:
        """Append data set bytes."""
        assert not self.ended, f"{self._uid}: written to after it was {self.ended}"
        self._data += data

    def seal(self) -> None:
        """Accept the complete instance."""
        assert not self.ended, f"{self._uid}: sealed after it was {self.ended}"
        self.ended = "sealed"
        self._inbox.take(self._uid, bytes(self._data))

    def discard(self) -> None:
        """Discard the instance, unless it was sealed."""
        self.ended = self.ended or "discarded"


class RecordingInbox:
    """A `pacsfw.api.Inbox`; with `listening`, it also receives pushed instances."""

    def __init__(self) -> None:
        self.aetitle = AETITLE
        self.port = 0
        self.objects: dict[str, bytes] = {}
        """Pulled and pushed instances, by SOP Instance UID; pushed ones without their bytes."""
        self.files: list[RecordingFile] = []
        self.first = threading.Event()
        """Set once an instance has arrived."""
        self._news = threading.Condition()
        self._heard = 0

    def wait(self, seconds: float) -> frozenset[str]:
        """Wait for arrivals; return all UIDs so far."""
        with self._news:
            self._news.wait(seconds)
            return frozenset(self.objects)

    def news(self) -> int:
        """Return a number that grows with each arrival."""
        with self._news:
            return self._heard

    def create(self, sop_class: str, uid: str, syntax: str) -> RecordingFile:
        """Begin an instance that the transfer downloads."""
        assert sop_class and uid and syntax, "a class, a UID or a transfer syntax is missing"  # noqa: PT018
        self.files.append(RecordingFile(self, uid))
        return self.files[-1]

    def originates(self, message_id: int) -> None:
        """Do nothing: every sender is accepted."""

    def take(self, uid: str, data: bytes) -> None:
        """Record an instance."""
        with self._news:
            self.objects[uid] = data
            self._heard += 1
            self.first.set()
            self._news.notify_all()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen as the move destination, with pynetdicom as the Storage SCP."""
        from pynetdicom import AE, AllStoragePresentationContexts, evt  # slow to import

        def store(event: Any) -> int:
            self.take(str(event.request.AffectedSOPInstanceUID), b"")
            return 0x0000

        entity = AE(self.aetitle)
        entity.supported_contexts = AllStoragePresentationContexts
        server = entity.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)]
        )
        assert server is not None and server.socket is not None  # noqa: PT018
        self.port = server.socket.getsockname()[1]
        try:
            yield
        finally:
            server.shutdown()
