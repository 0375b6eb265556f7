"""Cohorts: the studies and patients to search for, from wherever they are listed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pacsfw.api.context import Closing


@dataclass(frozen=True, slots=True)
class CohortRow:
    """One row: where it is, for messages (``cohort.csv:7``), and its columns with their values.

    A value is a text, a whole number or None; dates are written ``YYYYMMDD``.
    """

    where: str
    cells: Sequence[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class CohortHeader:
    """The names of the columns of the rows that follow: what is wrong with them is told once."""

    where: str
    columns: Sequence[str]


@dataclass(frozen=True, slots=True)
class CohortProblem:
    """A row that cannot be read, and why, without its values."""

    where: str
    why: str


class Cohort(Closing, ABC):
    """Lists the rows of a cohort (``find.cohort``), such as the orders of a RIS.

    Core reads the names of columns as DICOM keywords of patients and studies, in any case, and
    ignores those that begin with ``_`` or ``#``; a value is one matching value (PS3.4
    C.2.2.2), and an empty one is ignored. Accession numbers alone suffice.
    """

    @abstractmethod
    def rows(self) -> Iterator[CohortRow | CohortHeader | CohortProblem]:
        """Yield the rows, in an order that stays the same.

        Raises
        ------
        ConfigError
            The source cannot be read.
        RemoteError
            It cannot be reached.
        """
