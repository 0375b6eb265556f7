"""The contract of row callbacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pacsfw.api import Column, ColumnType, Header, RowCallback
from pacsfw.config.cells import cell
from pacsfw.dicom.header import HeaderReader
from pacsfw.plugins.facts import row_columns
from pacsfw.steps.tags.row_callbacks import values_of
from pacsfw.testing.contracts.component import ComponentContract
from pacsfw.testing.contracts.headers import awkward_headers, ordinary_headers


class RowCallbackContract(ComponentContract):
    """A row callback makes cells from a header, or raises: then they are empty and listed."""

    kind = "row-callback"
    examples: ClassVar[Sequence[tuple[Mapping[str, Any], Any]]] = ()
    """Pairs of the attributes of an instance by keyword, and what the callback returns."""
    refused: ClassVar[Sequence[Mapping[str, Any]]] = ()
    """Attributes for which it must raise an exception."""
    columns: ClassVar[Mapping[str, ColumnType]] = {}
    """As in the configuration, if the callback does not say its columns itself."""

    def known_columns(self) -> tuple[Column, ...]:
        """Return its columns; the one of a single value has no name."""
        listed = tuple(Column(name, kind) for name, kind in self.columns.items())
        return row_columns(self.component()) or listed

    def header(self, attributes: Mapping[str, Any]) -> Header:
        """Return the header of an instance with these attributes."""
        from pydicom.dataset import Dataset  # slow to import

        dataset = Dataset()
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        return HeaderReader().of(dataset)

    def test_its_columns_are_known_beforehand(self) -> None:
        """From its record or annotation, or `columns`: a table has its columns before any row."""
        assert self.known_columns(), f"{self.name}: annotate what it returns, or set `columns`"

    def test_the_examples_give_their_values(self) -> None:
        """At least one example is required."""
        assert self.examples, f"{self.name}: add at least one example to `examples`"
        callback: RowCallback = self.make()
        for attributes, expected in self.examples:
            found = callback(self.header(attributes))
            assert found == expected, f"{attributes} became {found!r}, not {expected!r}"

    def test_values_are_those_of_the_columns_that_it_promises(self, tmp_path: Path) -> None:
        """Each key is a column, and each value is a cell of its type."""
        for what, result in self._results(tmp_path):
            try:
                values = values_of(result, {each.name for each in self.known_columns()})
            except ValueError as err:
                raise AssertionError(f"{what}: {err}") from None
            for column in self.known_columns():
                value = values.get(column.name)
                fitted = cell(value, column.type)
                kept = value is None or (fitted == value and type(fitted) is type(value))
                kind = type(value).__name__
                assert kept, f"{what}: {column.name or 'it'}: {kind} is no {column.type}"

    def test_what_it_cannot_tell_it_refuses(self) -> None:
        """An invented cell would look like a real value."""
        callback: RowCallback = self.make()
        for attributes in self.refused:
            try:
                found = callback(self.header(attributes))
            except Exception:  # noqa: BLE001, S112 - any exception is a rejection
                continue
            raise AssertionError(f"{attributes} became {found!r}: it must raise an exception")

    def test_an_instance_without_the_attributes_has_empty_cells(self, tmp_path: Path) -> None:
        """``header.get`` returns None for what is absent; this is no error of the instance."""
        callback: RowCallback = self.make()
        for what, header in awkward_headers(tmp_path):
            try:
                callback(header)
            except AttributeError as err:
                raise AssertionError(f"{what}: {err}: use header.get") from err
            except Exception:  # noqa: BLE001, S112 - a rejection is fine
                continue
            except BaseException as err:
                raise AssertionError(f"{what}: {type(err).__name__}") from err

    def test_it_keeps_nothing_and_changes_nothing(self, tmp_path: Path) -> None:
        """Instances arrive in any order, in several processes."""
        callback, other = self.make(), self.make()
        for header in ordinary_headers(tmp_path):
            before = header.dataset.to_json()
            results = [callback(header), callback(header), other(header)]
            assert results[0] == results[1] == results[2], "the results differ between calls"
            assert header.dataset.to_json() == before, "it changed the header"

    def _results(self, folder: Path) -> Iterator[tuple[str, Any]]:
        """Yield what it returns for the examples and for ordinary instances."""
        callback: RowCallback = self.make()
        for attributes, _ in self.examples:
            yield str(attributes), callback(self.header(attributes))
        for header in ordinary_headers(folder):
            yield "an ordinary instance", callback(header)
