"""Check that the files of stored instances are unchanged since they arrived."""

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
"""``damaged``: the bytes have changed; ``unreadable``: the file cannot be read now, so its
content is unknown."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Checked:
    """The current condition of one file."""

    instance: Instance
    condition: Condition
    bytes: int = 0
    """Size of the file."""
    sha256: str = ""
    """Digest of the complete file, as ``sha256sum`` prints it."""


def check_files(instances: Sequence[Instance], folder: Path, threads: int = 2) -> Iterator[Checked]:
    """Read every file completely and compare it with the ledger; ``folder`` is their root."""
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
    except ValueError:  # the File Meta is gone
        return Checked(instance, "damaged")
    except OSError:
        return Checked(instance, "unreadable")
    same = dataset.hexdigest() == instance.digest and meta.sop_uid == instance.sop_uid
    return Checked(instance, "whole" if same else "damaged", size, whole.hexdigest())


def unknown_files(directory: Path, state: Path, known: AbstractSet[str]) -> Iterator[Path]:
    """Yield the files in the dataset folder that the ledger does not know."""
    for folder, folders, files in os.walk(directory):
        here = Path(folder)
        folders[:] = [name for name in folders if here / name != state]
        for name in files:
            path = here / name
            if path.relative_to(directory).as_posix() not in known:
                yield path
