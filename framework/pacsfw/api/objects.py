"""Instances, their paths, and files converted from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from pacsfw.api.context import Closing

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


class Header(Protocol):
    """The attributes of one instance, read lazily, without pixel data."""

    @property
    def dataset(self) -> Dataset:
        """The full pydicom data set (without pixel data)."""

    def get(self, keyword: str, default: Any = None) -> Any:
        """Return the value as pydicom provides it, or ``default`` if it is absent.

        Accepts a keyword or a tag path (``A[1].B``).

        Raises
        ------
        ValueError
            The keyword does not exist: a typo must not look like an absent value.
        """

    def __getattr__(self, keyword: str) -> Any: ...


Layout: TypeAlias = "Callable[[Header], Sequence[str]]"
"""Names of the folders and, last, of the file. Core makes them safe and keeps them inside.

An object may have ``open(context)`` and ``close()``, as `Closing`; likewise callbacks.
"""

TagCallback: TypeAlias = "Callable[[Any], Any]"
"""Converts a value from pydicom to a cell. Never called for absent or empty values."""

RowCallback: TypeAlias = "Callable[[Header], Any]"
"""Makes cells from the whole header of an instance: a mapping of columns to values (a TypedDict,
NamedTuple or dataclass), or one value. Its columns and their types are known beforehand: from its
`Component`, its return annotation or the configuration. What it leaves out is an empty cell; any
other key is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One instance in the dataset folder."""

    path: Path
    sop_uid: str
    sop_class: str
    study_uid: str
    series_uid: str
    syntax: str
    size: int
    digest: str
    """SHA-256 of the data set bytes, hexadecimal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile:
    """One file written by a converter."""

    path: Path
    media_type: str
    sources: tuple[str, ...]
    """SOP Instance UIDs of its sources."""
    folder: Sequence[str] | None = None
    """The names of the folders for it, below the folder of the converter's output. Core makes them
    safe, like those of a layout. None: the folders that the layout gave its sources."""


class Converter(Closing, ABC):
    """Converts stored files to other files."""

    @abstractmethod
    def convert(self, files: Sequence[Stored], out: Path) -> Iterable[OutputFile]:
        """Convert one instance, series or study to files in ``out``."""
