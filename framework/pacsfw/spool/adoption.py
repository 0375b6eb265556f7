"""Taking over the complete spool files of a writer that has died."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from pacsfw.dicom.part10 import file_head, read_file_meta
from pacsfw.spool.records import PART_SUFFIX, SEALED_SUFFIX, Sealed, number_of

log = logging.getLogger(__name__)

UNREADABLE_SUFFIX = ".unreadable"

_HEX = "(?:[0-9a-f]{2})*"
_NAME = re.compile(
    rf"[0-9a-f]{{32}}_(?P<originator>{_HEX})_(?P<message>[0-9a-f]{{0,4}})(?:_(?P<address>{_HEX}))?"
)
"""Without the address, earlier versions wrote it."""


def adopt(folder: Path) -> list[Sealed]:
    """Take over the spool files of an earlier run. No receiver may be running.

    Unfinished files are removed: their senders never got a response. A sealed file that is
    not a readable Part 10 file (a power cut can leave one) is renamed to ``.unreadable`` and
    logged, because it cannot be identified.

    Returns
    -------
    list of Sealed
        The complete instances, rebuilt from file names and File Meta, sorted by path.

    Raises
    ------
    OSError
        The folder cannot be read or changed.
    """
    return list(_complete(sorted(folder.iterdir())))


def adopt_from(folder: Path, writer: str, ended: Container[int]) -> list[Sealed]:
    """Take over the files of one writer that died while others continue.

    Parameters
    ----------
    writer
        The ID of the `Spool`.
    ended
        The numbers of the instances that were reported sealed or discarded.

    Raises
    ------
    OSError
        The folder cannot be read or changed.
    """
    left = sorted(folder.glob(f"{writer}*"))
    return list(_complete(path for path in left if number_of(path.name) not in ended))


def _complete(paths: Iterable[Path]) -> Iterator[Sealed]:
    for path in paths:
        if path.suffix == PART_SUFFIX:
            path.unlink(missing_ok=True)
        elif path.suffix == SEALED_SUFFIX and path.exists():
            # A worker of a killed driver may just be finishing this file.
            try:
                yield sealed_from(path)
            except ValueError as error:
                log.warning("%s: left in the spool and unreadable: %s", path, error)
                path.rename(path.with_suffix(UNREADABLE_SUFFIX))


def sealed_from(path: Path) -> Sealed:
    """Rebuild the record of a sealed spool file from its name and File Meta.

    Raises
    ------
    ValueError
        The name or the File Meta does not belong to a spool file.
    OSError
        The file cannot be read.
    """
    name = _NAME.fullmatch(path.stem)
    if name is None:
        raise ValueError("its name is not that of a spool file")
    meta = read_file_meta(path)
    message = name["message"]
    return Sealed(
        str(path),
        meta.sop_class,
        meta.sop_uid,
        meta.syntax,
        meta.source_aet,
        bytes.fromhex(name["originator"]).decode("latin-1"),
        int(message, 16) if message else None,
        path.stat().st_size - meta.offset_of_dataset,
        address=bytes.fromhex(name["address"] or "").decode("latin-1"),
    )


def rewrite_head(sealed: Sealed, sop_uid: str) -> None:
    """Replace the File Meta of a sealed file by one with the SOP Instance UID of its data set.

    Raises
    ------
    OSError
        The file cannot be read or rewritten.
    """
    draft = sealed.path.with_suffix(PART_SUFFIX)
    with sealed.path.open("rb") as source, draft.open("wb") as target:
        os.fchmod(target.fileno(), 0o600)
        target.write(file_head(sealed.sop_class, sop_uid, sealed.syntax, sealed.calling_ae))
        source.seek(read_file_meta(sealed.path).offset_of_dataset)
        shutil.copyfileobj(source, target)
    draft.replace(sealed.path)
