"""A relay that counts what a program asks of a PACS, whoever wrote the program."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_ASSOCIATE_RQ = 1
_C_FIND_RQ = bytes.fromhex("0000000102000000 2000")
"""The element Command Field (0000,0100) of a C-FIND request."""


@dataclass
class Counter:
    """Associations and C-FIND requests that came through."""

    port: int
    associations: int = 0
    queries: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, data: bytes, *, first: bool) -> None:
        with self._lock:
            self.associations += first and data[:1] == bytes((_ASSOCIATE_RQ,))
            self.queries += data.count(_C_FIND_RQ)


@contextmanager
def counting(port: int) -> Iterator[Counter]:
    """Relay connections to a port of this machine, and count."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        counter = Counter(server.getsockname()[1])
        threading.Thread(target=_serve, args=(server, port, counter), daemon=True).start()
        yield counter


def _serve(server: socket.socket, port: int, counter: Counter) -> None:
    with suppress(OSError):  # closed: nobody counts any more
        while True:
            near, _ = server.accept()
            far = socket.create_connection(("127.0.0.1", port))
            for source, target, counted in ((near, far, counter), (far, near, None)):
                copying = threading.Thread(target=_copy, args=(source, target, counted))
                copying.daemon = True
                copying.start()


def _copy(source: socket.socket, target: socket.socket, counter: Counter | None) -> None:
    first = True
    with suppress(OSError):
        while data := source.recv(1 << 18):
            if counter is not None:
                counter.take(data, first=first)
            first = False
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
