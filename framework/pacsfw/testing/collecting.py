"""Run a complete collection from a test PACS, and return its results."""

from __future__ import annotations

import csv
import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pacsfw.testing.embedded import EmbeddedPACS

SECONDS = 100
"""Timeout in seconds, after which a run is killed; a few small studies take a few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """The results of a command."""

    code: int
    """The exit code; 0: everything is complete."""
    said: str
    """Standard output and standard error."""
    folder: Path
    """The folder of the configuration, and of all relative paths."""

    @property
    def archive(self) -> Path:
        """``storage.directory``."""
        return self.folder / "dicom"

    @property
    def files(self) -> list[str]:
        """Paths of the stored files, relative to `archive`, sorted."""
        state = self.archive / ".pacsfw"
        return sorted(
            path.relative_to(self.archive).as_posix()
            for path in self.archive.rglob("*")
            if path.is_file() and not path.is_relative_to(state)
        )

    @property
    def rows(self) -> list[dict[str, str]]:
        """The table of tags, one row per instance; empty if there is none."""
        table = self.folder / "resources_meta.csv"
        if not table.exists():
            return []
        with table.open(newline="", encoding="utf-8-sig") as lines:
            return list(csv.DictReader(lines))


def collect(
    folder: Path, pacs: EmbeddedPACS, port: int, command: str, sections: Mapping[str, Any]
) -> Collected:
    """Write a configuration to ``folder`` and run a command with it in another process.

    Parameters
    ----------
    port
        Our port; the PACS must know it as the destination PACSFW.
    sections
        Changes to the default configuration, by section; None removes a section.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    conf = folder / "conf.json"
    conf.write_text(json.dumps(_configuration(pacs, port, sections), indent=2), encoding="utf-8")
    conf.chmod(0o600)  # pacsfw rejects a file that other users can modify
    words = [sys.executable, "-m", "pacsfw", command, str(conf)]
    ran = subprocess.run(  # noqa: S603 - our own program
        words,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
        check=False,
    )
    return Collected(code=ran.returncode, said=ran.stdout.decode(errors="replace"), folder=folder)


def free_port() -> int:
    """Return a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _configuration(pacs: EmbeddedPACS, port: int, sections: Mapping[str, Any]) -> Mapping[str, Any]:
    usual: dict[str, Any] = {
        "net": {
            "local_node": {"aetitle": "PACSFW", "port": port, "bind": "127.0.0.1"},
            "called_node": {"aetitle": pacs.aetitle, "ip": pacs.host, "port": pacs.port},
        },
        "find": {"start_date": "19000101", "end_date": "20991231"},
        "move": {"query_level": "STUDY"},
        "storage": {"resources": "resources.csv", "directory": "dicom"},
        "tags": [{"tag_name": "StudyInstanceUID"}, {"tag_name": "SOPInstanceUID"}],
    }
    for key, value in sections.items():
        both = isinstance(value, Mapping) and isinstance(usual.get(key), Mapping)
        usual[key] = {**usual[key], **value} if both else value
    return {key: value for key, value in usual.items() if value is not None}
