"""The documented configuration, and collections made from it."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pacsfw.cli import main
from peers.readback import by_uid

DOCUMENTED = """\
move:
    start_time: 20:00
    end_time: 08:00
    query_level: STUDY
net:
    local_node:
        aetitle: mytitle
        port: 11112
    called_node:
        aetitle: theirtitle
        ip: 127.0.0.1
        port: 11112
find:
    query_level: STUDY
    search_fields:
        - StudyInstanceUID
        - PatientID
    start_date: "20200101"
    end_date: "20201212"
    modality: CT
storage:
    resources: my/resources.csv
    directory: my/dicom/dir
    sort_by: PATIENT
tags:
    - tag_name: PatientName
      callback: str
    - tag_name: StudyDate
      tag_alias: study_date
      callback: pacsanini.convert:str2datetime
    - tag_name: Laterality
      default_val: U
      callback: str
    - tag_name: StudyInstanceUID
    - tag_name: SOPInstanceUID
"""


class Collected:
    """A folder with the documented configuration, changed as told, and what came of it."""

    def __init__(
        self, folder: Path, receiver_port: int, pacs_port: int, changes: Mapping[str, str] = {}
    ) -> None:
        self.folder = folder
        self.conf = folder / "conf.yaml"
        self.archive = folder / "my" / "dicom" / "dir"
        self.state = self.archive / ".pacsfw"
        self.resources = folder / "my" / "resources.csv"
        self.table = folder / "my" / "resources_meta.csv"
        text = DOCUMENTED.replace("port: 11112", f"port: {receiver_port}", 1)
        text = text.replace("port: 11112", f"port: {pacs_port}", 1)
        usual = {"    start_time: 20:00\n    end_time: 08:00\n": ""}
        for old, new in {**usual, **changes}.items():
            assert old in text, old
            text = text.replace(old, new, 1)
        folder.mkdir(parents=True, exist_ok=True)
        self.conf.write_text(text, encoding="utf-8")

    def run(self, *command: str) -> int:
        """Run a command (``run`` without one) on the configuration in this process."""
        return main([*(command or ("run",)), "-f", str(self.conf)])

    def command(self, *command: str) -> int:
        """Run a command in a process of its own, where every module is loaded afresh."""
        words = [sys.executable, "-m", "pacsfw", *(command or ("run",)), "-f", str(self.conf)]
        return subprocess.run(words, capture_output=True, timeout=100).returncode

    def change(self, old: str, new: str) -> None:
        text = self.conf.read_text(encoding="utf-8")
        assert old in text, old
        self.conf.write_text(text.replace(old, new, 1), encoding="utf-8")

    def files(self) -> list[str]:
        """Paths of the stored files, relative to the archive."""
        return sorted(
            path.relative_to(self.archive).as_posix()
            for path in self.archive.rglob("*")
            if path.is_file() and not path.is_relative_to(self.state)
        )

    def objects(self) -> dict[str, bytes]:
        """Data-set bytes of the stored files by SOP Instance UID."""
        found = {}
        for top in self.archive.iterdir():
            if top != self.state:
                found.update(by_uid(top))
        return found

    def spooled(self) -> list[str]:
        return sorted(path.name for path in (self.state / "spool").iterdir())

    def listed(self) -> list[dict[str, str]]:
        return rows(self.resources)

    def rows(self) -> list[dict[str, str]]:
        """Rows of the table, with the path relative to the archive."""
        found = rows(self.table)
        for row in found:
            row["dicom_path"] = Path(row["dicom_path"]).relative_to(self.archive).as_posix()
        return sorted(found, key=lambda row: row["dicom_path"])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
