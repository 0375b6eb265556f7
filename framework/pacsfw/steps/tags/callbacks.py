"""Callbacks of tags, each call of them under a time limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pacsfw.api import TagCallback
from pacsfw.config import Use
from pacsfw.plugins.registry import Registry
from pacsfw.workers.limits import limited


def limited_callbacks(
    registry: Registry, seconds: float, functions: Mapping[str, TagCallback] | None = None
) -> Callable[[Use], TagCallback]:
    """Return what builds a callback under a time limit (0: none).

    It is one of ``functions``, or a plugin's.
    """
    own = functions or {}

    def build(use: Use) -> TagCallback:
        found = own.get(use.name) or registry.build("callback", use.name, use.options)
        return limited(found, seconds) if seconds else found

    return build
