"""A TCP proxy that cuts, resets, drips and stalls at chosen offsets."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

KINDS = ("cut", "reset", "drip", "stall")
DRIP_SECONDS = 0.3
STALL_SECONDS = 0.8
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Mischief:
    """What happens to a connection once so many bytes went one way."""

    kind: str
    offset: int
    upwards: bool
    """The bytes of who connected count, else those of who was connected to."""


class Proxy:
    """Listens on a port of its own and forwards to another.

    Parameters
    ----------
    target
        Where to forward.
    plan
        Called for each connection; returns what is to happen to it, None for nothing.
    """

    def __init__(self, target: int, plan: Callable[[], Mischief | None], port: int = 0) -> None:
        self._target, self._plan = target, plan
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.done: Counter[str] = Counter()
        """Faults by kind that have happened."""
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []

    def __enter__(self) -> Self:
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for pair in self._pairs:
            _end(*pair)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self._pairs.append((client, server))
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            mischief = self._plan()
            for source, sink, upwards in ((client, server, True), (server, client, False)):
                mine = mischief if mischief and mischief.upwards == upwards else None
                args = (source, sink, mine)
                threading.Thread(target=self._forward, args=args, daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, mine: Mischief | None) -> None:
        passed = 0
        try:
            while data := source.recv(_CHUNK):
                if mine is not None and passed + len(data) > mine.offset:
                    keep = mine.offset - passed
                    sink.sendall(data[:keep])
                    rest = self._misbehave(mine, source, sink, data[keep:])
                    if rest is None:
                        return
                    data, mine, passed = rest, None, passed + keep
                sink.sendall(data)
                passed += len(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            _end(source, sink)

    def _misbehave(
        self, mischief: Mischief, source: socket.socket, sink: socket.socket, data: bytes
    ) -> bytes | None:
        """Do it; return what is left to forward, None where the connection is over."""
        with self._lock:
            self.done[mischief.kind] += 1
        if mischief.kind == "drip":
            end = time.monotonic() + DRIP_SECONDS
            while data and time.monotonic() < end:
                sink.sendall(data[:1])
                data = data[1:]
                time.sleep(0.01)
            return data
        if mischief.kind == "stall":
            time.sleep(STALL_SECONDS)
            return data
        _end(source, sink, reset=mischief.kind == "reset")
        return None


def _end(*socks: socket.socket, reset: bool = False) -> None:
    for sock in socks:
        with suppress(OSError):
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.shutdown(socket.SHUT_RD)  # wakes who reads from it, else it stays open
            else:
                sock.shutdown(socket.SHUT_RDWR)
        sock.close()
