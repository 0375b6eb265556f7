"""Whether the files of stored objects are what they were when they came."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from pacsfw.dicom.part10 import read_file_meta
from pacsfw.ledger.instances import Instance

Condition: TypeAlias = Literal["whole", "missing", "damaged", "unreadable"]
"""``damaged``: the bytes are other ones; ``unreadable``: the file cannot be read now, which
says nothing about what is in it."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Checked:
    """One file, as it is."""

    instance: Instance
    condition: Condition
    bytes: int = 0
    """Size of the file."""
    sha256: str = ""
    """Of the file as it lies there, as ``sha256sum`` prints it."""


def check_files(instances: Sequence[Instance], folder: Path, threads: int = 2) -> Iterator[Checked]:
    """Read the file of every object whole and compare it with what the ledger says.

    Parameters
    ----------
    folder
        What the paths of the objects are relative to.
    """
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(partial(check_file, folder=folder), instances)


def check_file(instance: Instance, folder: Path) -> Checked:
    """Compare one file: File Meta, size, and the digest of the data set."""
    path = folder / instance.path
    try:
        with path.open("rb") as file:
            meta = read_file_meta(path)
            whole, dataset = hashlib.sha256(), hashlib.sha256()
            head = file.read(meta.offset_of_dataset)
            whole.update(head)
            size = len(head)
            while chunk := file.read(_CHUNK):
                whole.update(chunk)
                dataset.update(chunk)
                size += len(chunk)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return Checked(instance, "missing")
    except ValueError:  # no File Meta any more
        return Checked(instance, "damaged")
    except OSError:
        return Checked(instance, "unreadable")
    same = dataset.hexdigest() == instance.digest and meta.sop_uid == instance.sop_uid
    return Checked(instance, "whole" if same else "damaged", size, whole.hexdigest())


def unknown_files(archive: Path, state: Path, known: AbstractSet[str]) -> Iterator[Path]:
    """Yield the files of the archive that the ledger does not know."""
    for folder, folders, files in os.walk(archive):
        here = Path(folder)
        folders[:] = [name for name in folders if here / name != state]
        for name in files:
            path = here / name
            if path.relative_to(archive).as_posix() not in known:
                yield path
