"""One conversion, in a worker process: run the converter and look at what it wrote."""

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
from pacsfw.retries import retrying
from pacsfw.workers.limits import limited

ATTEMPTS = 3
"""How often a conversion is tried that says it may succeed later (`Retry`)."""
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to convert.

    ``staging`` is a folder for this job alone, ``target`` the one where what is in it goes.
    """

    item: str
    study_uid: str
    fingerprint: str
    files: tuple[Stored, ...]
    staging: Path
    target: Path


@dataclass(frozen=True, slots=True)
class Made:
    """The files are in the staging folder, synced; their paths are those of the target."""

    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class ConversionRefused:
    """Nothing was made. ``skipped``: on purpose. The reason holds no value of an object."""

    reason: str
    skipped: bool = False


class Work:
    """Turns jobs into outcomes; never raises, whatever a converter does."""

    def __init__(self, converter: Converter, seconds: float) -> None:
        self._convert = limited(_collected(converter), seconds, patience=None)

    def __call__(self, job: Job) -> Made | ConversionRefused:
        """Do one job, several times if the converter says that this may help."""
        try:
            return retrying(Clock(), threading.Event(), ATTEMPTS)(self._once, job)
        except Skip as err:
            return ConversionRefused(str(err), skipped=True)
        except Retry as err:
            return ConversionRefused(f"{err} (tried {ATTEMPTS} times)")
        except PacsfwError as err:
            return ConversionRefused(str(err))
        except (Exception, SystemExit) as err:  # noqa: BLE001 - plugin boundary
            return ConversionRefused(_location_of(err))

    def _once(self, job: Job) -> Made:
        _empty(job.staging)
        return Made(tuple(_outputs(self._convert(job.files, job.staging), job)))


def _collected(converter: Converter) -> Callable[[Sequence[Stored], Path], list[OutputFile]]:
    def convert(files: Sequence[Stored], out: Path) -> list[OutputFile]:
        return list(converter.convert(files, out))  # a generator works only when consumed

    return convert


class _Wrong(PacsfwError):
    """The converter broke its contract."""


def _outputs(produced: Iterable[OutputFile], job: Job) -> Iterable[Output]:
    """Check what the converter says it wrote against what is there; make it durable.

    Raises
    ------
    PacsfwError
        It wrote outside its folder, named what is not there, or wrote what it did not name.
    """
    root = job.staging.resolve()
    uids = {stored.sop_uid for stored in job.files}
    named: set[Path] = set()
    found: list[Output] = []
    for each in produced:
        if not isinstance(each, OutputFile):
            raise _Wrong(f"it gave {type(each).__name__}, not OutputFile")
        path = Path(os.path.abspath(root / each.path))  # links stay as written
        if not path.is_relative_to(root) or not path.parent.resolve().is_relative_to(root):
            raise _Wrong("it names a file outside the folder that it was given")
        if not os.path.lexists(path):
            raise _Wrong("it names a file that it did not write")
        if not stat.S_ISREG(path.lstat().st_mode):
            raise _Wrong("it names what is not a regular file")
        if path in named:
            raise _Wrong("it names one file twice")
        if not set(each.sources) <= uids:
            raise _Wrong("it names sources that it was not given")
        named.add(path)
        found.append(_output(path, each, job, root))
    if not found:
        raise _Wrong("it wrote nothing, and did not say by Skip why")
    unnamed = sum(path not in named for path in root.rglob("*") if not path.is_dir())
    if unnamed:
        raise _Wrong(f"it wrote files that it does not name: {unnamed}")
    return found


def _output(path: Path, produced: OutputFile, job: Job, root: Path) -> Output:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        os.fsync(file.fileno())
    return Output(
        path=str(job.target / path.relative_to(root)),
        media_type=produced.media_type,
        size=path.stat().st_size,
        digest=digest.hexdigest(),
        sources=tuple(produced.sources) or tuple(sorted(stored.sop_uid for stored in job.files)),
    )


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)


def _location_of(err: BaseException) -> str:
    """Say what was raised and where, but not its text, which may quote a patient."""
    last = err.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    name = type(err).__name__
    if last is None:
        return name
    return f"{name} at {Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno}"
