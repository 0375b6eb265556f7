"""The contract of tag callbacks."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, ClassVar

from pacsfw.api import TagCallback
from pacsfw.config.cells import cell
from pacsfw.plugins.facts import column_type
from pacsfw.testing.contracts.component import ComponentContract

HOSTILE = ("\0", "=1+1", "../../x", "\N{BOM}", "\udc80", "9" * 400, "a\\b", " ", "\r\n,\"'")
"""Texts that real PACS contain in place of valid values."""


class TagCallbackContract(ComponentContract):
    """A callback converts a value to a cell, or raises: then the cell is empty and listed."""

    kind = "callback"
    examples: ClassVar[Sequence[tuple[Any, Any]]] = ()
    """Pairs of a value from pydicom (dates and times as text) and its cell."""
    refused: ClassVar[Sequence[Any]] = ()
    """Values that must raise an exception."""

    def test_the_examples_give_their_cells(self) -> None:
        """At least one example is required."""
        assert self.examples, f"{self.name}: add at least one example to `examples`"
        callback: TagCallback = self.make()
        for value, expected in self.examples:
            found = callback(value)
            assert found == expected, f"{value!r} became {found!r}, not {expected!r}"

    def test_cells_are_of_the_type_that_the_callback_promises(self) -> None:
        """``returns``, else the return annotation, is the type of the column, else text."""
        callback: TagCallback = self.make()
        kind = column_type(self.component())
        for value, _ in self.examples:
            found = callback(value)
            fitted = cell(found, kind)
            what = f"{value!r} became {type(found).__name__}"
            assert fitted == found, f"{what}, which as {kind} is {fitted!r}"
            kept = found is None or type(fitted) is type(found)
            assert kept, f"{what}, which does not go into a column of type {kind}"

    def test_what_it_cannot_convert_it_refuses(self) -> None:
        """An invented cell would look like a real value."""
        callback: TagCallback = self.make()
        for value in self.refused:
            try:
                found = callback(value)
            except Exception:  # noqa: BLE001, S112 - any exception is a rejection
                continue
            raise AssertionError(f"{value!r} became {found!r}: it must raise an exception")

    def test_hostile_text_is_converted_or_refused(self) -> None:
        """SystemExit and similar exceptions would end a worker process."""
        callback: TagCallback = self.make()
        for value in HOSTILE:
            try:
                callback(value)
            except Exception:  # noqa: BLE001, S112 - a rejection is fine
                continue
            except BaseException as err:
                raise AssertionError(f"{value!r}: {type(err).__name__}") from err

    def test_it_keeps_nothing_and_changes_nothing(self) -> None:
        """Instances arrive in any order, in several processes."""
        callback: TagCallback = self.make()
        for value, _ in self.examples:
            before = deepcopy(value)
            results = [callback(value), callback(value), self.make()(value)]
            assert value == before, f"{before!r} was changed to {value!r}"
            assert results[0] == results[1] == results[2], (
                f"{value!r}: the results differ between calls"
            )
