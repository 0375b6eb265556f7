"""The find step: ask, keep in the ledger, write the work list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from pacsfw.api import Answer, Clock, Event, Level, Net, ResourcesFound, Sink, Slice
from pacsfw.find import worklist
from pacsfw.find.planner import Ask, Criteria, Planner
from pacsfw.ledger import Ledger


def fingerprint(criteria: Criteria, level: Level, net: Net) -> str:
    """Name a query: the same text means the same question to the same PACS."""
    called = net.called
    identity = [
        level,
        criteria.dates,
        criteria.modality,
        sorted(criteria.returns),
        [called.aetitle, called.ip, called.port] if called else [],
    ]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]


def find(
    criteria: Criteria,
    level: Level,
    query: str,
    *,
    ask: Ask,
    ledger: Ledger,
    sink: Sink,
    list_exists: bool,
    clock: Clock,
    notify: Callable[[Event], None],
) -> int:
    """Find every study that matches and list it in ``storage.resources``.

    Parameters
    ----------
    level
        STUDY or PATIENT: one row per study or per patient; studies are asked either way,
        because dates and modality are no keys of the patient level (PS3.4 C.6.1.1).
    query
        The `fingerprint`, under which the evidence is kept.
    list_exists
        Whether there is a work list already.

    Returns
    -------
    int
        The number of studies that match.

    Raises
    ------
    RemoteError
        The PACS could not be asked, or did not answer whole.
    """

    def evidence(slice_: Slice, answer: Answer, rows: int, seconds: float) -> None:
        ledger.questions.record(query, slice_, answer, rows=rows, seconds=seconds, at=clock.now())

    total = 0
    studies = list(Planner(ask, evidence, clock).studies(criteria))
    with ledger.together():
        for attributes in studies:
            ledger.studies.add(attributes["StudyInstanceUID"], attributes, "find")
            total += 1
    worklist.write(sink, ledger, level, criteria.search_fields, exists=list_exists)
    # Only now: a kill before this line makes the next run ask again.
    ledger.remember(f"found {query}", clock.now().isoformat())
    notify(ResourcesFound(at=clock.now(), total=total))
    return total


def answered_at(query: str, ledger: Ledger) -> str | None:
    """Return when this query was last answered whole, or None."""
    return ledger.fact(f"found {query}")
