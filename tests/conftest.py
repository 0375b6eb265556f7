"""Fixtures for every test: real PACS, a port for our receiver, sample files."""

pytest_plugins = ["peers.fixtures"]
