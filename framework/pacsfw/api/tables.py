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


Row: TypeAlias = "tuple[Any, ...]"
"""Values in the order of the table's columns; None is an empty cell."""

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
    verdict: Verdict | None = None


class Sink(Closing, ABC):
    """Takes batches of rows; durable on return; the same (table, key) replaces.

    Delivery is at least once. A sink over a file that can only grow sets ``appends``: then
    the ledger keeps its `position`; core calls `begin` the very first time, `restore` with the
    committed position at every later start,
    and calls `rewrite` when a key that was delivered before has changed.
    """

    appends: ClassVar[bool] = False

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

    def read(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Give rows back as (where, column to text), for a sink used as the work list."""
        raise TypeError(f"{type(self).__name__} cannot serve as a work list")
