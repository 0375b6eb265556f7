"""What a table holds, compared with what the ledger says that this collection wrote."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from pacsfw.api import Sink, Table
from pacsfw.errors import StateError
from pacsfw.ledger import Ledger
from pacsfw.ledger.deliveries import Begun


class Content:
    """The content of the target of one table.

    Parameters
    ----------
    name
        The target of the table in the ledger.
    basis
        What all rows rest on, see `pacsfw.steps.deliver.sources.RowSource`.
    """

    def __init__(self, name: str, sink: Sink, table: Table, ledger: Ledger, basis: str) -> None:
        self._name, self._sink, self._table, self._ledger = name, sink, table, ledger
        self.basis = basis

    def moved_here(self, targets: AbstractSet[str]) -> Begun | None:
        """Find the target by its content, under the name that it had before it was moved.

        Parameters
        ----------
        targets
            The names of all tables of this run, of which none is the former name.
        """
        for name, begun in self._ledger.deliveries.marked():
            if name not in targets and self._is(begun):
                self._ledger.deliveries.rename(name, self._name)
                return begun
        return None

    def check(self, begun: Begun) -> None:
        """Compare the target with its committed content.

        Raises
        ------
        StateError
            It holds something else.
        """
        self._sink.check_position(begun.position)
        if begun.mark and not self._is(begun):
            raise StateError(
                f"table {self._name}: holds other rows than this collection has written: it was "
                "edited or replaced; move it away, and pacsfw writes it again"
            )

    def committed(self) -> Begun:
        """Return what the ledger records of the present content."""
        position = self._sink.position()
        mark = self._sink.mark(self._table, position)
        return Begun(position=position, mark=mark, basis=self.basis)

    def _is(self, begun: Begun) -> bool:
        return self._sink.mark(self._table, begun.position) == begun.mark
