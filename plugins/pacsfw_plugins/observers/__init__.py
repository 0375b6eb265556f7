"""Observers: who is told about a run."""
