"""A C-STORE sender that costs little: raw sockets, and bytes that are made beforehand.

    python benchmarks/sending.py PORT CALLED --shape ct --objects 400 --associations 4

One process per association; all begin together. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass
from multiprocessing.synchronize import Barrier

from wire_objects import SHAPES, Message, Shape, association_request

_RELEASE_RQ = struct.pack(">BxLL", 5, 4, 0)


@dataclass(frozen=True)
class Job:
    """What one sender does: objects ``first``, ``first + step`` ... of a run."""

    port: int
    called: str
    shape: Shape
    pdu: int
    run: int
    first: int
    step: int
    objects: int


@dataclass
class Sent:
    """What came of it; times on the clock that all processes share."""

    begun: float
    ended: float
    objects: int
    bytes: int
    refused: int
    cpu: float


class Connection:
    """An established association as its requestor."""

    def __init__(self, job: Job) -> None:
        self._socket = socket.create_connection(("127.0.0.1", job.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""
        self._socket.sendall(association_request(job.called, job.shape))
        kind, body = self._pdu()
        if kind != 2:
            raise SystemExit(f"the receiver on port {job.port} rejected: PDU {kind} {body.hex()}")
        self.peer_pdu = _maximum_length(body)

    def send(self, data: bytes | bytearray) -> None:
        self._socket.sendall(data)

    def status(self) -> int:
        """Wait for the response to a request and return its status."""
        command = b""
        while True:
            kind, body = self._pdu()
            if kind != 4:
                raise SystemExit(f"PDU of type {kind} instead of a response")
            command += body[6:]
            if body[5] & 2:
                break
        return _status(command)

    def release(self) -> None:
        self._socket.sendall(_RELEASE_RQ)
        self._pdu()
        self._socket.close()

    def _pdu(self) -> tuple[int, bytes]:
        while len(self._unread) < 6 or len(self._unread) < 6 + self._announced():
            data = self._socket.recv(65536)
            if not data:
                raise SystemExit("the receiver closed the connection")
            self._unread += data
        end = 6 + self._announced()
        pdu, self._unread = self._unread[:end], self._unread[end:]
        return pdu[0], pdu[6:]

    def _announced(self) -> int:
        return int(struct.unpack_from(">L", self._unread, 2)[0])


def _status(command: bytes) -> int:
    position = 0
    while True:
        _, element, length = struct.unpack_from("<HHL", command, position)
        if element == 0x0900:
            return int.from_bytes(command[position + 8 : position + 10], "little")
        position += 8 + length


def _maximum_length(accept: bytes) -> int:
    """Bytes that the receiver takes at once, 0 for any; SystemExit where it took no context."""
    position, largest = 68, 0
    while position < len(accept):
        kind, length = struct.unpack_from(">BxH", accept, position)
        if kind == 0x21 and accept[position + 6] != 0:
            raise SystemExit("the receiver did not accept the presentation context")
        if kind == 0x50:
            length = 0  # go on inside it
        elif kind == 0x51:
            (largest,) = struct.unpack_from(">L", accept, position + 4)
        position += 4 + length
    return int(largest)


def send(job: Job, together: Barrier) -> Sent:
    connection = Connection(job)
    largest = min(connection.peer_pdu or job.pdu, job.pdu)
    message = Message(job.shape, largest)
    refused = 0
    together.wait()
    begun = time.monotonic()
    for number in range(job.first, job.objects, job.step):
        connection.send(message.numbered(job.run, number))
        for part in message.rest():
            connection.send(part)
        refused += connection.status() != 0
    ended = time.monotonic()
    connection.release()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    count = len(range(job.first, job.objects, job.step))
    cpu = usage.ru_utime + usage.ru_stime
    return Sent(begun, ended, count, count * message.size, refused, cpu)


def _work(job: Job, together: Barrier, results: multiprocessing.Queue[Sent | str]) -> None:
    try:
        results.put(send(job, together))
    except (SystemExit, OSError) as error:
        together.abort()
        results.put(str(error))


def main() -> int:
    parser = argparse.ArgumentParser(description="Send synthetic objects as fast as it goes.")
    parser.add_argument("port", type=int)
    parser.add_argument("called")
    parser.add_argument("--shape", choices=SHAPES, default="ct")
    parser.add_argument("--objects", type=int, default=400)
    parser.add_argument("--associations", type=int, default=1)
    parser.add_argument("--pdu", type=int, default=131072)
    parser.add_argument("--run", type=int, default=0, help="another run sends other UIDs")
    options = parser.parse_args()
    context = multiprocessing.get_context("fork")
    together, results = context.Barrier(options.associations), context.Queue()
    processes = []
    for first in range(options.associations):
        job = Job(
            options.port,
            options.called,
            SHAPES[options.shape],
            options.pdu,
            options.run,
            first,
            options.associations,
            options.objects,
        )
        processes.append(context.Process(target=_work, args=(job, together, results)))
    for process in processes:
        process.start()
    outcomes = [results.get() for _ in processes]
    for process in processes:
        process.join()
    failed = [outcome for outcome in outcomes if isinstance(outcome, str)]
    if failed:
        print(failed[0], file=sys.stderr)
        return 1
    total = Sent(
        min(one.begun for one in outcomes),
        max(one.ended for one in outcomes),
        sum(one.objects for one in outcomes),
        sum(one.bytes for one in outcomes),
        sum(one.refused for one in outcomes),
        sum(one.cpu for one in outcomes),
    )
    print(json.dumps(asdict(total)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
