"""The tables of a collection: their sinks, and their error and column tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from pacsfw.api import Batch
from pacsfw.collection.reparse import TAGS_FACT
from pacsfw.collection.study_table import study_outbox
from pacsfw.config import Use
from pacsfw.config.columns import columns_of
from pacsfw.steps.deliver.outbox import Outbox
from pacsfw.steps.deliver.provenance import column_rows
from pacsfw.steps.deliver.refusals import without
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


@contextmanager
def delivering(
    run: Run, outboxes: Iterable[Outbox], problems: list[str], *, reparse: bool = False
) -> Iterator[list[Outbox]]:
    """Open outboxes, and finish them at the end; add failures to ``problems``."""
    outboxes, opened = list(outboxes), list[Outbox]()
    followers = [outbox for outbox in outboxes if outbox.follows]
    try:
        for outbox in outboxes:
            if not outbox.follows:
                outbox.listeners = followers
            outbox.open(run.context, reparse=reparse)
            opened.append(outbox)
        yield opened
    finally:
        # The tables of errors last: they list what the other tables refuse.
        for follows in (False, True):
            _close([outbox for outbox in opened if outbox.follows == follows], problems)


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
        outboxes = list(self._outboxes())
        self._ledger.deliveries.forget_refusals_except({outbox.name for outbox in outboxes})
        with delivering(self._run, outboxes, problems, reparse=reparse) as opened:
            yield opened

    def _targets(self) -> Iterator[Target]:
        registry, path = self._registry, self._storage.resources_meta
        uses = list(self._config.sinks)
        offer = registry.sink_for(path)
        # A database has patients, studies and series as well, whatever the columns are.
        if self._config.tags or offer.component.multi_table:
            uses.insert(0, Use(offer.reference, {"path": path}))
        for use in uses:
            yield Target(use, registry.build("sink", use.name, use.options))

    def edited(self) -> Iterator[str]:
        """Yield the names of the tables whose rows are not those that the ledger says they have.

        Tables to which rows are due are left out, and so are sinks that cannot compare.
        """
        if self._ledger.get_value(TAGS_FACT) != self.tags_identity():
            return  # the next run reads all rows again
        for target, source, _ in self._tables():
            begun = self._ledger.deliveries.begun(target.name)
            if begun is None or begun.dirty or begun.basis != self._basis(target, source):
                continue
            if not target.sink.compares or source.due(target.name):
                continue
            batches = (self._delivered(target.name, source, key) for key in source.all_keys())
            if not target.sink.holds(source.table, batches, begun.position):
                yield target.name

    def _delivered(self, sink: str, source: RowSource, key: str) -> Batch:
        refused = self._ledger.deliveries.refused_in(key)
        return without(source.batch(key), {row.file for name, row, _ in refused if name == sink})

    def _outboxes(self) -> Iterator[Outbox]:
        ledger, found = self._ledger, list(self._tables())
        names = frozenset(target.name for target, _, _ in found)
        if studies := study_outbox(self._run, names):
            yield studies
            names |= {studies.name}
        for target, source, follows in found:
            yield Outbox(
                target.name,
                target.sink,
                source,
                ledger,
                component=self._registry.select("sink", target.use.name).described,
                basis=self._basis(target, source),
                follows=follows,
                targets=names,
            )

    def _basis(self, target: Target, source: RowSource) -> str:
        """Return what all rows of a table rest on, the data that the sink itself reads included."""
        found = self._registry.identify("sink", target.use.name, target.use.options)
        said = found.info.fingerprint
        return json.dumps([source.basis, said]) if said else source.basis

    def _tables(self) -> Iterator[tuple[Target, RowSource, bool]]:
        """Yield every table, its rows, and whether it belongs to the table before it."""
        config, ledger = self._config, self._ledger
        directory, state = self._storage.directory, self._storage.state
        columns = [column for tag in config.tags for column in columns_of(tag)]
        extras = [Wanted(tag.names[0], tag.type) for tag in self.wanted]
        relative = self._storage.relative_paths
        instances = InstanceRows(
            instance_table(columns), ledger, directory, extras, relative=relative
        )
        errors = ErrorRows(ledger, directory, state, relative=relative)
        provenance = ColumnRows(ledger, column_rows(config.tags, self._registry))
        for sink in self._sinks:
            yield sink, instances, False
            for other in (errors, provenance):
                target = sink.companion(other.table.name, self._registry)
                if target is not None:
                    yield target, other, True


def _close(outboxes: Sequence[Outbox], problems: list[str]) -> None:
    for outbox in outboxes:
        outbox.finish()
    for outbox in outboxes:
        outbox.close()
        if outbox.problem:
            problems.append(f"table {outbox.name}: sink {outbox.component}: {outbox.problem}")
