"""Collections from the documented configuration."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

import pytest

from pacsfw.collection import session as conductor
from pacsfw.steps.run import Timing
from pacsfw.testing import FaultyPACS
from support.documented import Collected


@pytest.fixture(autouse=True)
def short_deadlines(monkeypatch):
    """What will not come is given up on sooner than on a real network."""
    monkeypatch.setattr(conductor, "Timing", partial(Timing, quiet=1.0, grace=5.0, pause=0.1))


@pytest.fixture
def collection(tmp_path, receiver_port):
    """Makes a collection from a PACS; further ones go into other folders."""
    made = []

    def make(pacs, **changes) -> Collected:
        folder = tmp_path / f"collection{len(made)}"
        made.append(Collected(folder, receiver_port, pacs.port, changes.get("changes", {})))
        return made[-1]

    return make


@pytest.fixture
def faulty_pacs(destinations):
    """Starts a `FaultyPACS` that serves one association at a time."""
    with ExitStack() as stack:

        def start(studies, **faults) -> FaultyPACS:
            usual = {"aetitle": "theirtitle", "destinations": destinations, "max_associations": 1}
            return stack.enter_context(FaultyPACS(studies, **(usual | faults)))

        yield start
