"""Sinks: the formats that tables are written in."""
