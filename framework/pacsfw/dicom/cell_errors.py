"""Why a cell of a row is empty although it should not be."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Stage: TypeAlias = Literal[
    "decode", "callback", "type", "required", "read", "irregular", "file", "folder"
]
"""Where it failed, as in `pacsfw.api.ERRORS`; ``folder`` is one that was not looked into."""


class CellError(NamedTuple):
    """A cell, or with an empty ``column`` a whole row, that failed; holds no value of an object.

    Its fields are the columns of `pacsfw.api.ERRORS` that follow ``file``.
    """

    column: str
    tag: str
    """The tag path that was read; of a required tag without value the first one."""
    stage: Stage
    reason: str
    plugin: str
    """The component that failed and where it is from; empty if none did."""

    @classmethod
    def of_row(cls, stage: Stage, reason: str, plugin: str = "") -> CellError:
        """Return the error of a row that has no cells at all."""
        return cls("", "", stage, reason, plugin)
