"""The archives that collections of a campaign are made from, and what they hold."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faults.room import Truth
from pacsfw.testing import EmbeddedPACS, Study, make_studies, write_studies
from peers.dcmqrscp import Dcmqrscp
from peers.orthanc import Orthanc

TITLE = "theirtitle"


def studies(count: int = 6) -> list[Study]:
    return make_studies(count, days=60, modalities=(("CT", "CT"),), instances=4)


@contextmanager
def serving(kind: str, receiver_port: int, held: Sequence[Study]) -> Iterator[tuple[Any, Truth]]:
    """Start an archive with these studies; gives it and what it holds."""
    destinations = {"mytitle": ("127.0.0.1", receiver_port)}
    with tempfile.TemporaryDirectory(prefix="pacsfw-peer-") as name:
        folder = Path(name)
        if kind == "embedded":
            with EmbeddedPACS(held, aetitle=TITLE, destinations=destinations) as pacs:
                yield pacs, Truth.of(pacs)
            return
        server = (Orthanc if kind == "orthanc" else Dcmqrscp)(folder / "peer", TITLE, destinations)
        server.start()
        try:
            server.load(write_studies(folder / "files", held))
            yield server, Truth.of(server, [study.uid for study in held])
        finally:
            server.stop()
