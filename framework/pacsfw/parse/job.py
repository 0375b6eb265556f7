"""Run `pacsfw parse -i`: write a table of the tags of any tree of files."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from pacsfw.api import (
    COLUMNS,
    ERRORS,
    Batch,
    Clock,
    Column,
    Observer,
    Row,
    RunFinished,
    RunStarted,
)
from pacsfw.config import Loaded
from pacsfw.config.columns import columns_of
from pacsfw.config.values import is_url
from pacsfw.errors import INTERRUPTED, ConfigError, StateError
from pacsfw.ledger import has_ledger, open_ledger
from pacsfw.parse.loop import Loop, LoopOptions
from pacsfw.parse.request import ParseRequest, file_of
from pacsfw.parse.resume import (
    Identity,
    check_mark,
    digest_of,
    has_progress,
    marks,
    remember_marks,
    rename_tables,
    restart,
)
from pacsfw.parse.targets import check_same_columns, make_target, tables_of, without_path
from pacsfw.parse.worker import ParseSpec
from pacsfw.report.observers import Observers
from pacsfw.report.parsed import ParseSummary
from pacsfw.steps.deliver.provenance import column_rows
from pacsfw.steps.deliver.targets import wanted_by
from pacsfw.steps.deliver.writing import Written, with_retries
from pacsfw.steps.run import Run
from pacsfw.steps.tags.identity import tags_identity
from pacsfw.steps.tags.reading import ReadingSpec
from pacsfw.workers import OrderedPool


class ParseJob:
    """One parse of a tree. A context manager: holds the lock of its state while open.

    Raises
    ------
    ConfigError
        There are no tags, a callback refuses its options, or the table already exists and was
        not begun by this parse.
    StateError
        Another pacsfw uses the state folder, or it belongs to a different parse.
    """

    def __init__(
        self,
        loaded: Loaded,
        request: ParseRequest,
        *,
        observers: Sequence[tuple[str, Observer]] = (),
        clock: Clock | None = None,
    ) -> None:
        self._config, self._registry, self._request = loaded.config, loaded.registry, request
        self._root = request.root
        self._config.require("tags")
        loaded.build({"callback", "row-callback"})
        self._clock = clock or Clock()
        self._observers = Observers(observers)
        self._stop = threading.Event()
        self.interrupted = False
        self.busy = True
        self._tables = self._make_tables()
        self._loop: Loop

    def __enter__(self) -> Self:
        """Take the lock, check that the state belongs to this parse, open the tables."""
        request = self._request
        if request.overwrite:
            self._remove()
        if not has_ledger(request.state):
            self._check_targets()
        self._ledger = open_ledger(request.state)
        try:
            identity = self._identity()
            begun = self._begun_by(identity)
            self._run = self._make_run()
            for written in self._tables:
                written.sink.open(self._run.context)
            if request.overwrite and is_url(request.target):
                self._empty_tables()
            self._prepare(identity, begun)
            self._loop = self._make_loop()
        except BaseException:
            self._ledger.close()
            raise
        self._observers.open(self._run.context)
        self._observers.notify(RunStarted(at=self._clock.now(), command="parse"))
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the tables; delete the state if everything was read."""
        try:
            if exc is None and self.interrupted:
                remember_marks(self._ledger, self._tables)
            for written in self._tables:
                written.sink.close()
        finally:
            code = INTERRUPTED if self.interrupted else self.summary().exit_code
            code = code if exc is None else getattr(exc, "exit_code", 1)
            self._observers.notify(RunFinished(at=self._clock.now(), counts={}, exit_code=code))
            self._observers.close()
            self._ledger.close()
        if not self._loop.has_begun or (exc is None and not self.interrupted):
            shutil.rmtree(self._request.state)

    @property
    def begun(self) -> int:
        """Number of files that earlier runs of this parse have read."""
        return self._loop.tally.files

    def interrupt(self) -> None:
        """Read no further files; deliver the rows that are read. A later run resumes."""
        self.interrupted = True
        self._stop.set()

    def run(self) -> None:
        """Read the remaining files.

        Raises
        ------
        StateError
            A table cannot be written, or the tree cannot be listed.
        """
        columns = [written for written in self._tables if written.table == COLUMNS]
        if not self._loop.has_begun and not self._request.append:
            # Before the loop records that the tables are ours: a table that has rows now is not.
            for written in columns:
                self._retry(written, partial(written.sink.begin, COLUMNS))
        try:
            self._loop.run(self._request.limit)
        except OSError as err:
            raise StateError(f"{self._request.root}: cannot be read: {err.strerror}") from err
        batch = Batch(table=COLUMNS, key="", rows=self._column_rows())
        for written in columns:
            self._retry(written, partial(written.sink.rewrite, COLUMNS, [batch]))

    def _make_loop(self) -> Loop:
        request, (instances, *others) = self._request, self._tables
        reading = ReadingSpec(
            plugins=self._config.plugins,
            tags=self._config.tags,
            wanted=wanted_by([self._instances]),
            charset=self._config.undeclared_charset,
            bare=request.bare,
            context=self._run.context,
        )
        spec = ParseSpec(
            reading=reading,
            workdir=self._run.context.workdir,
            describes=self._instances.multi_table(self._registry) or bool(reading.wanted),
        )
        return Loop(
            self._run,
            str(self._root),
            self._ignored(),
            [instances, *(each for each in others if each.table == ERRORS)],
            OrderedPool(request.workers, spec, blame=self._run.blame),
            LoopOptions(
                state=request.state,
                on_duplicate=request.on_duplicate,
                append=request.append,
                exclude_path=request.exclude_path,
            ),
        )

    def summary(self) -> ParseSummary:
        """Return the result so far, including earlier runs of this parse."""
        tally = self._loop.tally
        columns = [column.name for column in self._typed_columns()]
        return ParseSummary(
            files=tally.files,
            rows=tally.rows,
            harmless=tally.harmless,
            failed=tally.failed,
            folders=tally.folders,
            cells=tally.cells,
            faulty=tally.faulty,
            odd=tally.odd,
            duplicates=tally.duplicates,
            tables=[(written.table.name, written.name) for written in self._tables],
            problems=[*self._run.blame.problems, *tally.emptied_by(columns)],
        )

    def _typed_columns(self) -> list[Column]:
        return [column for tag in self._config.tags for column in columns_of(tag)]

    def _make_tables(self) -> list[Written]:
        """Return the instance table and its error and column tables."""
        request, registry = self._request, self._registry
        columns = self._typed_columns()
        self._instances = make_target(request.target, request.fmt, registry)
        return tables_of(self._instances, columns, registry, exclude_path=request.exclude_path)

    def _column_rows(self) -> list[Row]:
        rows = column_rows(self._config.tags, self._registry)
        return without_path(rows) if self._request.exclude_path else rows

    def _retry(self, written: Written, call: Callable[[], None]) -> None:
        with_retries(written, call, self._clock, self._stop)

    def _own_paths(self) -> list[str]:
        """Return the paths that this parse writes, which may be below the tree that it reads."""
        paths = {file_of(written.name.partition("#")[0]) for written in self._tables}
        return [*sorted(paths - {""}), str(self._request.state)]

    def _ignored(self) -> frozenset[str]:
        """Return these paths as they are found in the tree."""
        own, (root, given) = self._own_paths(), (self._root, self._request.root)
        below = (Path(path) for path in own if Path(path).is_relative_to(given))
        return frozenset((*own, *(str(root / path.relative_to(given)) for path in below)))

    def _ours_alone(self) -> list[str]:
        """Return the paths that contain only this parse; a database may contain other data."""
        return [str(self._request.state)] if is_url(self._request.target) else self._own_paths()

    def _empty_tables(self) -> None:
        for each in self._tables:
            self._retry(each, partial(each.sink.rewrite, each.table, ()))

    def _identity(self) -> Identity:
        request, charset = self._request, self._config.undeclared_charset
        file = file_of(request.target)
        how = [request.bare, request.append, request.fmt]
        how += [request.on_duplicate, request.exclude_path]
        return Identity(
            root=str(request.root),
            table=self._tables[0].name,
            tags=json.dumps([tags_identity(self._config.tags, self._registry, charset), how]),
            content=digest_of(request.root, frozenset(self._own_paths())),
            place=os.path.relpath(file, request.state) if file else "",
        )

    def _begun_by(self, now: Identity) -> Identity | None:
        """Return the identity of the parse that was begun here; refuse another parse."""
        before = Identity.recorded(self._ledger)
        # Of a tree that was moved, all rows are written anew: not where others are before them.
        moved = not self._request.append
        if before is not None and not (
            before.writes_as(now)
            and (before.reads_in_place(now) or (moved and before.reads_as(now)))
        ):
            raise StateError(
                f"{self._request.state}: a parse of another folder or table, or with other tags, "
                "was begun here: repeat these to resume it, or use --force to start over"
            )
        return before

    def _prepare(self, now: Identity, before: Identity | None) -> None:
        """Adapt the state to a source or a table that was moved, and record its identity."""
        if before is not None and has_progress(self._ledger):
            for written, position, mark in marks(self._ledger, self._tables):
                self._retry(written, partial(check_mark, written, position, mark))
            if before.reads_in_place(now):
                # The paths of the first run: those in the table begin alike.
                self._root = Path(before.root)
                now = replace(now, root=before.root)
            else:
                # The paths in the table are no longer true: read everything again.
                self._empty_tables()
                restart(self._ledger, self._tables)
            rename_tables(self._ledger, self._tables)
        now.record(self._ledger)

    def _check_targets(self) -> None:
        """Refuse to overwrite tables, or to append to those with other columns."""
        if self._request.append:
            for written in self._tables:
                if written.table == COLUMNS and not is_url(self._request.target):
                    check_same_columns(written, self._column_rows())
            return
        for path in self._ours_alone():
            if os.path.lexists(path):
                raise ConfigError(
                    f"{path}: exists already and is left as it is; --force replaces it"
                )

    def _remove(self) -> None:
        for path in map(Path, self._ours_alone()):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _make_run(self) -> Run:
        workdir = self._request.state / "work"
        shutil.rmtree(workdir, ignore_errors=True)  # members left by a killed run
        workdir.mkdir(mode=0o700)
        return Run(
            config=self._config,
            registry=self._registry,
            ledger=self._ledger,
            context=self._config.run_context(workdir, self._clock),
            observers=self._observers,
            stop=self._stop,
        )
