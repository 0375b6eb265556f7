"""What the tests of delivery begin with."""

from __future__ import annotations

import pytest

from pacsfw.api import Clock
from support.context import run_context


@pytest.fixture
def context(tmp_path):
    return run_context(tmp_path, clock=Clock())
