"""Objects of plugins, guarded as the registry does."""

from __future__ import annotations

from typing import Any

from pacsfw.plugins.boundary import Boundary
from pacsfw.plugins.guards import guarded
from pacsfw.plugins.guards.kinds import KINDS


def guard(kind: str, built: Any, component: str = "'it' (from x 1.0)") -> Any:
    return guarded(kind, built, Boundary(kind, component))


def plain(kind: str) -> Any:
    """An object that its kind accepts, and that can do nothing."""
    if kind not in KINDS:
        return str
    made = type("Plain", (KINDS[kind].base,), {"read": lambda self: iter(())})
    made.__abstractmethods__ = frozenset()
    return made()
