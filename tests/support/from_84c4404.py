"""What commit 84c4404 left behind: the studies of its PACS, and unpacking it elsewhere."""

from __future__ import annotations

import sqlite3
import tarfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from pacsfw.testing import make_studies

DATA = Path(__file__).parents[1] / "data" / "from_84c4404"
FOLDER = "/collection"
"""Where the collection was made. The ledger and the tables hold absolute paths."""
RECEIVER_PORT, PACS_PORT = 11113, 11112

STUDIES = make_studies(9, days=90, modalities=(("CT", "CT"), ("CT", "SR"), ("MR",)), instances=4)
# These take the receiver a while, so that the kill finds one half there.
STUDIES[6] = replace(STUDIES[6], extra={"TextValue": "long " * 100_000})
COMPLETE, SHORT, LATE = STUDIES[:4], STUDIES[4], STUDIES[5:]
"""Complete after the first run; short after the second; found when the third was killed."""


def unpack(target: Path, receiver_port: int, pacs_port: int) -> Path:
    """Unpack the half-finished collection, and return its configuration."""
    with tarfile.open(DATA / "collection.tar.gz") as archive:
        archive.extractall(target, filter="data")
    conf = target / "conf.yaml"
    text = conf.read_text(encoding="utf-8")
    for old, new in ((RECEIVER_PORT, receiver_port), (PACS_PORT, pacs_port)):
        assert f"port: {old}\n" in text
        text = text.replace(f"port: {old}\n", f"port: {new}\n")
    conf.write_text(text, encoding="utf-8")
    relocate(target)
    return conf


def relocate(target: Path) -> None:
    """Replace the folder in all that holds absolute paths, as if it had been made here."""
    state = target / "my" / "dicom" / ".pacsfw"
    positions = {}
    for path in sorted((target / "my").glob("resources_meta*.csv")):
        positions[str(path)] = _replace_in_file(path, target, _position(state, path, target))
    for path in (target / "my").glob("*.jsonl"):
        positions[str(path)] = _replace_in_file(path, target, _position(state, path, target))
    for path in (state / "ledger.sqlite", target / "my" / "tables.db"):
        _replace_in_database(path, target)
    with closing(sqlite3.connect(state / "ledger.sqlite")) as ledger, ledger:
        for name, position in positions.items():
            ledger.execute("UPDATE sinks SET position = ? WHERE sink = ?", (position, name))


def _position(state: Path, path: Path, target: Path) -> int:
    """Return up to which byte the ledger knows of a table."""
    name = f"{FOLDER}/{path.relative_to(target)}"
    with closing(sqlite3.connect(state / "ledger.sqlite")) as ledger:
        row = ledger.execute("SELECT position FROM sinks WHERE sink = ?", (name,)).fetchone()
    return row[0] if row else 0


def _replace_in_file(path: Path, target: Path, position: int) -> int:
    """Replace the folder in a file, and return where a position of it is now."""
    old, new = f"{FOLDER}/".encode(), f"{target}/".encode()
    content = path.read_bytes()
    path.write_bytes(content.replace(old, new))
    return len(content[:position].replace(old, new))


def _replace_in_database(path: Path, target: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        names = "SELECT name FROM sqlite_master WHERE type = 'table'"
        for (table,) in database.execute(names).fetchall():
            for _, column, *_ in database.execute(f'PRAGMA table_info("{table}")').fetchall():
                database.execute(
                    f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?)'
                    f""" WHERE typeof("{column}") = 'text' AND instr("{column}", ?)""",
                    (f"{FOLDER}/", f"{target}/", f"{FOLDER}/"),
                )
