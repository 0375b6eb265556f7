"""Sinks, which write tables."""
