"""The convert step of a whole run, with worker processes and real programs."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

import pytest

from pacsfw.testing import make_studies

CT = (("CT", "CT"),)
TWO = """convert:
    - jsonmeta
    - use: command
      id: counts
      directory: counts
      with:
        argv: ["{python}", "-c", "{script}", "{{folder}}"]
        scope: series
        stdout: count.txt
tags:"""
COUNT = "import os, sys; print(len(os.listdir(sys.argv[1])))"


@pytest.fixture
def collected(embedded_pacs, collection):
    """A collection of eight series that are converted in two ways."""
    pacs = embedded_pacs(make_studies(4, days=30, modalities=CT, instances=2))
    convert = TWO.format(python=sys.executable, script=COUNT)
    made = collection(pacs, changes={"tags:": convert})
    made.counts = made.folder / "counts"
    made.pacs = pacs
    return made


def test_a_run_converts_what_it_has_stored_and_the_next_one_nothing(collected, capsys):
    assert collected.run() == 0

    out = capsys.readouterr().out
    assert "converted jsonmeta" in out
    assert "16 items, 16 files" in out
    dicom = [path for path in collected.files() if path.endswith(".dcm")]
    sidecars = [path for path in collected.files() if path.endswith(".json")]
    assert len(dicom) == 16
    assert sidecars == [path.replace(".dcm", ".json") for path in dicom]
    for path in sidecars:
        uid = json.loads((collected.archive / path).read_text())["00080018"]["Value"][0]
        assert uid == path.rpartition("/")[2].removesuffix(".json")
    assert [path.read_text() for path in collected.counts.rglob("count.txt")] == ["2\n"] * 8
    assert {row["dicom_path"] for row in collected.rows()} == set(dicom)
    before = {path: path.stat().st_mtime_ns for path in collected.counts.rglob("*.txt")}

    assert collected.run() == 0

    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert collected.run("verify", "--offline") == 0  # what was converted is known
    (manifest,) = collected.folder.rglob("manifest.jsonl")
    for line in map(json.loads, manifest.read_text().splitlines()):
        components = line["components"]
        assert components["transfer"] == ["'cmove' (from pacsfw 0.1.0)"]
        assert components["callback"] == [
            "'pacsanini.convert:str2datetime' (from pacsfw 0.1.0)",
            "'str' (from pacsfw 0.1.0)",
        ]
        assert components["sink"] == ["'csv' (from pacsfw 0.1.0)"]
        assert components["converter"] == [
            "'command' (from pacsfw 0.1.0)",
            "'jsonmeta' (from pacsfw 0.1.0)",
        ]
    with sqlite3.connect(collected.state / "ledger.sqlite") as ledger:
        found = ledger.execute("SELECT component, count(*) FROM conversions GROUP BY 1").fetchall()
        # Every file is in the ledger with the objects it was made of.
        sources = ledger.execute("SELECT sources FROM outputs WHERE placed = 1").fetchall()
    assert dict(found) == {
        "'command' (from pacsfw 0.1.0)": 8,
        "'jsonmeta' (from pacsfw 0.1.0)": 16,
    }
    assert sum(len(json.loads(each)) for (each,) in sources) == 32


@pytest.mark.full
def test_what_fails_is_named_and_the_next_run_makes_up_for_it(collected, capsys):
    collected.change(COUNT, "import sys; sys.exit(7)")

    assert collected.run() == 1
    said = " ".join(capsys.readouterr().out.split())
    assert f"8 x failed: {Path(sys.executable).name} failed: exit code 7" in said
    assert not collected.counts.exists() or not list(collected.counts.rglob("*.txt"))
    assert collected.run("status") == 1
    asked = len(collected.pacs.log)

    collected.change("import sys; sys.exit(7)", COUNT)
    assert collected.run() == 0
    assert len(list(collected.counts.rglob("count.txt"))) == 8
    assert collected.pacs.log[asked:] == []
    assert collected.run("status") == 0
