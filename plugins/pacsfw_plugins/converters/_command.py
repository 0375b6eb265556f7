"""Run a program for the converter ``command``."""

from __future__ import annotations

import mimetypes
import os
import resource
import shutil
import signal
import string
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from pacsfw.api import Converter, OutputFile, RunContext, Stored
from pacsfw.errors import ComponentError, Skip

_OF_ONE = frozenset({"file", "sop_uid"})
_NAMES = _OF_ONE | {"files", "folder", "out", "name", "study_uid", "series_uid"}
_PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")


class Command(Converter):
    """Starts a program for each item and returns all files that it writes.

    Raises
    ------
    ValueError
        The program is not found, or a placeholder does not exist in this scope.
    """

    def __init__(
        self,
        argv: Sequence[str],
        scope: str = "instance",
        stdout: str | None = None,
        exit_codes: Sequence[int] = (0,),
        skip_codes: Sequence[int] = (),
        max_bytes: int = 10_000_000_000,
        media_type: str | None = None,
        env: Mapping[str, str] = {},
    ) -> None:
        self._argv, self._stdout = list(argv), stdout
        for text in (*argv, stdout or ""):
            _check(text, scope)
        program = shutil.which(self._argv[0])
        if program is None:
            raise ValueError(f"the program {self._argv[0]!r} is not found")
        self._argv[0] = program
        self._good, self._skip = frozenset(exit_codes), frozenset(skip_codes)
        self._max_bytes, self._media_type, self._env = max_bytes, media_type, dict(env)
        self._workdir: Path | None = None

    def open(self, context: RunContext) -> None:
        """Remember the folder for links."""
        self._workdir = context.workdir

    def convert(self, files: Sequence[Stored], out: Path) -> Iterable[OutputFile]:
        """Run the program over one item.

        Raises
        ------
        Skip
            It ended with one of ``skip_codes``.
        ComponentError
            It failed, or wrote too much. Its output may name patients and is not quoted.
        """
        with self._folder(files) as folder:
            values = _values(files, out, folder)
            code = self._run(_filled(self._argv, values, files), values, out)
        if code in self._skip:
            raise Skip(f"exit code {code}")
        if code not in self._good:
            ended = f"exit code {code}" if code >= 0 else f"signal {-code}"
            raise ComponentError(f"{Path(self._argv[0]).name} failed: {ended}")
        written = sorted(path for path in out.rglob("*") if not path.is_dir())
        if sum(path.lstat().st_size for path in written) > self._max_bytes:
            raise ComponentError(f"the program wrote more than {self._max_bytes} bytes (max_bytes)")
        sources = tuple(stored.sop_uid for stored in files)
        return [
            OutputFile(path=path, media_type=self._type_of(path), sources=sources)
            for path in written
        ]

    def _run(self, argv: Sequence[str], values: Mapping[str, str], out: Path) -> int:
        printed: Any = nullcontext(subprocess.DEVNULL)
        if self._stdout is not None:
            path = out / self._stdout.format(**values)
            if path.parent.resolve() != out.resolve():
                raise ComponentError("the file for stdout is outside the folder to write to")
            printed = path.open("wb")
        with printed as stdout:
            process = subprocess.Popen(  # noqa: S603 - the user's own program; no shell
                argv,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.DEVNULL,
                cwd=out,
                env=self._environment(),
                start_new_session=True,
                preexec_fn=self._limit,
            )
            try:
                return process.wait()
            finally:
                # Kill its own child processes as well, also when the time limit ends the wait.
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _limit(self) -> None:
        # One more than the limit, so that a file that was cut there is over the limit.
        most = self._max_bytes + 1
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def _environment(self) -> dict[str, str]:
        ours = {
            name: value
            for name, value in os.environ.items()
            if name in _PASSED_ON or name.startswith("LC_")
        }
        return {**ours, **self._env}

    @contextmanager
    def _folder(self, files: Sequence[Stored]) -> Iterator[Path | None]:
        """Provide a folder with a link to each file, if an argument names {folder}."""
        if not any("{folder}" in text for text in self._argv):
            yield None
            return
        with tempfile.TemporaryDirectory(dir=self._workdir) as name:
            folder = Path(name)
            for number, stored in enumerate(files, start=1):
                (folder / f"{number:06}.dcm").symlink_to(stored.path)
            yield folder

    def _type_of(self, path: Path) -> str:
        return self._media_type or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _check(text: str, scope: str) -> None:
    """Check the placeholders of a text.

    Raises
    ------
    ValueError
        They are malformed, or do not exist in this scope.
    """
    try:
        fields = [name for _, name, spec, _ in string.Formatter().parse(text) if name is not None]
    except ValueError as err:
        raise ValueError(f"{text!r}: {err} (write a literal brace twice)") from None
    for name in fields:
        if name not in _NAMES:
            known = ", ".join(f"{{{each}}}" for each in sorted(_NAMES))
            raise ValueError(f"{text!r}: {{{name}}} is not one of {known}")
        if name in _OF_ONE and scope != "instance":
            raise ValueError(f"{text!r}: {{{name}}} needs scope instance, not {scope}")
        if name == "series_uid" and scope == "study":
            raise ValueError(f"{text!r}: {{{name}}} needs scope instance or series, not {scope}")
        if name == "files" and text != "{files}":
            raise ValueError(f"{text!r}: {{files}} must be a separate argument")


def _values(files: Sequence[Stored], out: Path, folder: Path | None) -> dict[str, str]:
    first = files[0]
    return {
        "file": str(first.path),
        "folder": str(folder),
        "out": str(out),
        "name": first.path.name.removesuffix(".dcm"),
        "study_uid": first.study_uid,
        "series_uid": first.series_uid,
        "sop_uid": first.sop_uid,
    }


def _filled(argv: Sequence[str], values: Mapping[str, str], files: Sequence[Stored]) -> list[str]:
    filled: list[str] = []
    for text in argv:
        if text == "{files}":
            filled += [str(stored.path) for stored in files]
        else:
            filled.append(text.format(**values))
    return filled
