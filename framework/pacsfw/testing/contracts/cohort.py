"""The contract of cohorts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

from pacsfw.api import Cohort
from pacsfw.steps.find.cohort import read
from pacsfw.testing.contracts.component import ComponentContract

ROWS: Sequence[Mapping[str, str]] = (
    {"AccessionNumber": "007", "PatientID": "P-1", "_group": "a"},
    {"AccessionNumber": "0815", "PatientID": "", "_group": "b"},
    {"AccessionNumber": "ÄÖ漢", "PatientID": "P-3", "_group": ""},
)
"""What the source must hold: identifiers with leading zeros, empty cells, an ignored column."""


class CohortContract(ComponentContract):
    """A cohort lists its rows: all of them, each time in the same order, with nothing changed."""

    kind = "cohort"
    columns: ClassVar[Sequence[str]] = ("AccessionNumber", "PatientID")
    """The columns of the rows that the source can hold."""

    @abstractmethod
    def holding(
        self, rows: Sequence[Mapping[str, str]], folder: Path
    ) -> AbstractContextManager[Mapping[str, Any]]:
        """Make a source of these rows, in ``folder``, and yield the options to read it."""

    def rows(self, rows: Sequence[Mapping[str, str]], folder: Path) -> Iterator[list[Any]]:
        """Read the source twice."""
        with self.holding(rows, folder) as options:
            made: Cohort = self.make(**options)
            with self.opened(made, folder) as cohort:
                yield list(cohort.rows())
                yield list(cohort.rows())

    def test_every_row_is_listed_as_it_is(self, tmp_path: Path) -> None:
        """With leading zeros, without the empty cells; columns that begin with _ are ignored."""
        items, _ = self.rows(ROWS, tmp_path)
        found = [dict(member.keys) for member in read(items)]
        expected = [{key: row[key] for key in self.columns if row[key]} for row in ROWS]
        assert found == expected, f"{found} are not the rows {expected}"

    def test_each_row_has_a_location_of_its_own(self, tmp_path: Path) -> None:
        """Messages name it instead of the values."""
        items, _ = self.rows(ROWS, tmp_path)
        places = [member.where for member in read(items)]
        assert len(set(places)) == len(places), f"locations are repeated: {places}"
        values = {value for row in ROWS for value in row.values() if len(value) > 2}
        quoted = [place for place in places if values & set(place.split())]
        assert not quoted, "a location quotes a value"

    def test_reading_again_gives_the_same(self, tmp_path: Path) -> None:
        """A search is resumed only if its cohort is the same."""
        once, again = self.rows(ROWS, tmp_path)
        assert once == again, "the rows or their order differ between two readings"
