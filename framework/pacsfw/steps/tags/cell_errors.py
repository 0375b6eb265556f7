"""Why a cell is empty although it should not be. Errors are data, and hold no value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Stage: TypeAlias = Literal["decode", "callback", "type", "required"]
"""Where it failed: the bytes, a callback, the column's type; or there is no value at all."""


@dataclass(frozen=True, slots=True)
class TagError:
    """Why a cell is empty although the object has the tag, or has to have it."""

    column: str
    tag: str
    """The tag path that was read; of a required tag without value the first one."""
    stage: Stage
    component: str
    """The callback that failed, empty in the other stages."""
    reason: str


class CellFailed(Exception):
    """A cell has no value; becomes a `TagError`."""

    def __init__(self, stage: Stage, reason: str, component: str = "") -> None:
        super().__init__(stage, reason, component)
        self.stage: Stage = stage
        self.reason, self.component = reason, component
