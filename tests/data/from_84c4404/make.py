"""Make what lies beside this file, with the program that is installed; see README.md."""

from __future__ import annotations

import csv
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pacsfw.testing import FaultyPACS, Study, make_studies
from support.from_84c4404 import COMPLETE, DATA, FOLDER, LATE, PACS_PORT, RECEIVER_PORT, SHORT

CONF = f"""\
net:
  local_node:
    aetitle: PACSFW
    bind: 127.0.0.1
    port: {RECEIVER_PORT}
  called_node:
    aetitle: THEIRTITLE
    ip: 127.0.0.1
    port: {PACS_PORT}
    max_associations: 1
find:
  start_date: "20190101"
  end_date: "20211231"
  search_fields: [PatientID, StudyDescription]
move:
  query_level: STUDY
  attempts: 1
storage:
  resources: my/resources.csv
  resources_meta: my/resources_meta.csv
  directory: my/dicom
  sort_by: PATIENT
tags:
  - tag_name: PatientName
    callback: str
  - tag_name: StudyDate
    tag_alias: study_date
    callback: pacsanini.convert:str2datetime
  - tag_name: Laterality
    required: true
  - tag_name: [ImageType, Modality]
    tag_alias: kind
  - tag_name: Rows
    type: auto
  - tag_name: StudyInstanceUID
  - tag_name: SOPInstanceUID
sinks:
  - use: jsonl
    with: {{path: my/table.jsonl}}
  - use: sql
    with: {{path: "sqlite:///my/tables.db"}}
convert:
  - jsonmeta
  - use: command
    id: counts
    workers: 3
    with:
      argv: [sh, -c, 'sleep 0.4; ls "$0" | wc -l', "{{folder}}"]
      scope: series
      stdout: count.txt
observers:
  - use: manifest
    with: {{path: my/manifest.jsonl}}
"""
WEBHOOK = """\
  - use: webhook
    with: {url: "http://127.0.0.1:9/", attempts: 1}
"""


def write_conf(folder: Path, text: str) -> Path:
    folder.mkdir(mode=0o700)
    conf = folder / "conf.yaml"
    conf.write_text(text, encoding="utf-8")
    conf.chmod(0o600)
    return conf


def run(conf: Path, *command: str, code: int = 0) -> None:
    words = [sys.executable, "-m", "pacsfw", *command, "-f", str(conf)]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == code, (command, done.returncode, done.stdout)


@contextmanager
def serving(studies: list[Study], **options: object) -> Iterator[FaultyPACS]:
    destinations = {"PACSFW": ("127.0.0.1", RECEIVER_PORT)}
    with FaultyPACS(
        studies, aetitle="THEIRTITLE", destinations=destinations, port=PACS_PORT, **options
    ) as pacs:
        yield pacs


def look(conf: Path, question: str, *values: object) -> list[tuple[object, ...]]:
    path = conf.parent / "my" / "dicom" / ".pacsfw" / "ledger.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as ledger:
        return ledger.execute(question, values).fetchall()


def ask_last(conf: Path, uid: str) -> None:
    """Move a study to the end of the list, which is the user's to edit."""
    path = conf.parent / "my" / "resources.csv"
    with path.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        rows = sorted(reader, key=lambda row: row["StudyInstanceUID"] == uid)
        names = reader.fieldnames or []
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def is_half_finished(conf: Path) -> bool:
    """Tell whether one late study is complete and not converted, the next one half there."""
    stored = [
        look(conf, "SELECT count(*) FROM instances WHERE study_uid = ?", study.uid)[0][0]
        for study in LATE
    ]
    first, second = (len(study.sop_uids) for study in LATE[:2])
    return stored[0] == first and 0 < stored[1] < second - 2 and LATE[0].uid in due(conf)


def due(conf: Path) -> set[object]:
    rows = look(
        conf,
        "SELECT study_uid FROM studies WHERE verdict = 'complete' AND study_uid NOT IN"
        " (SELECT study_uid FROM converted WHERE converter = 'counts')",
    )
    return {uid for (uid,) in rows}


def kill_half_way(conf: Path) -> bool:
    """Start a move and kill it once it is half finished; False if it never was."""
    words = [sys.executable, "-m", "pacsfw", "move", str(conf)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True)
    spool = conf.parent / "my" / "dicom" / ".pacsfw" / "spool"
    while process.poll() is None:
        if not is_half_finished(conf):
            continue
        # The driver stands still, so that what the receiver gets stays in the spool.
        process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            if not {".part", ".dcm"} <= suffixes(spool):
                continue
            os.killpg(process.pid, signal.SIGSTOP)
            time.sleep(0.1)  # until they do stand still
            if {".part", ".dcm"} <= suffixes(spool):
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                time.sleep(2)  # what the converter started ends by itself
                return True
            os.killpg(process.pid, signal.SIGCONT)
            process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGCONT)
    return False


def suffixes(spool: Path) -> set[str]:
    return {path.suffix for path in spool.iterdir()}


def make_collection(folder: Path) -> None:
    conf = write_conf(folder, CONF)
    with serving(COMPLETE, delay=0.03) as pacs:
        run(conf, "run")
        pacs.set_faults(truncate=1)
        pacs.add([SHORT])
        run(conf, "find")
        run(conf, "move", code=1)
        pacs.set_faults()
        pacs.add(LATE)
        run(conf, "find")
        ask_last(conf, SHORT.uid)
        assert kill_half_way(conf), "it was never half finished: run this again"
    pack(folder, "collection.tar.gz")


def make_ledger(folder: Path) -> None:
    """Make a ledger with rows in every table; its collection is not kept."""
    studies, more = make_studies(12, seed=2, days=90), make_studies(2, seed=3, days=90)
    conf = write_conf(folder, CONF)
    patients = [str(study.patient_id) for study in studies[:5]]
    (folder / "cohort.csv").write_text("\n".join(["PatientID", *patients, "NOBODY"]) + "\n")
    with serving(studies, cap=4) as pacs:
        run(conf, "find")
        run(conf, "move")
        pacs.remove(studies[0].sop_uids[-1:])
        run(conf, "verify")
        pacs.add(more)
        pacs.set_faults(truncate=1)
        conf.write_text(CONF + WEBHOOK, encoding="utf-8")
        run(conf, "find")
        run(conf, "move", code=1)
        conf.write_text(CONF.replace("find:\n", "find:\n  cohort: cohort.csv\n") + WEBHOOK)
        run(conf, "find", code=1)
    state = folder / "my" / "dicom" / ".pacsfw"
    with closing(sqlite3.connect(state / "ledger.sqlite")) as ledger:
        ledger.execute("PRAGMA journal_mode = DELETE")
        names = ledger.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        counts = {
            name: ledger.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in names
        }
        print(counts)
    with tarfile.open(DATA / "ledger.tar.gz", "w:gz") as archive:
        archive.add(state / "ledger.sqlite", "ledger.sqlite", filter=nobody)


def pack(folder: Path, name: str) -> None:
    with tarfile.open(DATA / name, "w:gz") as archive:
        archive.add(folder, ".", filter=nobody)


def nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    make_collection(Path(FOLDER))
    make_ledger(Path(f"{FOLDER}2"))
