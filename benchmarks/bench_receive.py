"""The receiver of pacsfw beside other Storage SCPs, in the same run.

    python benchmarks/bench_receive.py [--parts alone,pdu,...] [--runs 5]
                                       [--objects 1000] [--associations 1,4,16]

The sender is a raw socket that is fed prepared bytes, one process per association, so that
the receivers are what is measured; sender and receiver share the machine. All receivers of a
table run at once and are measured in turn. Peers are started with TCP_NODELAY=1, at their
best. Prints medians and ratios. pacsanini takes part where $PACSANINI_PYTHON names its Python.
Ends with 1 where a target of docs/performance.md was not met.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ingest_costs import costs
from measured import machine
from population import temporary_folder
from storage_peers import DCMTK, OURS, PACSANINI, Kind, Measured, Receiver, kinds
from wire_objects import SHAPES

from peers.process import free_port

SIZES = {"ct": "512 KB", "small": "5 KB"}
TARGETS = {
    ("ct", DCMTK): 1.0,
    ("small", DCMTK): 0.9,
    ("ct", "pynetdicom storescp"): 8.0,
    ("small", "pynetdicom storescp"): 20.0,
    ("ct", "Orthanc"): 4.0,
    ("small", "Orthanc"): 4.0,
}
SMALL_FACTOR = 5
"""So many small objects are sent for one large one."""
missed: list[str] = []


@contextmanager
def running(
    folder: Path, chosen: Sequence[Kind], ours: Sequence[str] = ()
) -> Iterator[list[Receiver]]:
    """Start receivers in a folder; ``ours`` are options of that of pacsfw."""
    receivers: list[Receiver] = []
    try:
        for number, kind in enumerate(chosen):
            extra = list(ours) if kind.name == OURS else []
            receivers.append(Receiver(kind, free_port(), folder / f"receiver{number}", extra))
            receivers[-1].start()
        yield receivers
    finally:
        for receiver in receivers:
            receiver.stop()


def table(title: str, receivers: Sequence[Receiver], target: str = "") -> None:
    """Print the medians of what was measured, and forget it."""
    medians = {
        receiver.kind.name: _median(receiver.runs) for receiver in receivers if receiver.runs
    }
    ours = medians[OURS]
    print(f"\n{title}; median of {len(receivers[0].runs)} runs\n")
    print("| receiver | objects/s (slowest, fastest) | pacsfw is | CPU ms/object | peak MB |")
    print("|---|---|---|---|---|")
    for receiver in receivers:
        if not receiver.runs:
            continue
        rates = [run.rate for run in receiver.runs]
        one = medians[receiver.kind.name]
        ratio = ours.rate / one.rate
        wanted = TARGETS.get((target, receiver.kind.name), 0)
        short = ""
        if ratio < wanted:
            short = f" (target {wanted})"
            missed.append(f"{title}: {ratio:.2f} of {receiver.kind.name}, not {wanted}")
        print(
            f"| {receiver.kind.name} | {one.rate:,.4g} ({min(rates):,.4g}, {max(rates):,.4g}) |"
            f" {ratio:.2f}x{short} | {1e3 * one.cpu:.3f} | {one.memory / 1e6:.0f} |",
            flush=True,
        )
        receiver.runs.clear()


def _median(runs: Sequence[Measured]) -> Measured:
    return Measured(
        statistics.median(run.rate for run in runs),
        statistics.median(run.cpu for run in runs),
        max(run.memory for run in runs),
    )


def row(
    receivers: Sequence[Receiver], options: argparse.Namespace, shape: str, *more: str
) -> list[Receiver]:
    """Measure each receiver in turn, again and again."""
    associations = int(more[more.index("--associations") + 1])
    taking_part = [each for each in receivers if each.kind.associations >= associations]
    for _ in range(options.runs):
        for receiver in taking_part:
            factor = SMALL_FACTOR if shape == "small" else 1
            objects = max(int(options.objects * factor * receiver.kind.share), 10 * associations)
            options.run += 1
            receiver.measure(options.run, objects, "--shape", shape, *more)
            receiver.clear()
    return taking_part


def alone(options: argparse.Namespace, base: Path) -> None:
    with running(base / "alone", list(kinds().values())) as receivers:
        for shape, size in SIZES.items():
            for associations in options.associations:
                measured = row(receivers, options, shape, "--associations", str(associations))
                table(f"{size}, {associations} association(s), tmpfs", measured, shape)


def pdu(options: argparse.Namespace, base: Path) -> None:
    with running(base / "pdu", [kinds()[OURS], kinds()[DCMTK]]) as receivers:
        for size in (4096, 16384, 131072):
            measured = row(receivers, options, "ct", "--associations", "1", "--pdu", str(size))
            table(f"512 KB in PDUs of {size // 1024} KB, 1 association, tmpfs", measured)


def disk(options: argparse.Namespace, _base: Path) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="pacsfw-bench-", dir=options.disk) as folder,
        running(Path(folder), [kinds()[OURS], kinds()[DCMTK]]) as receivers,
    ):
        for shape, size in SIZES.items():
            measured = row(receivers, options, shape, "--associations", "4")
            table(f"{size}, 4 associations, disk", measured)


def everything(options: argparse.Namespace, base: Path) -> None:
    """Ours until the last object is in archive and ledger; the others while they receive."""
    bare = [kinds()[name] for name in (DCMTK, "storescp")]
    for shape, associations in (("ct", 1), ("ct", 4), ("small", 4)):
        objects = options.objects * (SMALL_FACTOR if shape == "small" else 1)
        more = ("--shape", shape, "--associations", str(associations))
        with running(base / f"bare-{shape}-{associations}", bare) as peers:
            runs: list[Measured] = []
            for number in range(options.runs):
                folder = base / f"all-{shape}-{associations}-{number}"
                ours = Receiver(kinds()[OURS], free_port(), folder, ["--everything", str(objects)])
                ours.start()
                try:
                    runs.append(ours.measure(options.run, objects, *more, finish=True))
                finally:
                    ours.stop()
                for peer in peers:
                    options.run += 1
                    peer.measure(options.run, int(objects * peer.kind.share), *more)
                    peer.clear()
            ours.runs = runs
            title = f"{SIZES[shape]}, {associations} association(s), tmpfs, everything on"
            ratio = _median(runs).rate / _median(peers[0].runs).rate
            if ratio < 0.6:
                missed.append(f"{title}: {ratio:.2f} of {DCMTK} bare, not 0.6")
            table(title, [ours, *peers])


def huge(options: argparse.Namespace, base: Path) -> None:
    chosen = [kinds()[OURS], kinds()[DCMTK]]
    with running(base / "huge", chosen, ["--processes", "1"]) as receivers:
        for _ in range(min(options.runs, 5)):
            for receiver in receivers:
                options.run += 1
                more = ("--shape", "huge", "--associations", "1")
                measured = receiver.measure(options.run, 1, *more)
                if receiver.kind.name == OURS and measured.memory > 100e6:
                    missed.append(f"a 2 GB object took {measured.memory / 1e6:.0f} MB")
                receiver.clear()
        size = SHAPES["huge"].pixel_bytes / 1e9
        table(f"one multi-frame object of {size:.1f} GB, tmpfs", receivers)


def profile(options: argparse.Namespace, base: Path) -> None:
    """What an object costs beyond receiving it, which says what everything on can reach."""
    for shape, size in SIZES.items():
        folder = base / f"profile-{shape}"
        folder.mkdir()
        print(f"\n{size}, what it costs beyond receiving it, in one process\n")
        print("| step | CPU us/object |")
        print("|---|---|")
        for step, cost in costs(folder, shape, options.objects).items():
            print(f"| {step} | {cost:.0f} |", flush=True)


PARTS = {
    "alone": alone,
    "pdu": pdu,
    "disk": disk,
    "everything": everything,
    "profile": profile,
    "huge": huge,
}


def _numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",")]


def main() -> int:
    parser = argparse.ArgumentParser(description="Time the receiver beside others.")
    parser.add_argument("--parts", default=",".join(PARTS), help=", ".join(PARTS))
    parser.add_argument("--runs", type=int, default=5)
    default = int(os.environ.get("OBJECTS", "1000"))
    parser.add_argument("--objects", type=int, default=default, help="default: $OBJECTS or 1000")
    parser.add_argument(
        "--associations",
        type=_numbers,
        default=[1, 4, 16],
    )
    parser.add_argument("--disk", help="a folder on a disk; default: that for temporary files")
    options = parser.parse_args()
    options.run = 0
    print(f"machine: {machine('storescp', 'Orthanc')}")
    if not PACSANINI:
        print("pacsanini: skipped, $PACSANINI_PYTHON does not name a Python that has it")
    with temporary_folder() as base:
        for part in options.parts.split(","):
            PARTS[part](options, base)
    for one in missed:
        print(f"target missed: {one}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
