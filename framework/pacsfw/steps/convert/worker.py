"""Run one conversion in a worker process, and check the files that it wrote."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pacsfw.api import Clock, Converter, OutputFile, Stored
from pacsfw.errors import PacsfwError, Retry, Skip
from pacsfw.ledger.conversions import Output
from pacsfw.paths import escape
from pacsfw.retries import retrying
from pacsfw.workers.limits import limited

ATTEMPTS = 3
"""Maximum attempts of a conversion that may succeed later (it raises `Retry`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One item to convert.

    ``staging`` is the job's own folder, ``target`` the final folder of the files in it unless
    the converter chooses another one below ``root``.
    """

    item: str
    study_uid: str
    fingerprint: str
    files: tuple[Stored, ...]
    staging: Path
    target: Path
    root: Path


@dataclass(frozen=True, slots=True)
class Made:
    """The files are synced in the staging folder; ``path`` of an output is already its final one.

    ``staged`` are their present paths.
    """

    outputs: tuple[Output, ...]
    staged: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class ConversionRefused:
    """Nothing was converted. ``skipped``: on purpose. The reason quotes no value."""

    reason: str
    skipped: bool = False


class Work:
    """Returns the outcome of jobs; never raises, whatever a converter does."""

    def __init__(self, converter: Converter, seconds: float, label: str = "") -> None:
        self.close = converter.close
        """At the end of the process."""
        self._convert = limited(_collected(converter), seconds, label, patience=None)

    def __call__(self, job: Job) -> Made | ConversionRefused:
        """Do one job; retry it if the converter raises `Retry`."""
        try:
            return retrying(Clock(), threading.Event(), ATTEMPTS)(self._once, job)
        except Skip as err:
            return ConversionRefused(str(err), skipped=True)
        except Retry as err:
            return ConversionRefused(f"{err} (tried {ATTEMPTS} times)")
        except PacsfwError as err:
            fault = getattr(err, "fault", None)
            return ConversionRefused(fault.reason if fault else str(err))

    def _once(self, job: Job) -> Made:
        _empty(job.staging)
        found = _outputs(self._convert(job.files, job.staging), job)
        return Made(tuple(found.values()), tuple(found))


def _collected(converter: Converter) -> Callable[[Sequence[Stored], Path], list[OutputFile]]:
    def convert(files: Sequence[Stored], out: Path) -> list[OutputFile]:
        return list(converter.convert(files, out))  # a generator works only when consumed

    return convert


class _Wrong(PacsfwError):
    """The converter broke its contract."""


def _outputs(produced: Iterable[OutputFile], job: Job) -> dict[Path, Output]:
    """Check that the files that the converter names are those that it wrote; sync them.

    Returns
    -------
    dict
        The outputs by their paths in the staging folder.

    Raises
    ------
    PacsfwError
        A file is outside the staging folder, missing, or not named, or two have one final path.
    """
    root = job.staging.resolve()
    uids = {stored.sop_uid for stored in job.files}
    found: dict[Path, Output] = {}
    for each in produced:
        path = Path(os.path.abspath(root / each.path))  # links stay as written
        if not path.is_relative_to(root) or not path.parent.resolve().is_relative_to(root):
            raise _Wrong("it names a file outside its output folder")
        if not os.path.lexists(path):
            raise _Wrong("it names a file that it did not write")
        if not stat.S_ISREG(path.lstat().st_mode):
            raise _Wrong("it names something that is not a regular file")
        if path in found:
            raise _Wrong("it names a file twice")
        if not set(each.sources) <= uids:
            raise _Wrong("it names sources that are not in its input")
        found[path] = _output(path, each, job, root)
    if len({output.path for output in found.values()}) < len(found):
        raise _Wrong("it gives two files the same folder and name")
    if not found:
        raise _Wrong("it wrote nothing, and did not raise Skip")
    unnamed = sum(path not in found for path in root.rglob("*") if not path.is_dir())
    if unnamed:
        raise _Wrong(f"it wrote files that it does not name: {unnamed}")
    return found


def _output(path: Path, produced: OutputFile, job: Job, root: Path) -> Output:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        os.fsync(file.fileno())
    return Output(
        path=str(_folder(produced, job) / path.relative_to(root)),
        media_type=produced.media_type,
        size=path.stat().st_size,
        digest=digest.hexdigest(),
        sources=tuple(produced.sources) or tuple(sorted(stored.sop_uid for stored in job.files)),
    )


def _folder(produced: OutputFile, job: Job) -> Path:
    """Return the final folder of a file."""
    names = produced.folder
    if names is None:
        return job.target
    if (
        isinstance(names, str | bytes)
        or not isinstance(names, Sequence)
        or not all(isinstance(name, str) and name for name in names)
    ):
        raise _Wrong("it names a folder that is not a sequence of names")
    return Path(job.root, *map(escape, names))


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
