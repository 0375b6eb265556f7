"""Tables, verdicts, and the sinks that store them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from pacsfw.api.context import Closing
from pacsfw.api.objects import Stored

ColumnType: TypeAlias = Literal[
    "text",
    "int",
    "float",
    "bool",
    "date",
    "time",
    "datetime",
    "duration",
    "texts",
    "ints",
    "floats",
    "json",
]
"""``texts``, ``ints`` and ``floats`` are lists, in which None is an empty value."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    type: ColumnType = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its name and its columns in order."""

    name: str
    columns: tuple[Column, ...]


ERRORS = Table(
    "errors",
    tuple(Column(name) for name in ("file", "column", "tag", "stage", "reason", "plugin")),
)
"""The table of errors, next to each table of instances: one row per cell left empty.

``stage`` is the stage that failed. ``decode``, ``callback``, ``type`` or ``required``: the cell
is empty. ``read``: the file has a row, but all its cells are empty. ``irregular``: the file
deviates from the standard, but could be read. ``file``: it has no row. ``table``: a table, named
in ``reason``, cannot store the row. So files seen = rows of a table + errors of the stage ``file``
+ those of the stage ``table`` for it. It contains no value of an instance.
"""

COLUMNS = Table(
    "columns",
    tuple(Column(name) for name in ("column", "type", "tag", "vr", "callback", "plugin")),
)
"""The source of each column of a table of instances: one row per column."""

Row: TypeAlias = "tuple[Any, ...]"
"""Values in the order of the table's columns; None is an empty cell."""

HEADER = "*"
"""In `Sink.attributes`: the complete header."""

VerdictState: TypeAlias = Literal[
    "complete", "complete-by-count", "complete-count-disagrees", "complete-and-more",
    "short", "over", "unverifiable", "failed",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesVerdict:
    """The verdict of one series of a study, with the fields of `Verdict`."""

    uid: str
    state: VerdictState
    reason: str = ""
    expected: int | None = None
    stored: int = 0
    source: str = ""
    missing: tuple[str, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The verdict of one study, and its evidence."""

    state: VerdictState
    reason: str = ""
    expected: int | None = None
    """The number of instances that must be stored: without those in `left_out`."""
    stored: int = 0
    source: str = ""
    """Source of the expected number: ``image-uids``, ``instance-count``, ``series-counts``,
    ``sub-operations``, or ``at-least`` if there may be more."""
    missing: tuple[str, ...] = ()
    series: tuple[SeriesVerdict, ...] = ()
    """Every series that the PACS lists or that is stored; empty if they are unknown."""
    comment: str = ""
    """What the PACS itself said. It may name a patient: only terminals show it."""
    left_out: int = 0
    """The number of instances that the PACS has and that were left out on purpose."""

    @property
    def is_complete(self) -> bool:
        """Whether this is one of the verdicts that need nobody's attention."""
        return self.state.startswith("complete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The rows of one key (a study), delivered together."""

    table: Table
    key: str
    rows: Sequence[Row]
    files: Sequence[Stored] = ()
    """The instance of each row; empty if the rows are not instances."""
    verdict: Verdict | None = None
    attributes: Sequence[Mapping[str, Any]] = ()
    """The attributes in `Sink.attributes` that the instance of each row has."""


class Sink(Closing, ABC):
    """Stores batches of rows: durable on return; a batch replaces that of the same (table, key).

    Delivery is at least once. Core calls `begin` at the first start, and `restore` at every
    later start. A sink with an append-only file sets ``appends``: the ledger then keeps its
    `position`, and `rewrite` is called if a key that was delivered before has changed. For
    every sink, `rewrite` is called if the columns have changed or the table is missing.

    Any method may raise `pacsfw.errors.Retry` with a reason: the target is temporarily
    unreachable. The call is repeated later; meanwhile the ledger keeps the rows.

    `deliver` and `rewrite` may raise `pacsfw.errors.Refused`: the target cannot store a value of
    the batch, of which it then has nothing. Core finds the row, lists it and delivers the others.
    ValueError, TypeError and ArithmeticError mean the same, unless the sink accepts no row at all.
    """

    appends: ClassVar[bool] = False
    attributes: Sequence[str] = ()
    """DICOM keywords that it needs of each instance, whatever the columns are; `HEADER` is
    the complete header in the DICOM JSON model (PS3.18 F), without bulk data."""

    def has(self, table: str) -> bool:
        """Return whether the target exists and contains this table."""
        return True

    @abstractmethod
    def deliver(self, batch: Batch) -> None:
        """Write one batch durably: it must survive a power failure."""

    def position(self) -> int:
        """Return the number of bytes written; committed with the delivery."""
        return 0

    def begin(self, table: Table) -> None:
        """Prepare a target that is new for this collection; refuse one with other rows."""

    def restore(self, table: Table, position: int) -> None:
        """Go back to the committed position: whatever follows it was not delivered."""

    def check_position(self, position: int) -> None:
        """Raise StateError if the target differs from its state committed at ``position``."""

    def mark(self, table: Table, position: int) -> str:
        """Return what identifies the content committed at ``position``, whatever its path.

        The ledger keeps it with the position. A later run compares: a table with another mark was
        edited or is another one, and a table that was moved is recognized. The same content
        must always have the same mark, also in a new object and without `restore`. Empty: not
        known, which compares with nothing.
        """
        return ""

    def holds(self, table: Table, batches: Iterable[Batch], position: int) -> bool:
        """Return whether the content at ``position`` is exactly these batches, in any order.

        It is called without `restore`, by `pacsfw verify`, if a sink implements it.
        """
        raise TypeError(f"{type(self).__name__} cannot be compared")

    def rewrite(self, table: Table, batches: Iterable[Batch]) -> None:
        """Replace the entire table atomically."""
        raise TypeError(f"{type(self).__name__} cannot be rewritten")

    @property
    def rewrites(self) -> bool:
        """Return whether it implements `rewrite`; otherwise it gets every batch again."""
        return type(self).rewrite is not Sink.rewrite

    @property
    def compares(self) -> bool:
        """Return whether it implements `holds`."""
        return type(self).holds is not Sink.holds

    @property
    def lists(self) -> bool:
        """Return whether it implements `read`, so that it can serve as the study list."""
        return type(self).read is not Sink.read

    def read(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield the rows as (location, column to text), for a sink used as the study list."""
        raise TypeError(f"{type(self).__name__} cannot serve as a study list")
