"""Objects, where they are put, and what is made of them."""

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
    """The attributes of one object, read lazily; pixel data are never among them."""

    @property
    def dataset(self) -> Dataset:
        """The full pydicom data set (without pixel data)."""

    def get(self, keyword: str, default: Any = None) -> Any:
        """Return the value as pydicom gives it, or ``default`` where it is absent.

        Takes a tag path (``A[1].B``) as well as a keyword.

        Raises
        ------
        ValueError
            There is no such keyword: a typo must not look like an absent value.
        """

    def __getattr__(self, keyword: str) -> Any: ...


Layout: TypeAlias = "Callable[[Header], Sequence[str]]"
"""Names of the folders and, last, of the file. Core makes each one safe and contained."""

TagCallback: TypeAlias = "Callable[[Any], Any]"
"""From the value as pydicom gives it to the cell. Never called for absent or empty values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One object in the archive."""

    path: Path
    sop_uid: str
    sop_class: str
    study_uid: str
    series_uid: str
    syntax: str
    size: int
    digest: str
    """SHA-256 of the data-set bytes, hexadecimal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile:
    """One file a converter wrote."""

    path: Path
    media_type: str
    sources: tuple[str, ...]
    """SOP Instance UIDs it was made from."""


class Converter(Closing, ABC):
    """Turns stored files into other files."""

    @abstractmethod
    def convert(self, files: Sequence[Stored], out: Path) -> Iterable[OutputFile]:
        """Convert one instance, series or study into files below ``out``."""
