"""The contract of sinks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, ClassVar

from pacsfw.api import Batch, Column, Row, Sink, Table
from pacsfw.testing.contracts.component import ComponentContract

TABLE = Table("instances", (Column("uid"), Column("note"), Column("slices", "int")))
TYPED = Table(
    "instances",
    (
        Column("uid"),
        Column("whole", "int"),
        Column("number", "float"),
        Column("flag", "bool"),
        Column("day", "date"),
        Column("at", "time"),
        Column("moment", "datetime"),
        Column("lasted", "duration"),
        Column("more", "json"),
    ),
)
FULL: Row = (
    *("1.1", 2**40, 0.1, True, date(1900, 2, 28), time(23, 59, 59, 999999)),
    *(datetime(2020, 6, 15, 12, 30, tzinfo=UTC), timedelta(hours=30), {"a": [1, "ü", None]}),
)
EMPTY: Row = ("1.2", *[None] * 8)
NOTES = ("007", "=1+1", 'a "b", c\nd\r\ne', "Müller 漢字", " x ", "NULL", "'; DROP TABLE x;--")
"""Texts that must be read back unchanged."""


class SinkContract(ComponentContract):
    """A sink stores deliveries durably, and the same key replaces its rows.

    The suite works like a run: `begin` at first, `restore` with the committed position
    later, and `rewrite` if a key comes again for a sink that ``appends``.
    """

    kind = "sink"
    target: ClassVar[str] = ""
    """File in the folder of the test, for a sink with the option ``path``."""

    @abstractmethod
    def rows(self, folder: Path) -> Iterable[Mapping[str, Any]]:
        """Read the rows back, without using the sink that wrote them.

        Only the columns ``uid`` and ``note`` are compared, as text.
        """

    def options_in(self, folder: Path) -> Mapping[str, Any]:
        """Return the options to write into a folder; override it for databases."""
        path = {"path": str(folder / self.target)} if self.target else {}
        return {**self.options, **path}

    @contextmanager
    def writing(self, folder: Path, table: Table = TABLE, at: int | None = None) -> Iterator[Sink]:
        """Open a sink like a run does; ``at`` is the committed position of an earlier run."""
        with self.opened(self.make(**self.options_in(folder)), folder) as sink:
            if at is None:
                sink.begin(table)
            else:
                sink.restore(table, at)
            yield sink

    def notes(self, folder: Path) -> dict[str, str]:
        """Return the notes by UID; UIDs must be unique."""
        found = [(str(row["uid"]), row.get("note")) for row in self.rows(folder)]
        uids = [uid for uid, _ in found]
        assert len(uids) == len(set(uids)), f"duplicate rows: {sorted(uids)}"
        return {uid: "" if note is None else str(note) for uid, note in found}

    def test_what_was_delivered_is_there_at_once(self, tmp_path: Path) -> None:
        """The ledger records a delivery as soon as `deliver` returns: a crash may follow."""
        with self.writing(tmp_path) as sink:
            sink.deliver(_batch("A", ("1.1", "first", 1), ("1.2", None, None)))
            assert self.notes(tmp_path) == {"1.1": "first", "1.2": ""}
            sink.deliver(_batch("B", ("2.1", "second", 2)))
            assert self.notes(tmp_path) == {"1.1": "first", "1.2": "", "2.1": "second"}
        assert len(self.notes(tmp_path)) == 3

    def test_texts_come_back_as_they_were(self, tmp_path: Path) -> None:
        """Whatever they contain."""
        rows = [(f"1.{number}", note, number) for number, note in enumerate(NOTES)]
        with self.writing(tmp_path) as sink:
            sink.deliver(_batch("A", *rows))
        assert self.notes(tmp_path) == {uid: note for uid, note, _ in rows}

    def test_every_type_of_column_is_taken(self, tmp_path: Path) -> None:
        """With a value and without."""
        with self.writing(tmp_path, TYPED) as sink:
            sink.deliver(_batch("A", FULL, EMPTY, table=TYPED))
        assert sorted(self.notes(tmp_path)) == ["1.1", "1.2"]

    def test_a_later_run_goes_on(self, tmp_path: Path) -> None:
        """It opens the same target with the committed position."""
        with self.writing(tmp_path) as sink:
            sink.deliver(_batch("A", ("1.1", "first", 1)))
            position = sink.position()
        with self.writing(tmp_path, at=position) as sink:
            sink.deliver(_batch("B", ("2.1", "second", 2)))
        assert self.notes(tmp_path) == {"1.1": "first", "2.1": "second"}

    def test_a_mark_is_found_again(self, tmp_path: Path) -> None:
        """It is that of the committed content, whatever was delivered after it."""
        with self.writing(tmp_path) as sink:
            sink.deliver(_batch("A", ("1.1", "committed", 1)))
            position = sink.position()
            mark = sink.mark(TABLE, position)
            sink.deliver(_batch("B", ("2.1", "not committed", 2)))
        with self.opened(self.make(**self.options_in(tmp_path)), tmp_path) as sink:
            assert sink.mark(TABLE, position) == mark

    def test_a_table_is_compared_with_its_batches(self, tmp_path: Path) -> None:
        """If the sink can compare: for `pacsfw verify`."""
        one, other = _batch("A", ("1.1", "first", 1)), _batch("B", ("2.1", None, 2))
        with self.writing(tmp_path) as sink:
            sink.deliver(one)
            sink.deliver(other)
            position = sink.position()
        with self.opened(self.make(**self.options_in(tmp_path)), tmp_path) as sink:
            if type(sink).holds is Sink.holds:
                return
            assert sink.holds(TABLE, [other, one], position)
            assert not sink.holds(TABLE, [one], position)
            assert not sink.holds(TABLE, [one, _batch("B", ("2.1", "other", 2))], position)

    def test_the_same_key_replaces(self, tmp_path: Path) -> None:
        """A study that is settled again has other rows, perhaps fewer."""
        other = _batch("B", ("2.1", "stays", 2))
        changed = _batch("A", ("1.3", "new", 3))
        with self.writing(tmp_path) as sink:
            sink.deliver(_batch("A", ("1.1", "old", 1), ("1.2", "old", 2)))
            sink.deliver(other)
            _replace(sink, changed, [changed, other])
        assert self.notes(tmp_path) == {"1.3": "new", "2.1": "stays"}

    def test_a_delivery_that_nobody_noted_can_come_again(self, tmp_path: Path) -> None:
        """After a crash between `deliver` and the ledger, the batch is delivered again."""
        again = _batch("B", ("2.1", "again", 1))
        with self.writing(tmp_path) as sink:
            sink.deliver(_batch("A", ("1.1", "noted", 1)))
            noted = sink.position()
            sink.deliver(again)
        with self.writing(tmp_path, at=noted) as sink:
            sink.deliver(again)
        assert self.notes(tmp_path) == {"1.1": "noted", "2.1": "again"}

    def test_a_key_without_rows_has_none(self, tmp_path: Path) -> None:
        """All its instances may have been skipped."""
        with self.writing(tmp_path) as sink:
            sink.deliver(_batch("A", ("1.1", "first", 1)))
            sink.deliver(_batch("B"))
            _replace(sink, _batch("A"), [])
        assert self.notes(tmp_path) == {}

    def test_a_rewrite_that_fails_changes_nothing(self, tmp_path: Path) -> None:
        """The table is intact at all times."""

        def failing() -> Iterator[Batch]:
            yield _batch("A", ("1.9", "new", 9))
            raise RuntimeError("the ledger went away")

        with self.writing(tmp_path) as sink:
            sink.deliver(_batch("A", ("1.1", "old", 1)))
            try:
                sink.rewrite(TABLE, failing())
            except TypeError:
                assert not sink.appends, f"{self.name} appends and cannot be rewritten"
            except RuntimeError:
                pass
            else:
                raise AssertionError("a rewrite that could not finish reported success")
        assert self.notes(tmp_path) == {"1.1": "old"}


def _batch(key: str, *rows: Row, table: Table = TABLE) -> Batch:
    return Batch(table=table, key=key, rows=rows)


def _replace(sink: Sink, batch: Batch, everything: Iterable[Batch]) -> None:
    """Deliver a key again, like core does."""
    if sink.appends:
        sink.rewrite(batch.table, everything)
    else:
        sink.deliver(batch)
