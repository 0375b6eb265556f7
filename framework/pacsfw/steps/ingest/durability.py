"""Making a file name, or all stored files of a study, survive a power cut."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pacsfw.dicom.part10 import read_file_meta
from pacsfw.durable import sync_folder
from pacsfw.steps.run import Run


def sync_folders(path: Path, top: Path) -> None:
    """Make a file name durable, and the names of its parent folders up to ``top``.

    Raises
    ------
    OSError
        A folder does not exist any more, or cannot be written.
    """
    for folder in _folders(path, top):
        sync_folder(folder)


class Durability:
    """Syncs studies, so that a power cut cannot take what the ledger calls complete."""

    def __init__(self, run: Run) -> None:
        self._ledger, self._top = run.ledger, run.storage.directory

    def make_durable(self, study_uid: str) -> None:
        """Sync the files of a study, then their folders; forget missing or truncated files.

        These were removed, or a power cut lost their end. They are requested again.
        """
        folders: dict[Path, None] = {}
        for instance in self._ledger.instances.of_study(study_uid):
            path = self._top / instance.path
            if not _sync_file(path, instance.size):
                self._ledger.instances.forget(instance)
            elif path.parent not in folders:
                folders.update(dict.fromkeys(_folders(path, self._top)))
        for folder in folders:
            with suppress(FileNotFoundError, NotADirectoryError):
                sync_folder(folder)


def _folders(path: Path, top: Path) -> Iterator[Path]:
    for folder in path.parents:
        yield folder
        if folder == top:
            return


def _sync_file(path: Path, size: int) -> bool:
    """Sync a file; return False if it is missing or has no data set of ``size`` bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        if os.fstat(descriptor).st_size != read_file_meta(descriptor).offset_of_dataset + size:
            return False
        os.fsync(descriptor)
    except ValueError:
        return False
    finally:
        os.close(descriptor)
    return True
