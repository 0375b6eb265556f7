"""The observer ``manifest``: lines that say what was done by what."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from pacsfw import api
from pacsfw.plugins import PluginPlan, discover
from support.context import run_context

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
CSV = api.ComponentInfo(kind="sink", name="csv", distribution="pacsfw", version="1.2")


def written(path, *events):
    observer = discover(PluginPlan()).make("observer", "manifest", {"path": str(path)})
    observer.open(run_context(components=(CSV,)))
    for event in events:
        observer.notify(event)
    observer.close()
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_verdict_and_every_component_has_its_line(tmp_path):
    verdict = api.Verdict(state="short", reason="1 missing", expected=2, stored=1, missing=("1.9",))
    transfer = {"transfer": "'cmove' (from pacsfw 1.2)"}
    lines = written(
        tmp_path / "new" / "manifest.jsonl",
        api.RunStarted(at=AT, command="run"),
        api.InstanceIngested(at=AT, study_uid="1.2", stored=True, size=9),
        api.StudySettled(at=AT, study_uid="1.2", verdict=verdict, components=transfer),
        api.Converted(at=AT, study_uid="1.2", converter="c", component="x", state="done"),
        api.RunFinished(at=AT, counts={"short": 1}, exit_code=1),
    )
    assert [line["event"] for line in lines] == ["started", "study", "converted", "finished"]
    assert lines[0]["components"] == [
        {
            "kind": "sink",
            "name": "csv",
            "distribution": "pacsfw",
            "version": "1.2",
            "code": "",
            "fingerprint": "",
        }
    ]
    assert lines[1]["components"] == transfer
    assert (lines[1]["verdict"], lines[1]["missing"]) == ("short", ["1.9"])
    assert {line["run"] for line in lines} == {"run-1"}


def test_a_line_that_a_kill_has_cut_off_spoils_no_other(tmp_path):
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(b'{"event": "sta')
    observer = discover(PluginPlan()).make("observer", "manifest", {"path": str(path)})
    observer.open(run_context())
    observer.notify(api.RunStarted(at=AT, command="find"))
    observer.close()

    first, second = path.read_text().splitlines()
    assert first == '{"event": "sta'
    assert json.loads(second)["command"] == "find"
