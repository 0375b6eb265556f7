"""The receiver of pacsfw as a program of its own, for the benchmarks.

    python benchmarks/receiving.py PORT FOLDER --processes 2 [--everything OBJECTS]

Alone it only fills the spool. With ``--everything`` objects also go through ingest (digest,
integrity, layout, tags) into the archive and the ledger, and when so many are there the time
is printed. Ends with SIGTERM. Every process that it starts imports this module, so that it
imports no more than `pacsfw` does.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from pacsfw.api import Node
from pacsfw.spool.records import SpoolRecord
from pacsfw.steps.receive import Receiver

AETITLE = "PACSFW"


class Ignoring:
    """Takes what is received, and does nothing with it."""

    def take(self, _: Sequence[SpoolRecord]) -> None:
        return


def main() -> int:
    parser = argparse.ArgumentParser(description="The receiver of pacsfw by itself.")
    parser.add_argument("port", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--everything", type=int, default=0, metavar="OBJECTS")
    options = parser.parse_args()
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    node = Node(aetitle=AETITLE, bind="127.0.0.1", port=options.port)
    if not options.everything:
        receiver = Receiver(node, options.folder, options.processes, Ignoring())
        receiver.start()
        print("ready", flush=True)
        over.wait()
        receiver.stop(1)
        return 0
    folder, port = options.folder, options.port
    from storing import Everything

    with Everything(folder, port, options.workers, options.everything) as everything:
        receiver = Receiver(
            node, everything.spool, options.processes, everything.intake, digest=True
        )
        receiver.start()
        print("ready", flush=True)
        over.wait()
        receiver.stop(1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
