"""Fixtures for every test: real PACS, a port for our receiver, sample files."""

import atexit
import os
import shutil
import sys
import tempfile

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["support.forked", "peers.fixtures"]

# How long examples take says something of the machine, which may be busy.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")

# The index of plugins is not that of the user. Processes that run tests at once share it.
if "PACSFW_CACHE_DIR" not in os.environ:
    os.environ["PACSFW_CACHE_DIR"] = tempfile.mkdtemp(prefix="pacsfw-tests-")
    atexit.register(shutil.rmtree, os.environ["PACSFW_CACHE_DIR"], ignore_errors=True)


@pytest.fixture(autouse=True)
def _own_path():
    """What is added for the plugins of one test is not found by another."""
    before = list(sys.path)
    yield
    sys.path[:] = before
