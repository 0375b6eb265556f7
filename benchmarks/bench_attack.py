"""A receiver under attack beside a normal C-MOVE from an Orthanc.

    python benchmarks/bench_attack.py [--seconds 600]

The same study is moved again and again: for a tenth of the time (at least 10 s) in peace, then
under the attacks of `attacking.py`, then in peace again. Meanwhile somebody verifies (C-ECHO)
the receiver every second, and one with TLS beside it. Prints the throughput under attack
against that in peace, the memory that the receivers grew by, what was lost, how long a new
sender waited to get in, and how long the receivers took to end while they were attacked. Ends
with 1 if an object was lost or a sender kept out.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from measured import cpu_seconds, machine, resident
from objects import ROOT, write
from population import temporary_folder

from pacsfw.api import Net, Node, Tls
from pacsfw.dimse.client import echo
from pacsfw.errors import RemoteError
from pacsfw.spool.records import Sealed, SpoolRecord
from pacsfw.steps.receive import Receiver
from peers import scu
from peers.certificates import make_certificates
from peers.orthanc import Orthanc
from peers.process import free_port

OBJECTS = 50
"""In the study; a move of it takes a fraction of a second."""
GRACE = 10.0
_HERE = Path(__file__).parent


@dataclass
class Arrived:
    """What the receiver has reported sealed; each object is removed at once."""

    objects: Counter[str] = field(default_factory=Counter)

    def take(self, records: Sequence[SpoolRecord]) -> None:
        for record in records:
            if isinstance(record, Sealed):
                self.objects[record.sop_uid] += 1
                record.path.unlink()


@dataclass
class Moves:
    """C-MOVE after C-MOVE of one study."""

    orthanc: Orthanc
    arrived: Arrived
    moves: int = 0
    peak: int = 0
    """Bytes that the receivers had at most, seen after each move."""
    failed: list[str] = field(default_factory=list)

    def run(self, seconds: float) -> float:
        """Move for so long; return the objects per second."""
        begun = time.monotonic()
        before = self.arrived.objects.total()
        while time.monotonic() - begun < seconds:
            answer = scu.move(self.orthanc, "STUDY", {"StudyInstanceUID": f"{ROOT}.0"}, "PACSFW")
            self.moves += 1
            self.peak = max(self.peak, memory())
            if answer.status != 0:
                self.failed.append(f"{answer.status:04X}")
        return (self.arrived.objects.total() - before) / (time.monotonic() - begun)


class Visitor(threading.Thread):
    """A stranger with good manners: verifies a receiver every second."""

    def __init__(self, node: Node) -> None:
        super().__init__(daemon=True)
        self._net = Net(local=Node(aetitle="VISITOR"), called=node)
        self._over = threading.Event()
        self.seconds: list[float] = []
        self.refused: list[str] = []

    def run(self) -> None:
        while not self._over.wait(1):
            begun = time.monotonic()
            try:
                echo(self._net)
            except RemoteError as error:
                self.refused.append(str(error))
            self.seconds.append(time.monotonic() - begun)

    def stop(self) -> None:
        self._over.set()
        self.join()

    def __str__(self) -> str:
        middle, longest = statistics.median(self.seconds), max(self.seconds)
        turned = f"{len(self.refused)} of {len(self.seconds)} turned away"
        return f"median {middle:.2f} s, longest {longest:.2f} s, {turned}"


def memory() -> int:
    """Bytes of all receiver processes."""
    children = multiprocessing.active_children()
    return sum(resident(child.pid) for child in children if child.pid is not None)


def cpu() -> float:
    """CPU seconds of all receiver processes."""
    children = multiprocessing.active_children()
    return sum(cpu_seconds(child.pid) for child in children if child.pid is not None)


def run(folder: Path, seconds: int) -> int:
    certificates = make_certificates(folder / "tls")
    tls = Tls(certificate=certificates.certificate("good"), key=certificates.key("good"))
    arrived, port = Arrived(), free_port()
    receiver = Receiver(
        Node(aetitle="PACSFW", bind="127.0.0.1", port=port), folder / "spool", 2, arrived.take
    )
    secret = Receiver(
        Node(aetitle="PACSFW", bind="127.0.0.1", tls=tls), folder / "tls-spool", 1, arrived.take
    )
    orthanc = Orthanc(folder / "orthanc", "ORTHANC", {"PACSFW": ("127.0.0.1", port)})
    orthanc.start()
    try:
        orthanc.load(write(folder / "files", OBJECTS, "ct"))
        receiver.start()
        secret.start()
        return _attack(orthanc, arrived, receiver, secret, certificates.certificate("ca"), seconds)
    finally:
        receiver.stop(0)
        secret.stop(0)
        orthanc.stop()


def _attack(
    orthanc: Orthanc,
    arrived: Arrived,
    receiver: Receiver,
    secret: Receiver,
    ca: str,
    seconds: int,
) -> int:
    moves, peace = Moves(orthanc, arrived), max(10.0, seconds / 10)
    moves.run(5)
    visitors = [
        Visitor(Node(aetitle="PACSFW", ip="127.0.0.1", port=receiver.port)),
        Visitor(Node(aetitle="PACSFW", ip="127.0.0.1", port=secret.port, tls=Tls(ca=ca))),
    ]
    for visitor in visitors:
        visitor.start()
    before, calm = moves.run(peace), memory()
    used = cpu()
    with attackers(receiver, secret) as attacking:
        moves.peak = 0
        under, grown = moves.run(seconds), moves.peak - calm
        used, their = cpu() - used, cpu_seconds(attacking.pid)
        attacking.terminate()
        attacked = attacking.communicate()[0].strip()
    after = moves.run(peace)
    for visitor in visitors:
        visitor.stop()
    with attackers(receiver, secret) as attacking:
        moves.run(10)
        exit_seconds = _end(receiver, secret)
        attacking.terminate()
    lost = sum(max(0, moves.moves - count) for count in arrived.objects.values())
    lost += moves.moves * (OBJECTS - len(arrived.objects))
    calmly = (before + after) / 2
    print(f"attacks ({seconds} s)   {attacked}")
    print(f"CPU              receivers {used:.1f} s, attackers {their:.1f} s")
    print(f"in peace         {before:.0f} objects/s before, {after:.0f} after ({peace:.0f} s each)")
    print(f"under attack     {under:.0f} objects/s")
    print(f"ratio            {under / calmly:.2f}")
    print(f"memory grew by   {max(0, grown) / 2**20:.1f} MB, of {calm / 2**20:.0f} MB")
    print(f"lost             {lost} of {moves.moves * OBJECTS} objects")
    print(f"failed moves     {len(moves.failed)} of {moves.moves} {moves.failed[:5]}")
    print(f"a new sender     {visitors[0]}")
    print(f"the same by TLS  {visitors[1]}")
    print(f"ended within     {exit_seconds:.1f} s ({GRACE:.0f} s grace)")
    for refused in {why for visitor in visitors for why in visitor.refused}:
        print(f"turned away      {refused}")
    return 1 if lost or moves.failed or any(visitor.refused for visitor in visitors) else 0


@contextmanager
def attackers(receiver: Receiver, secret: Receiver) -> Iterator[subprocess.Popen[str]]:
    command = ["nice", sys.executable, str(_HERE / "attacking.py")]
    command += [str(receiver.port), str(secret.port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def _end(*receivers: Receiver) -> float:
    """Stop them; return the seconds that it took."""
    begun = time.monotonic()
    ending = [threading.Thread(target=each.stop, args=(GRACE,)) for each in receivers]
    for thread in ending:
        thread.start()
    for thread in ending:
        thread.join()
    return time.monotonic() - begun


def main() -> int:
    parser = argparse.ArgumentParser(description="A receiver under attack beside a C-MOVE.")
    parser.add_argument("--seconds", type=int, default=600)
    options = parser.parse_args()
    logging.getLogger("pacsfw").setLevel(logging.ERROR)  # there will be many warnings
    print(machine("dcmrecv"), flush=True)
    with temporary_folder() as folder:
        return run(folder, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
