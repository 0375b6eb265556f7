"""The archives that collections of a campaign are made from, and what they hold."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from faults.room import Truth
from pacsfw.testing import EmbeddedPACS, Study, awkward_studies, make_studies, write_studies
from peers.dcmqrscp import Dcmqrscp
from peers.orthanc import Orthanc

TITLE = "theirtitle"
PRIVATE = "1.3.46.670589.11.0.0.12.1"


def studies(count: int = 6) -> list[Study]:
    """Some plain ones, two with names in Japanese, one of a private SOP class, and a twin.

    The twin has an object with the UID of another study's.
    """
    plain = make_studies(count - 4, days=60, modalities=(("CT", "CT"),), instances=4)
    awkward = awkward_studies(study_date="20200301")
    named = [awkward[name] for name in ("japanese, iso 2022", "japanese, utf-8")]
    private = replace(plain[0], number=99, extra={"SOPClassUID": PRIVATE})
    shared = {"SOPInstanceUID": plain[0].sop_uid(1, 1)}
    twin = replace(plain[0], number=98, patient_id="TWIN", instances=1, extra=shared)
    return [*plain, *named, private, twin]


def held_by(kind: str, studies: Sequence[Study]) -> Sequence[Study]:
    """Return what an archive takes: dcmqrscp has no private classes, and each UID once."""
    odd = {"SOPClassUID", "SOPInstanceUID"}
    return [study for study in studies if kind != "dcmqrscp" or not odd & study.extra.keys()]


@contextmanager
def serving(kind: str, receiver_port: int, held: Sequence[Study]) -> Iterator[tuple[Any, Truth]]:
    """Start an archive with these studies; gives it and what it holds."""
    held = held_by(kind, held)
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
