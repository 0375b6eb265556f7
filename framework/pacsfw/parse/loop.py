"""From files to batches of rows: the loop of `pacsfw parse -i`, and how far it is.

The files come in the order of their names whatever the number of workers is, so that how far
it is fits into one line of the state: the last file whose row is in the tables. A kill costs the
rows of one batch, which are read and delivered again under the same key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from pacsfw.api import Batch, FilesParsed, Row, Stored
from pacsfw.parse.tree.file_reader import About, Parsed, Unparsed
from pacsfw.parse.tree.files import files_of, position
from pacsfw.parse.tree.tally import Tally, kind_and_reason
from pacsfw.parse.tree.walk import Item, Position
from pacsfw.steps.deliver.sources import FILE_STAGE, error_row
from pacsfw.steps.deliver.writing import Delivery, Writer, Written, with_retries
from pacsfw.steps.run import Run
from pacsfw.workers import Crashed, OrderedPool

PROGRESS_FACT = "parse"
"""Ledger fact: how far it is, as JSON."""

CHUNK = 10_000
"""Files in one batch at most."""

CHUNK_SECONDS = 15.0
"""A batch waits no longer than this for more files."""

NOTIFY_SECONDS = 0.5
"""Least time between two events of progress."""

FOLDER_STAGE = "folder"
"""The stage of an error about a folder that was not looked into; it is no file."""


@dataclass(slots=True)
class Chunk:
    """The rows of files that follow each other, on their way to the tables."""

    key: str
    due: float
    rows: list[Row] = field(default_factory=list)
    errors: list[Row] = field(default_factory=list)
    about: list[tuple[str, About]] = field(default_factory=list)
    last: Item | None = None
    size: int = 0

    def add(self, item: Item, outcome: Parsed | Unparsed | Crashed) -> None:
        """Take one outcome."""
        self.last = item
        self.size += 1
        if isinstance(outcome, Parsed):
            place = item.place
            self.rows.append((*outcome.row, place))
            if outcome.about is not None:
                self.about.append((place, outcome.about))
            self.errors += (error_row(Path(place), **fault._asdict()) for fault in outcome.errors)
        else:
            stage = FILE_STAGE if item.is_file else FOLDER_STAGE
            _, reason = kind_and_reason(outcome)
            self.errors.append(error_row(Path(item.place), stage=stage, reason=reason))

    def batches(self, tables: Sequence[Written]) -> list[tuple[Written, Batch]]:
        """Return the batch of the table of objects and that of the errors."""
        objects, *others = tables
        files = [_stored(place, about) for place, about in self.about]
        attributes = [about.attributes for _, about in self.about]
        of_objects = Batch(
            table=objects.table,
            key=self.key,
            rows=self.rows,
            files=files,
            attributes=attributes,
        )
        return [
            (objects, of_objects),
            *((each, Batch(table=each.table, key=self.key, rows=self.errors)) for each in others),
        ]


def _stored(place: str, about: About) -> Stored:
    *uids, size, _ = about
    sop_uid, sop_class, study_uid, series_uid, syntax = uids
    return Stored(
        path=Path(place),
        sop_uid=sop_uid,
        sop_class=sop_class,
        study_uid=study_uid,
        series_uid=series_uid,
        syntax=syntax,
        size=size,
        digest="",
    )


class Loop:
    """Reads every file of a tree once.

    Parameters
    ----------
    root, ignore
        As for `pacsfw.parse.tree.files.files_of`.
    tables
        The table of objects, then that of the errors if there is one; both open.
    pool
        Its workers do what `pacsfw.parse.tree.file_reader.FileReader` does.
    """

    def __init__(
        self,
        run: Run,
        root: str,
        ignore: frozenset[str],
        tables: Sequence[Written],
        pool: OrderedPool,
    ) -> None:
        self._run, self._root, self._ignore = run, root, ignore
        self._tables, self._pool = tables, pool
        self._ledger, self._clock, self._stop = run.ledger, run.clock, run.stop
        state = json.loads(self._ledger.get_value(PROGRESS_FACT) or "null")
        self._positions: dict[str, int] | None = state and state["positions"]
        self._after = Position(*state["after"]) if state and state["after"] else None
        self.tally = Tally.of_json(state["tally"]) if state else Tally()
        self._told_at = -NOTIFY_SECONDS

    @property
    def has_begun(self) -> bool:
        """Tell whether the tables are begun, by this run or an earlier one."""
        return self._positions is not None

    def run(self, limit: int = 0) -> None:
        """Read what is left, and count it.

        Parameters
        ----------
        limit
            Look at so many files in all; 0: at every one.

        Raises
        ------
        StateError
            A table cannot be written.
        OSError
            The tree cannot be listed.
        """
        self._begin()
        tally = self.tally
        with self._pool as pool, Writer(self._commit, self._clock, self._stop) as writer:
            chunk = self._chunk()
            for item, outcome in pool.map(self._items(limit)):
                tally.see(item, outcome)
                chunk.add(item, outcome)
                if chunk.size == CHUNK or self._clock.monotonic() >= chunk.due:
                    writer.put(self._delivery(chunk))
                    chunk = self._chunk()
                self._tell()
            if chunk.size:
                writer.put(self._delivery(chunk))
        self._tell(at_once=True)

    def _begin(self) -> None:
        """Bring the tables to where the state knows them."""
        for written in self._tables:
            with_retries(written, self._opening(written), self._clock, self._stop)
        if self._positions is None:
            self._positions = {}
            self._commit(self._state(None))

    def _opening(self, written: Written) -> Callable[[], None]:
        if self._positions is None:
            return lambda: written.sink.begin(written.table)
        position = self._positions.get(written.name, 0)
        return lambda: written.sink.restore(written.table, position)

    def _items(self, limit: int) -> Iterator[Item]:
        left = max(0, limit - self.tally.files) if limit else None
        files = files_of(self._root, self._pool, self._after, self._ignore)
        for item in islice(files, left):
            if self._stop.is_set():
                return
            yield item

    def _chunk(self) -> Chunk:
        due = self._clock.monotonic() + CHUNK_SECONDS
        # Of everything that was met, also of folders: no two batches may have one key.
        met = self.tally.files + sum(self.tally.folders.values())
        return Chunk(f"{met:012d}", due)

    def _delivery(self, chunk: Chunk) -> Delivery:
        return Delivery(chunk.batches(self._tables), self._state(chunk.last))

    def _state(self, last: Item | None) -> dict[str, Any]:
        after = astuple(position(self._root, last)) if last else None
        return {"after": after, "tally": json.loads(json.dumps(self.tally.as_json()))}

    def _commit(self, state: dict[str, Any]) -> None:
        positions = {written.name: written.sink.position() for written in self._tables}
        self._ledger.set_value(PROGRESS_FACT, json.dumps({**state, "positions": positions}))

    def _tell(self, *, at_once: bool = False) -> None:
        now = self._clock.monotonic()
        if at_once or now - self._told_at >= NOTIFY_SECONDS:
            self._told_at = now
            self._run.notify(
                FilesParsed(at=self._clock.now(), files=self.tally.files, rows=self.tally.rows)
            )
