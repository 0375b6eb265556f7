"""What the tests of several rooms begin with."""

from __future__ import annotations

import pytest

from pacsfw.ledger import open_ledger


@pytest.fixture
def ledger(tmp_path):
    """An empty ledger, open for writing, in the state folder of the test."""
    ledger = open_ledger(tmp_path / "state")
    yield ledger
    ledger.close()
