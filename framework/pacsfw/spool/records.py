"""Files of the spool by name, and what is reported of each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, TypeAlias

PART_SUFFIX = ".part"
SEALED_SUFFIX = ".dcm"

_WRITER_DIGITS, _ID_DIGITS = 16, 32


class Begun(NamedTuple):
    """An object is arriving and takes its time."""

    file: str
    sop_class: str
    sop_uid: str
    calling_ae: str
    originator_ae: str
    originator_message_id: int | None

    @property
    def path(self) -> Path:
        """The file that is being written."""
        return Path(self.file)


class Sealed(NamedTuple):
    """An object is whole.

    ``size`` counts the bytes of the data set, without the File Meta; ``digest`` is their
    SHA-256, empty where it was not taken as they came.
    """

    file: str
    sop_class: str
    sop_uid: str
    syntax: str
    calling_ae: str
    originator_ae: str
    originator_message_id: int | None
    size: int
    digest: str = ""

    @property
    def path(self) -> Path:
        """The whole file."""
        return Path(self.file)


class Discarded(NamedTuple):
    """An object did not arrive whole; its file is gone."""

    file: str
    sop_uid: str
    reason: str

    @property
    def path(self) -> Path:
        """The file that is no more."""
        return Path(self.file)


SpoolRecord: TypeAlias = "Begun | Sealed | Discarded"


def spool_id(record: SpoolRecord) -> str:
    """Return what `Begun`, `Sealed` and `Discarded` of one object have in common."""
    return record.file.rpartition("/")[2].partition("_")[0]


def number_of(name: str) -> int:
    """Return the number that its writer gave an object, from the name of its file."""
    return int(name[_WRITER_DIGITS:_ID_DIGITS], 16)


def new_writer() -> str:
    """Return an ID for a `Spool` that no other one has."""
    return os.urandom(_WRITER_DIGITS // 2).hex()
