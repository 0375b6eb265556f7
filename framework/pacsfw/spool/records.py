"""The names of spool files, and the records that report their progress."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, TypeAlias

PART_SUFFIX = ".part"
SEALED_SUFFIX = ".dcm"

_WRITER_DIGITS, _ID_DIGITS = 16, 32


class Begun(NamedTuple):
    """An instance is arriving, and takes a while."""

    file: str
    sop_class: str
    sop_uid: str
    calling_ae: str
    originator_ae: str
    originator_message_id: int | None
    address: str = ""

    @property
    def path(self) -> Path:
        """The file that is being written."""
        return Path(self.file)


class Sealed(NamedTuple):
    """An instance is complete.

    ``size`` counts the bytes of the data set, without the File Meta; ``digest`` is their
    SHA-256, empty if it was not computed on arrival. ``address`` is that of the sender, empty if
    we fetched the instance ourselves.

    The driver adds, for ingest, ``listed``: StudyInstanceUID and PatientID ("": not known) of
    the studies in which the PACS lists this SOP Instance UID; and ``hold``: its sender is not
    known.
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
    address: str = ""
    listed: tuple[tuple[str, str], ...] = ()
    hold: bool = False

    @property
    def path(self) -> Path:
        """The complete file."""
        return Path(self.file)


class Discarded(NamedTuple):
    """An instance did not arrive completely; its file is removed."""

    file: str
    sop_uid: str
    reason: str


SpoolRecord: TypeAlias = "Begun | Sealed | Discarded"


def spool_id(record: SpoolRecord) -> str:
    """Return the ID that `Begun`, `Sealed` and `Discarded` of one instance share."""
    return record.file.rpartition("/")[2].partition("_")[0]


def number_of(name: str) -> int:
    """Return the number of an instance from the name of its file."""
    return int(name[_WRITER_DIGITS:_ID_DIGITS], 16)


def new_writer() -> str:
    """Return a unique ID for a `Spool`."""
    return os.urandom(_WRITER_DIGITS // 2).hex()
