"""Tables, verdicts, and the sinks that take them."""

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
"""``texts``, ``ints`` and ``floats`` hold lists of these, in which None is an empty value."""


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
"""What failed, beside each table of objects: one row per cell that stayed empty.

``stage`` says how far it came. ``decode``, ``callback``, ``type`` or ``required``: the cell is
empty. ``read``: the file has a row, all cells of which are empty. ``file``: it has no row. So
files seen = rows of the table + errors of the stage ``file``. No value of an object is in it.
"""

COLUMNS = Table(
    "columns",
    tuple(Column(name) for name in ("column", "type", "tag", "vr", "callback", "plugin")),
)
"""Where each column of a table of objects comes from: one row per column."""

Row: TypeAlias = "tuple[Any, ...]"
"""Values in the order of the table's columns; None is an empty cell."""

HEADER = "*"
"""In `Sink.attributes`: the whole header."""

VerdictState: TypeAlias = Literal[
    "complete", "complete-by-count", "short", "over", "unverifiable", "failed"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesVerdict:
    """What became of one series of a study; its fields are those of `Verdict`."""

    uid: str
    state: VerdictState
    reason: str = ""
    expected: int | None = None
    stored: int = 0
    source: str = ""
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one study, and on what evidence."""

    state: VerdictState
    reason: str = ""
    expected: int | None = None
    stored: int = 0
    source: str = ""
    """Where the expectation came from: ``image-uids``, ``instance-count``, ``series-counts`` or
    ``sub-operations``."""
    missing: tuple[str, ...] = ()
    series: tuple[SeriesVerdict, ...] = ()
    """Every series that the PACS lists or that is here; none where nothing is known of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The rows of one key (a study), delivered as a whole."""

    table: Table
    key: str
    rows: Sequence[Row]
    files: Sequence[Stored] = ()
    """The object of each row; empty where rows stand for something else."""
    verdict: Verdict | None = None
    attributes: Sequence[Mapping[str, Any]] = ()
    """Of the object of each row, what `Sink.attributes` asked for and it has."""


class Sink(Closing, ABC):
    """Takes batches of rows; durable on return; the same (table, key) replaces.

    Delivery is at least once. Core calls `begin` the very first time, and `restore` at every
    later start. A sink over a file that can only grow sets ``appends``: then the ledger keeps
    its `position`, and `rewrite` is called when a key that was delivered before has changed.
    Of every sink it is called when the columns have changed or the table is gone.

    Any method may raise `pacsfw.errors.Retry` with a reason: the target cannot be reached at the
    moment. What was to be done is done later; meanwhile the ledger keeps the rows.
    """

    appends: ClassVar[bool] = False
    attributes: Sequence[str] = ()
    """DICOM keywords that it wants to know of each object, whatever the columns are; `HEADER`
    stands for the whole header in the DICOM JSON model (PS3.18 F), without bulk data."""

    def has(self, table: str) -> bool:
        """Tell whether the target and this table in it are there."""
        return True

    @abstractmethod
    def deliver(self, batch: Batch) -> None:
        """Write one batch so that it survives a power cut."""

    def position(self) -> int:
        """Return how much is written (bytes); committed with the delivery."""
        return 0

    def begin(self, table: Table) -> None:
        """Prepare a target that this collection has never written; refuse another's rows."""

    def restore(self, table: Table, position: int) -> None:
        """Go back to the committed position: what follows it was never delivered."""

    def check(self, position: int) -> None:
        """Raise StateError where the target is not what was committed at ``position``."""

    def rewrite(self, table: Table, batches: Iterable[Batch]) -> None:
        """Replace the whole table, atomically."""
        raise TypeError(f"{type(self).__name__} cannot be rewritten")

    @property
    def rewrites(self) -> bool:
        """Tell whether it has `rewrite`; one that does not is given every batch again."""
        return type(self).rewrite is not Sink.rewrite

    def read(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Give rows back as (where, column to text), for a sink used as the study list."""
        raise TypeError(f"{type(self).__name__} cannot serve as a study list")
