"""The tables of a collection: their sinks, and what stands beside each of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pacsfw.config import Use
from pacsfw.config.columns import columns_of
from pacsfw.steps.deliver.outbox import Outbox
from pacsfw.steps.deliver.provenance import column_rows
from pacsfw.steps.deliver.sources import (
    ColumnRows,
    ErrorRows,
    InstanceRows,
    RowSource,
    Wanted,
    instance_table,
)
from pacsfw.steps.deliver.targets import Target, wanted_by
from pacsfw.steps.run import Run
from pacsfw.steps.tags.identity import tags_identity


class Tables:
    """The tables of a collection.

    Attributes
    ----------
    wanted
        What the sinks want to know of each object beside the columns; the tag `HEADER`, which
        is no tag path, stands for the whole header.
    """

    def __init__(self, run: Run) -> None:
        self._run, self._config, self._storage = run, run.config, run.storage
        self._registry, self._ledger = run.registry, run.ledger
        self._sinks = list(self._targets())
        self.wanted = wanted_by(self._sinks)

    def tags_identity(self) -> str:
        """Return a text that is the same as long as rows are read in the same way."""
        tags = (*self._config.tags, *self.wanted)
        charset = self._config.undeclared_charset
        return tags_identity(tags, self._registry, charset)

    @contextmanager
    def open(self, problems: list[str], *, anew: bool) -> Iterator[list[Outbox]]:
        """Open what delivers the rows, their errors and columns; what fails is a problem.

        Parameters
        ----------
        anew
            The rows are being read anew: deliver once the outboxes are told to `refresh`.
        """
        opened: list[Outbox] = []
        try:
            for outbox in self._outboxes():
                outbox.open(self._run.context, anew=anew)
                opened.append(outbox)
            yield opened
        finally:
            for outbox in opened:
                outbox.finish()
            for outbox in opened:
                outbox.close()
                if outbox.problem:
                    problems.append(
                        f"table {outbox.name}: sink {outbox.component}: {outbox.problem}"
                    )

    def _targets(self) -> Iterator[Target]:
        registry, path = self._registry, self._storage.resources_meta
        uses = list(self._config.sinks)
        if self._config.tags:
            uses.insert(0, Use(registry.sink_for(path).reference, {"path": path}))
        for use in uses:
            yield Target(use, registry.build("sink", use.name, use.options))

    def _outboxes(self) -> Iterator[Outbox]:
        config, ledger = self._config, self._ledger
        archive, state = self._storage.directory, self._storage.state
        columns = [column for tag in config.tags for column in columns_of(tag)]
        extras = [Wanted(tag.names[0], tag.type) for tag in self.wanted]
        objects = InstanceRows(instance_table(columns), ledger, archive, extras)
        errors = ErrorRows(ledger, archive, state)
        provenance = ColumnRows(ledger, column_rows(config.tags, self._registry))
        for sink in self._sinks:
            yield self._outbox(sink, objects)
            for source in (errors, provenance):
                target = sink.beside(source.table.name, self._registry)
                if target is not None:
                    yield self._outbox(target, source, follows=True)

    def _outbox(self, target: Target, source: RowSource, *, follows: bool = False) -> Outbox:
        component = self._registry.select("sink", target.use.name).described
        return Outbox(
            target.name, target.sink, source, self._ledger, component=component, follows=follows
        )
