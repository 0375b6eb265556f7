"""Read files into batches of rows: the loop of `pacsfw parse -i`, and its progress.

The files are sorted by path, for any number of workers. The progress is therefore one
position: the last file whose row is in the tables. A kill loses at most the rows of one batch,
which are read and delivered again with the same key.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

from pacsfw.api import Batch, FilesParsed, Row, Stored
from pacsfw.ledger.deliveries import RefusedRow
from pacsfw.parse.duplicates import Duplicates, OnDuplicate
from pacsfw.parse.targets import append_to, new_prefix
from pacsfw.parse.tree.file_reader import Parsed, Unparsed
from pacsfw.parse.tree.files import TreeReader, position
from pacsfw.parse.tree.tally import Tally, errors_of
from pacsfw.parse.tree.walk import Item, Position
from pacsfw.steps.deliver.sources import error_row
from pacsfw.steps.deliver.writing import Delivery, Writer, Written, with_retries
from pacsfw.steps.run import Run
from pacsfw.workers import Crashed, OrderedPool

PROGRESS_FACT = "parse"
"""Ledger fact: the progress, as JSON."""

CHUNK = 10_000
"""Maximum number of files in one batch."""

CHUNK_SECONDS = 15.0
"""Maximum time that a batch waits for more files."""

NOTIFY_SECONDS = 0.5
"""Minimum time between two progress events."""


@dataclass(slots=True)
class Chunk:
    """The rows of consecutive files, to be delivered to the tables."""

    key: str
    due: float
    with_path: bool = True
    rows: list[Row] = field(default_factory=list)
    errors: list[Row] = field(default_factory=list)
    files: list[Stored] = field(default_factory=list)
    attributes: list[Mapping[str, Any]] = field(default_factory=list)
    last: Item | None = None
    size: int = 0

    def add(self, item: Item, outcome: Parsed | Unparsed | Crashed) -> None:
        """Add one outcome."""
        self.last = item
        self.size += 1
        self.errors += (error_row(item.place, error) for error in errors_of(item, outcome))
        if isinstance(outcome, Parsed):
            self.rows.append((*outcome.row, item.place) if self.with_path else outcome.row)
            if outcome.about is not None:
                self.files.append(replace(outcome.about.stored, path=Path(item.place)))
                self.attributes.append(outcome.about.attributes)

    def batches(self, tables: Sequence[Written]) -> list[tuple[Written, Batch]]:
        """Return the batches of the instance table and of the error table."""
        instances, *others = tables
        rows = Batch(
            table=instances.table,
            key=self.key,
            rows=self.rows,
            files=self.files,
            attributes=self.attributes,
        )
        return [
            (instances, rows),
            *((each, Batch(table=each.table, key=self.key, rows=self.errors)) for each in others),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopOptions:
    """How rows are written.

    Attributes
    ----------
    state
        The folder of the resume state.
    on_duplicate
        What happens to rows whose SOP Instance UID an earlier row has.
    append
        Continue existing tables.
    exclude_path
        Write no column of paths.
    """

    state: Path
    on_duplicate: OnDuplicate = "keep"
    append: bool = False
    exclude_path: bool = False


class Loop:
    """Reads every file of a tree once.

    Parameters
    ----------
    root, ignore
        As for `pacsfw.parse.tree.files.files_of`.
    tables
        The instance table, then the error table if there is one; both are open.
    pool
        Its workers run `pacsfw.parse.tree.file_reader.FileReader`.
    options
        How rows are written.
    """

    def __init__(
        self,
        run: Run,
        root: str,
        ignore: frozenset[str],
        tables: Sequence[Written],
        pool: OrderedPool,
        options: LoopOptions,
    ) -> None:
        self._run, self._root, self._ignore = run, root, ignore
        self._tables, self._pool, self._options = tables, pool, options
        self._ledger, self._clock, self._stop = run.ledger, run.clock, run.stop
        state = json.loads(self._ledger.get_value(PROGRESS_FACT) or "null")
        self._positions: dict[str, int] | None = state and state["positions"]
        path, numbers = (state and state["after"]) or ("", ())
        self._after = Position(path, tuple(numbers)) if path else None
        self._tally = Tally.of_json(state["tally"]) if state else Tally()
        self._refused: dict[str, dict[str, int]] = state.get("refused", {}) if state else {}
        """Rows that the tables cannot store, by table and reason; only `_commit` adds to it."""
        self._prefix = state["prefix"] if state else new_prefix() if options.append else ""
        self._notified_at = -NOTIFY_SECONDS

    @property
    def has_begun(self) -> bool:
        """Return whether the tables are begun, by this run or an earlier one."""
        return self._positions is not None

    @property
    def tally(self) -> Tally:
        """The counts: a file whose row the table cannot store has failed."""
        tally = replace(self._tally, failed=Counter(self._tally.failed))
        for table, reasons in self._refused.items():
            for reason, number in reasons.items():
                tally.failed[f"the table {table} cannot store the row: {reason}"] += number
                tally.rows -= number if table == self._tables[0].table.name else 0
        return tally

    def run(self, limit: int = 0) -> None:
        """Read and count the remaining files.

        Parameters
        ----------
        limit
            Maximum number of files, including earlier runs; 0: no limit.

        Raises
        ------
        StateError
            A table cannot be written.
        OSError
            The tree cannot be listed.
        """
        self._begin()
        tally = self._tally
        left = max(0, limit - tally.files)
        if limit and not left:
            return
        with (
            self._pool as pool,
            Writer(self._commit, self._clock, self._stop) as writer,
            closing(self._duplicates()) as duplicates,
        ):
            chunk = self._chunk()
            for item, read in self._tree(pool).read(self._after, left):
                outcome, is_duplicate = duplicates.judge(read, tally.files)
                tally.duplicates += is_duplicate
                tally.count(item, outcome)
                chunk.add(item, outcome)
                if chunk.size == CHUNK or self._clock.monotonic() >= chunk.due:
                    duplicates.commit()
                    writer.put(self._delivery(chunk))
                    chunk = self._chunk()
                self._notify()
            if chunk.size:
                duplicates.commit()
                writer.put(self._delivery(chunk))
        self._notify(at_once=True)

    def _begin(self) -> None:
        """Restore the tables to their committed positions, or begin them."""
        for written in self._tables:
            with_retries(written, self._opening(written), self._clock, self._stop)
        if self._positions is None:
            self._positions = {}
            self._commit(self._state(None), ())

    def _opening(self, written: Written) -> Callable[[], None]:
        if self._positions is None:
            if self._options.append:
                return lambda: append_to(written.sink, written.table, self._prefix)
            return lambda: written.sink.begin(written.table)
        position = self._positions.get(written.name, 0)
        return lambda: written.sink.restore(written.table, position)

    def _tree(self, pool: OrderedPool) -> TreeReader:
        workdir = self._run.context.workdir
        return TreeReader(self._root, pool, workdir, self._ignore, self._stop.is_set)

    def _duplicates(self) -> Duplicates:
        options = self._options
        return Duplicates(options.state, options.on_duplicate, self._tally.files)

    def _chunk(self) -> Chunk:
        due = self._clock.monotonic() + CHUNK_SECONDS
        # Count folders, too: the key of each batch must be unique.
        seen = self._tally.files + sum(self._tally.folders.values())
        return Chunk(f"{self._prefix}{seen:012d}", due, not self._options.exclude_path)

    def _delivery(self, chunk: Chunk) -> Delivery:
        return Delivery(chunk.batches(self._tables), self._state(chunk.last))

    def _state(self, last: Item | None) -> dict[str, Any]:
        after = astuple(position(self._root, last)) if last else None
        return {"after": after, "tally": self._tally.as_json(), "prefix": self._prefix}

    def _commit(self, state: dict[str, Any], refused: Sequence[tuple[Written, RefusedRow]]) -> None:
        for written, row in refused:
            reasons = self._refused.setdefault(written.table.name, {})
            reasons[row.reason] = reasons.get(row.reason, 0) + 1
        positions = {written.name: written.sink.position() for written in self._tables}
        progress = {**state, "positions": positions, "refused": self._refused}
        self._ledger.set_value(PROGRESS_FACT, json.dumps(progress))

    def _notify(self, *, at_once: bool = False) -> None:
        now = self._clock.monotonic()
        if at_once or now - self._notified_at >= NOTIFY_SECONDS:
            self._notified_at = now
            self._run.notify(
                FilesParsed(at=self._clock.now(), files=self._tally.files, rows=self._tally.rows)
            )
