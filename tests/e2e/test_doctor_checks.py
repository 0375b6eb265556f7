"""`pacsfw plugins doctor -f` asks the components of a configuration to check their surroundings."""

from __future__ import annotations

import json
import re
import uuid
from contextlib import closing
from socket import create_server

import pytest

from pacsfw.cli import main
from pacsfw.cli import plugins_health as health
from pacsfw.testing import EmbeddedPACS, make_studies

PLUGIN = """\
import time

from pacsfw import Component, hookimpl
from pacsfw.api import ConfigSection, Observer, Sink
from pacsfw.errors import Retry, StateError


class Checked:
    def check(self, context):
        note(self, "check")
        how = context.sections["how"].get(type(self).__name__, "well")
        if how == "raises":
            raise ValueError("SECRET^NAME")
        if how == "state":
            raise StateError("the mount is missing")
        if how == "retry":
            raise Retry("the server restarts")
        if how == "number":
            return 7
        if how == "hangs":
            time.sleep(60)
        if how == "exits":
            raise SystemExit(5)
        return "the token expires in 3 days" if how == "text" else None


def note(thing, what):
    with open("notes.txt", "a") as notes:
        notes.write(f"{what} {type(thing).__name__}\\n")


class Bell(Checked, Observer):
    def open(self, context):
        note(self, "open")

    def notify(self, event):
        note(self, "notify")


class Shelf(Checked, Sink):
    def __init__(self, path):
        self.path = path

    def open(self, context):
        note(self, "open")

    def deliver(self, batch):
        note(self, "deliver")


class Named(Checked):
    def __call__(self, header) -> str:
        return "x"


@hookimpl
def pacsfw_observers():
    yield Component(name="bell", factory=Bell)


@hookimpl
def pacsfw_sinks():
    path = {
        "type": "object",
        "properties": {"path": {"type": "string"}},
        "required": ["path"],
        "additionalProperties": False,
    }
    yield Component(name="shelf", factory=Shelf, schema=path)


@hookimpl
def pacsfw_row_callbacks():
    yield Component(name="named", factory=Named, returns="text")


@hookimpl
def pacsfw_config_sections():
    yield ConfigSection(key="how", schema={"type": "object"})
"""


@pytest.fixture
def doctor(tmp_path, monkeypatch, capsys):
    """Runs doctor on a configuration; returns its exit code and output."""
    monkeypatch.chdir(tmp_path)

    def run(**tree):
        conf = tmp_path / "conf.json"
        conf.write_text(json.dumps(tree))
        conf.chmod(0o600)
        code = main(["plugins", "doctor", "-f", "conf.json"])
        return code, capsys.readouterr().out

    return run


@pytest.fixture
def plugin(tmp_path):
    """The sections that use the plugin."""
    plugin = tmp_path / f"checking_{uuid.uuid4().hex}.py"  # a process loads a name once
    plugin.write_text(PLUGIN)
    plugin.chmod(0o600)
    return {
        "plugins": {"load": [f"./{plugin.name}"]},
        "observers": ["bell"],
        "sinks": [{"use": "shelf", "with": {"path": "shelf"}}],
        "tags": [{"row_callback": "named"}],
    }


def test_every_configured_component_is_asked_and_none_is_opened(doctor, plugin, tmp_path):
    code, said = doctor(**plugin, how={})

    assert code == 0, said
    notes = sorted((tmp_path / "notes.txt").read_text().splitlines())
    assert notes == ["check Bell", "check Named", "check Shelf"]


@pytest.mark.parametrize(
    ("how", "finding"),
    [
        ("text", ": the token expires in 3 days"),
        ("state", ": the mount is missing"),
        ("retry", ": the server restarts"),
        ("raises", ": check: ValueError at checking.py:13"),
        ("number", ": check: returned int, not a text or None"),
        ("hangs", ": check: took longer than 1 s"),
        ("exits", ": check: tried to exit the program (SystemExit)"),
    ],
)
@pytest.mark.parametrize(
    ("component", "named"), [("Bell", "observer 'bell'"), ("Named", "row-callback 'named'")]
)
def test_what_a_check_finds_is_reported_with_its_owner(
    doctor, plugin, how, finding, component, named, monkeypatch
):
    if how == "hangs":
        monkeypatch.setattr(health, "SECONDS", 1.0)
    code, said = doctor(**plugin, how={component: how})

    assert code == 3
    lines = [line for line in said.splitlines() if line.startswith("broken:")]
    assert len(lines) == 1, lines
    (line,) = lines
    assert line.startswith(f"broken: {named} (from ")
    assert re.sub("_[0-9a-f]{32}", "", line).endswith(finding)
    assert "SECRET" not in said


def of_pacs(port, folder):
    return {
        "net": {
            "local_node": {"aetitle": "PACSFW", "port": 11112},
            "called_node": {"aetitle": "theirtitle", "ip": "127.0.0.1", "port": port},
        },
        "find": {"start_date": "20200101"},
        "move": {"use": "cmove"},
        "storage": {
            "resources": f"sqlite:///{folder}/tables.db",
            "directory": "dicom",
            "sort_by": "STUDY",
        },
    }


def test_bundled_ones_find_that_the_pacs_and_the_database_work(doctor, tmp_path):
    with EmbeddedPACS(make_studies(1), aetitle="theirtitle") as pacs:
        code, said = doctor(**of_pacs(pacs.port, tmp_path))

    assert code == 0, said
    assert not (tmp_path / "tables.db").exists()


def test_bundled_ones_find_that_they_do_not(doctor, tmp_path):
    (tmp_path / "tables.db").write_text("no database, but long enough to look like one" * 100)
    with closing(create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    code, said = doctor(**of_pacs(port, tmp_path))

    assert code == 3
    found = [line for line in said.splitlines() if line.startswith("broken:")]
    where = f"theirtitle at 127.0.0.1:{port}: no connection"
    assert any("query 'cfind' (from pacsfw " in line and where in line for line in found)
    assert any("transfer 'cmove' (from pacsfw " in line and where in line for line in found)
    assert any("sink 'sql'" in line and "is not an SQLite database" in line for line in found)
