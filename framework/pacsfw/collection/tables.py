"""The tables of a collection: their sinks, and their error and column tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        Further tags that the sinks ask for; `HEADER`, which is not a tag path, is the complete
        header.
    """

    def __init__(self, run: Run) -> None:
        self._run, self._config, self._storage = run, run.config, run.storage
        self._registry, self._ledger = run.registry, run.ledger
        self._sinks = list(self._targets())
        self.wanted = wanted_by(self._sinks)

    def tags_identity(self) -> str:
        """Return a digest that changes with the way in which rows are read."""
        tags = (*self._config.tags, *self.wanted)
        return tags_identity(tags, self._registry, self._config.undeclared_charset)

    @contextmanager
    def open(self, problems: list[str], *, reparse: bool) -> Iterator[list[Outbox]]:
        """Open the outboxes of rows, errors and columns; add failures to ``problems``.

        Parameters
        ----------
        reparse
            All instances are parsed again: the outboxes deliver only after their `refresh`.
        """
        outboxes, opened = list(self._outboxes()), list[Outbox]()
        self._ledger.deliveries.forget_refusals_except({outbox.name for outbox in outboxes})
        followers = [outbox for outbox in outboxes if outbox.follows]
        try:
            for outbox in outboxes:
                if not outbox.follows:
                    outbox.listeners = followers
                outbox.open(self._run.context, reparse=reparse)
                opened.append(outbox)
            yield opened
        finally:
            # The tables of errors last: they list what the other tables refuse.
            for follows in (False, True):
                _close([outbox for outbox in opened if outbox.follows == follows], problems)

    def _targets(self) -> Iterator[Target]:
        registry, path = self._registry, self._storage.resources_meta
        uses = list(self._config.sinks)
        offer = registry.sink_for(path)
        # A database has patients, studies and series as well, whatever the columns are.
        if self._config.tags or offer.component.multi_table:
            uses.insert(0, Use(offer.reference, {"path": path}))
        for use in uses:
            yield Target(use, registry.build("sink", use.name, use.options))

    def _outboxes(self) -> Iterator[Outbox]:
        config, ledger = self._config, self._ledger
        directory, state = self._storage.directory, self._storage.state
        columns = [column for tag in config.tags for column in columns_of(tag)]
        extras = [Wanted(tag.names[0], tag.type) for tag in self.wanted]
        instances = InstanceRows(instance_table(columns), ledger, directory, extras)
        errors = ErrorRows(ledger, directory, state)
        provenance = ColumnRows(ledger, column_rows(config.tags, self._registry))
        for sink in self._sinks:
            yield self._outbox(sink, instances)
            for source in (errors, provenance):
                target = sink.companion(source.table.name, self._registry)
                if target is not None:
                    yield self._outbox(target, source, follows=True)

    def _outbox(self, target: Target, source: RowSource, *, follows: bool = False) -> Outbox:
        component = self._registry.select("sink", target.use.name).described
        return Outbox(
            target.name, target.sink, source, self._ledger, component=component, follows=follows
        )


def _close(outboxes: Sequence[Outbox], problems: list[str]) -> None:
    for outbox in outboxes:
        outbox.finish()
    for outbox in outboxes:
        outbox.close()
        if outbox.problem:
            problems.append(f"table {outbox.name}: sink {outbox.component}: {outbox.problem}")
