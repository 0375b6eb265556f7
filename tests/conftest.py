"""Fixtures for every test: real PACS, a port for our receiver, sample files."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["support.forked", "peers.fixtures"]

# How long examples take says something of the machine, which may be busy.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")
