"""Observers, which follow a run."""
