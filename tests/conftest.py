"""Fixtures for every test: real PACS, a port for our receiver, sample files."""

import multiprocessing

from hypothesis import HealthCheck, settings

pytest_plugins = ["peers.fixtures"]

# How long examples take says something of the machine, which may be busy.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")

# A run starts four processes, and importing what each needs takes most of the time of a test.
# Here they fork from one process that has imported it; they get what they would get if spawned.
# What tests start as a command of its own spawns them.
_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(
    ["pacsfw.collection.collection", "pacsfw.steps.receive.worker", "pacsfw.testing._server"]
)
_get_context = multiprocessing.get_context
multiprocessing.get_context = lambda method=None: (
    _FORKED if method == "spawn" else _get_context(method)
)
