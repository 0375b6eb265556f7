"""Deliver the rows of settled studies to the sinks, at least once."""
