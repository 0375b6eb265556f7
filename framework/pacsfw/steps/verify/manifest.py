"""Write the manifest: the instances of a collection and the evidence, one JSON object per line.

It can be read without the ledger and pacsfw: paths are relative to the dataset folder, and
``sha256`` is the digest of the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pacsfw.api import Verdict
from pacsfw.errors import StateError
from pacsfw.ledger.instances import Instance
from pacsfw.steps.verify.disk import Checked


class Manifest:
    """Writes a temporary file, and replaces the target when everything is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(f".{path.name}.part")
        self._components: dict[str, list[str]] = {}

    def __enter__(self) -> Self:
        """Open the temporary file.

        Raises
        ------
        StateError
            The file cannot be written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = self._draft.open("w", encoding="utf-8")
        except OSError as err:
            raise StateError(f"{self._path}: cannot be written: {err.strerror}") from err
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._file.close()
            self._draft.unlink(missing_ok=True)
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._draft.replace(self._path)

    def study(self, components: Mapping[str, Sequence[str]]) -> None:
        """Begin a study; these components, by kind, transferred and processed it."""
        self._components = {kind: list(named) for kind, named in components.items()}

    def file(
        self,
        checked: Checked,
        verdict: Verdict | None,
        flags: Sequence[str],
        made: Mapping[str, Sequence[str]],
    ) -> None:
        """Add an instance that is on the disk; ``made`` are the components of this instance."""
        instance = checked.instance
        self._write(
            {
                "study_instance_uid": instance.study_uid,
                "series_instance_uid": instance.series_uid,
                "sop_instance_uid": instance.sop_uid,
                "sop_class_uid": instance.sop_class,
                "transfer_syntax_uid": instance.syntax,
                "path": instance.path,
                "state": instance.state if checked.condition == "whole" else checked.condition,
                "bytes": checked.bytes,
                "sha256": checked.sha256,
                "flags": list(flags),
                "dataset_sha256": instance.digest,
                "named_study_instance_uid": instance.named_study,
                "calling_aetitle": instance.calling_ae,
                "address": instance.address,
            },
            verdict,
            made,
        )

    def missing(self, study_uid: str, series_uid: str, sop_uid: str, verdict: Verdict) -> None:
        """Add an instance that the PACS lists and that is not stored."""
        self._write(_without_file("missing", study_uid, series_uid, sop_uid), verdict)

    def left_out(self, instance: Instance, verdict: Verdict | None, flags: Sequence[str]) -> None:
        """Add an instance that was left out on purpose."""
        facts = _without_file(
            instance.state, instance.study_uid, instance.series_uid, instance.sop_uid
        )
        facts |= {
            "sop_class_uid": instance.sop_class,
            "transfer_syntax_uid": instance.syntax,
            "flags": list(flags),
            "left_out_by": instance.reason,
        }
        self._write(facts, verdict)

    def _write(
        self,
        facts: Mapping[str, Any],
        verdict: Verdict | None,
        made: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        line = {
            **facts,
            "verdict": verdict.state if verdict else None,
            "reason": verdict.reason if verdict else "",
            "expected": verdict.expected if verdict else None,
            "source": verdict.source if verdict else "",
            "components": {**self._components, **(made or {})},
        }
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _without_file(state: str, study_uid: str, series_uid: str, sop_uid: str) -> dict[str, Any]:
    return {
        "study_instance_uid": study_uid,
        "series_instance_uid": series_uid,
        "sop_instance_uid": sop_uid,
        "sop_class_uid": "",
        "transfer_syntax_uid": "",
        "path": None,
        "state": state,
        "bytes": None,
        "sha256": None,
        "flags": [],
    }
