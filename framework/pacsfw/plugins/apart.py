"""Describe plugins in a process of their own, which they may crash, block or write into.

One process describes all of them. If it dies or takes too long, the plugin that it was working
on has failed, and another process describes the rest.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from pacsfw.plugins.descriptions import ATTEMPT, Description
from pacsfw.plugins.discovery import Candidate, PluginPlan, find
from pacsfw.plugins.loading import TRACE_VARIABLE, Plugin

SECONDS_VARIABLE = "PACSFW_IMPORT_SECONDS"
"""How long the import of one plugin, with the calls of its hooks, may take; 30 by default."""
_SECONDS = 30.0
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
"""Signals by which a user or the system ends a process: no fault of a plugin."""
_START_SECONDS = 60.0
"""How long Python itself may take to start."""
_PROGRAM = """\
import json, sys
asked = json.load(sys.stdin)
sys.path[:] = asked["path"]
from pacsfw.plugins.apart import answer
answer(asked)
"""


def describe_apart(
    plan: PluginPlan, candidates: Sequence[Candidate], *, deep: bool = False
) -> Iterator[tuple[Candidate, Description]]:
    """Yield the description of each of these candidates of the plan."""
    waiting = {candidate.key: candidate for candidate in candidates}
    while waiting:
        begun = ""
        with _Process(plan, list(waiting), deep=deep) as process:
            for key, said in process.messages():
                if said is None:
                    begun = key
                elif key in waiting:
                    yield waiting.pop(key), Description.read(said)
                    begun = ""
        if begun in waiting:
            stage = ATTEMPT if process.killed else "import"
            yield waiting.pop(begun), Description.failed(process.ended, stage)
        elif waiting:  # it never got to a plugin: another attempt would end in the same way
            for candidate in waiting.values():
                yield candidate, Description.failed(process.ended, ATTEMPT)
            return


class _Process:
    """The process that describes, and the messages that it sends."""

    def __init__(self, plan: PluginPlan, keys: Sequence[str], *, deep: bool) -> None:
        self._asked = {
            "path": sys.path,
            "load": [str(path) for path in plan.load],
            "installed": plan.installed,
            "keys": keys,
            "deep": deep,
        }
        self.ended = "its process ended without a reason"
        self.killed = False

    def __enter__(self) -> _Process:
        self._process = subprocess.Popen(  # noqa: S603 - this Python
            [sys.executable, "-P", "-c", _PROGRAM],  # -P: no module of the working directory
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if name != TRACE_VARIABLE},
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                stream.close()  # type: ignore[union-attr]

    def messages(self) -> Iterator[tuple[str, Any]]:
        """Yield (key, None) when a plugin is begun, and (key, description) when it is done.

        Ends when all is said, or when the process has died or takes too long: `ended` says how.
        """
        assert self._process.stdin is not None  # noqa: S101 - pipes, by construction
        assert self._process.stdout is not None  # noqa: S101
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(self._asked).encode())
            self._process.stdin.close()
        source, buffer = self._process.stdout.fileno(), b""
        limit = _START_SECONDS
        deadline = time.monotonic() + limit
        while True:
            if not select.select([source], [], [], max(0.0, deadline - time.monotonic()))[0]:
                self.ended = f"its import takes longer than {limit:g} s ({SECONDS_VARIABLE})"
                return
            if not (piece := os.read(source, 65_536)):
                self._note_the_end()
                return
            *lines, buffer = (buffer + piece).split(b"\n")
            for line in lines:
                key, said = json.loads(line)
                limit = _seconds()
                deadline = time.monotonic() + limit
                if key is None:
                    return
                yield key, said

    def _note_the_end(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        code = self._process.returncode
        self.killed = code is not None and -code in _FROM_OUTSIDE
        self.ended = f"its import ended the process (exit code {code})"
        if code is not None and code < 0:
            with suppress(ValueError):
                self.ended = f"its import killed the process ({signal.Signals(-code).name})"
        if self.killed:
            self.ended = f"the process was ended from outside ({signal.Signals(-code).name})"


def _seconds() -> float:
    try:
        return float(os.environ.get(SECONDS_VARIABLE, "")) or _SECONDS
    except ValueError:
        return _SECONDS


def answer(asked: Mapping[str, Any]) -> None:
    """Describe what is asked for, in the process that `describe_apart` started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a KeyboardInterrupt is one of the plugin
    out = os.fdopen(os.dup(1), "w", encoding="ascii")
    captured = tempfile.TemporaryFile()  # noqa: SIM115 - until the process ends
    for stream in (1, 2):
        os.dup2(captured.fileno(), stream)

    def say(key: str | None, said: Any) -> None:
        out.write(json.dumps([key, said]) + "\n")
        out.flush()

    plan = PluginPlan(load=tuple(map(Path, asked["load"])), installed=asked["installed"])
    for candidate in find(plan).candidates:
        if candidate.key in asked["keys"]:
            say(candidate.key, None)
            before = os.fstat(captured.fileno()).st_size
            found = describe(candidate, deep=asked["deep"])
            for each in (sys.stdout, sys.stderr):
                each.flush()
            if os.fstat(captured.fileno()).st_size > before:
                found = replace(found, notes=(*found.notes, "it prints when it is imported"))
            say(candidate.key, found.as_json())
    say(None, None)
    os._exit(0)  # whatever plugins have left running


def describe(candidate: Candidate, *, deep: bool = False) -> Description:
    """Import and describe a plugin in this process, unless it needs another pacsfw."""
    if unmet := _other_pacsfw(candidate):
        return Description.failed(unmet, "requirements")
    return Description.of(Plugin(candidate), deep=deep)


def _other_pacsfw(candidate: Candidate) -> str:
    """Return which pacsfw the distribution of a plugin needs, empty if it is this one."""
    if not candidate.origin.endswith("-info"):
        return ""
    from pacsfw.plugins.requirements import unmet

    try:
        missing = list(unmet(Distribution.at(candidate.origin)))
    except Exception:  # noqa: BLE001 - broken metadata must not hide the plugin
        return ""
    for each in missing:
        if each.name == "pacsfw":
            return (
                f"it needs {each.text}, and this is pacsfw {each.installed}: upgrade pacsfw "
                f"(pip install --upgrade '{each.text}'), or install another version of "
                f"{candidate.distribution}"
            )
    return ""
