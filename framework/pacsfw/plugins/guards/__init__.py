"""Guards: every call into a component goes through its boundary, and its results are checked."""

from pacsfw.plugins.guards.kinds import guarded, no_such_object

__all__ = ["guarded", "no_such_object"]
"""What the registry needs."""
