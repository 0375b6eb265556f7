"""Write the file of the observer ``manifest``."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from pacsfw import api
from pacsfw_plugins.observers._run_words import numbers


class Manifest(api.Observer):
    """Appends one JSON object per line; an incomplete last line of a killed run is ended first."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._file: BinaryIO | None = None
        self._context: api.RunContext | None = None

    def open(self, context: api.RunContext) -> None:
        """Open the file; a new one is private to its owner."""
        self._context = context
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._file = os.fdopen(descriptor, "a+b", buffering=0)
        if size := os.fstat(descriptor).st_size:
            self._file.seek(size - 1)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")

    def notify(self, event: api.Event) -> None:
        assert self._context is not None and self._file is not None  # noqa: S101, PT018 - open
        line = _line(event, self._context)
        if line is None:
            return
        line |= {"run": self._context.run_id, "at": event.at.isoformat()}
        self._file.write(json.dumps(line, sort_keys=True).encode() + b"\n")
        if isinstance(event, api.RunFinished):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _line(event: api.Event, context: api.RunContext) -> dict[str, Any] | None:
    match event:
        case api.RunStarted():
            return {
                "event": "started",
                "command": event.command,
                "components": [asdict(used) for used in context.components],
            }
        case api.StudySettled():
            verdict = event.verdict
            return {
                "event": "study",
                "study": event.study_uid,
                "verdict": verdict.state,
                "reason": verdict.reason,
                "expected": verdict.expected,
                "source": verdict.source,
                "stored": verdict.stored,
                "left_out": verdict.left_out,
                "missing": list(verdict.missing),
                "components": dict(event.components),
            }
        case api.Converted():
            return {
                "event": "converted",
                "study": event.study_uid,
                "converter": event.converter,
                "component": event.component,
                "state": event.state,
                "reason": event.reason,
                "outputs": event.outputs,
            }
        case api.RunFinished():
            return {"event": "finished", **numbers(event)}
    return None
