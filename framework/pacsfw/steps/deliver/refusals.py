"""Deliver a batch without the rows that a sink refuses, and say which these are."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from pacsfw.api import Batch, Row, Sink
from pacsfw.errors import ComponentError, Refused
from pacsfw.ledger.deliveries import RefusedRow
from pacsfw.words import encodable

ITEM_ERRORS = (Refused, ComponentError)
"""What a sink raises because of a batch. Any other error is one of the target."""

ENOUGH = 100
"""Rows refused one by one, and none accepted, until this is taken for a fault of the sink."""


class Courier:
    """Delivers batches to one sink. If it refuses one, the rows at fault are found by halving.

    Whatever a sink raises other than `Refused` may as well be a fault that meets every row. So it
    counts as a refusal only if the sink accepts another row of the batch, or the caller is sure.

    Attributes
    ----------
    accepted
        Number of batches with rows that the sink has accepted.
    failed
        The keys at which the sink failed, instead of refusing a row: they are tried again later.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._torn: int | None = None
        """Where to go back to, if a file has a part of a batch only."""
        self.accepted = 0
        self.failed: set[str] = set()

    def deliver(self, batch: Batch, *, sure: bool = False) -> Sequence[RefusedRow]:
        """Deliver the rows that the sink accepts, and return the others.

        Parameters
        ----------
        sure
            The sink is known to work: it has accepted other batches.

        Raises
        ------
        Exception
            Any error of the sink that is no refusal. If it is repeated, nothing is there twice.
        """
        self.failed.discard(batch.key)
        if self._torn is not None:
            self._sink.restore(batch.table, self._torn)
            self._torn = None
        try:
            self._sink.deliver(batch)
        except ITEM_ERRORS as err:
            if not batch.rows:
                raise
            return self._without_refused(batch, err, sure=sure)
        self.accepted += bool(batch.rows)
        return []

    def deliver_each(self, batches: Iterable[Batch]) -> Mapping[str, Sequence[RefusedRow]]:
        """Deliver the batches of a table that is rewritten; return the refused rows by key."""
        refused, doubts = {}, []
        for batch in batches:
            try:
                refused[batch.key] = self.deliver(batch)
            except ITEM_ERRORS:
                doubts.append(batch)
        for batch in doubts:
            refused[batch.key] = self.deliver(batch, sure=self.accepted > 0)
        return refused

    def _without_refused(self, batch: Batch, err: Exception, *, sure: bool) -> Sequence[RefusedRow]:
        position = self._sink.position()
        refused: dict[int, Exception] = {}
        for number, why in self._halved(batch, range(len(batch.rows)), err, position):
            refused[number] = why
            # No row but these was accepted so far.
            doubtful = number + 1 == len(refused) and not (sure or isinstance(why, Refused))
            if doubtful and number + 1 in (ENOUGH, len(batch.rows)):
                raise why
        accepted = [number for number in range(len(batch.rows)) if number not in refused]
        if not all(isinstance(why, Refused) for why in refused.values()):
            self.failed.add(batch.key)
        if not self._sink.appends:
            self._replace(_part(batch, accepted))
        self._torn = None
        self.accepted += bool(accepted)
        return [
            RefusedRow(_file_of(batch, number), _reason(why)) for number, why in refused.items()
        ]

    def _replace(self, batch: Batch) -> None:
        """Deliver the accepted rows once more, as only they must remain of this key."""
        try:
            self._sink.deliver(batch)
        except ComponentError:
            if batch.rows or batch.key not in self.failed:
                raise  # else it fails at this key whatever the rows are, which is listed

    def _halved(
        self, batch: Batch, numbers: range, err: Exception, position: int
    ) -> Iterator[tuple[int, Exception]]:
        """Deliver the halves of a part that is refused; yield each row that is, in order."""
        if len(numbers) == 1:
            yield numbers[0], err
            return
        middle = len(numbers) // 2
        for half in (numbers[:middle], numbers[middle:]):
            try:
                self._sink.deliver(_part(batch, half))
            except ITEM_ERRORS as why:
                yield from self._halved(batch, half, why, position)
            else:
                self._torn = position if self._sink.appends else None


def without(batch: Batch, files: Container[str]) -> Batch:
    """Return a batch without the rows about these files, which a sink has refused."""
    numbers = range(len(batch.rows))
    return _part(batch, [number for number in numbers if _file_of(batch, number) not in files])


def _part(batch: Batch, numbers: Sequence[int]) -> Batch:
    return replace(
        batch,
        rows=[batch.rows[number] for number in numbers],
        files=[batch.files[number] for number in numbers] if batch.files else (),
        attributes=[batch.attributes[number] for number in numbers] if batch.attributes else (),
    )


def _file_of(batch: Batch, number: int) -> str:
    """Return what a row is about: an instance's path is in its last column, else in the first."""
    row = batch.rows[number]
    if batch.files:
        file = str(batch.files[number].path)
    else:
        file = str(row[-1 if batch.table.name == "instances" else 0]) if row else ""
    return encodable(file)


def _reason(err: Exception) -> str:
    """Return the reason without the text of other errors, which may quote the row."""
    if isinstance(err, ComponentError) and err.fault is not None:
        return str(err.fault.reason)
    return err.why if isinstance(err, Refused) else type(err).__name__


def refusal_row(table: str, row: RefusedRow, component: str) -> Row:
    """Return the row of `pacsfw.api.ERRORS` for a row that a table refuses."""
    return (row.file, None, None, "table", f"not in the table {table}: {row.reason}", component)
