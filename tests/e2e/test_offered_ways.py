"""A component works the same whichever way it is offered: as a class, lazily, by a function."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from pacsfw.testing import make_studies
from support.selection import quick

PLUGIN = '''
import json
from pathlib import Path

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Converter, OutputFile, Sink
from pacsfw_plugins.dimse._cfind import CFind
from pacsfw_plugins.dimse._retrieve import CMove

WAY = "{way}"
PATH = {{"type": "object", "properties": {{"path": {{"type": "string"}}}}}}


class Lake(Sink):
    """A folder with a JSON file for each table."""

    def __init__(self, path):
        self._folder = Path(path.removeprefix("lake://"))

    def _file(self, table):
        return self._folder / f"{{table}}.json"

    def has(self, table):
        return self._file(table).exists()

    def begin(self, table):
        self._folder.mkdir(exist_ok=True)
        self._file(table.name).write_text("{{}}")

    def deliver(self, batch):
        kept = json.loads(self._file(batch.table.name).read_text())
        names = [column.name for column in batch.table.columns]
        kept[batch.key] = [dict(zip(names, row)) for row in batch.rows]
        self._file(batch.table.name).write_text(json.dumps(kept, default=str))

    def rewrite(self, table, batches):
        self.begin(table)
        for batch in batches:
            self.deliver(batch)

    def read(self):
        for rows in json.loads(self._file("resources").read_text()).values():
            yield from (("lake", row) for row in rows)


class Stamp(Converter):
    def convert(self, files, out):
        path = out / f"{{files[0].series_uid}}.txt"
        path.write_text(str(len(files)))
        yield OutputFile(path=path, media_type="text/plain", sources=(files[0].sop_uid,))


class Rounded:
    def __call__(self, value) -> int:
        return int(value)


class Listed(CFind):
    """Answers that are not those of the PACS."""


def offered(kind):
    if WAY == "class":
        return kind
    if WAY == "lazy":
        return lazy(f"offered:{{kind.__name__}}")
    return lambda **options: kind(**options)


@hookimpl
def pacsfw_sinks():
    factory = offered(Lake)
    yield Component(
        name="lake", factory=factory, schema=PATH, accepts=("lake:",), multi_table=True
    )


@hookimpl
def pacsfw_converters():
    yield Component(name="stamp", factory=offered(Stamp), scope="series")


@hookimpl
def pacsfw_tag_callbacks():
    yield Component(name="rounded", factory=offered(Rounded), returns="int")


@hookimpl
def pacsfw_query_providers():
    yield Component(name="listed", factory=offered(Listed), authoritative=False)


@hookimpl
def pacsfw_transfers():
    yield Component(name="pushed", factory=offered(CMove), needs_receiver=True)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where `pacsfw_run` works."""
    found = tmp_path / "collection"
    found.mkdir(mode=0o700)
    return found


def offered(folder: Path, way: str, **changes):
    """Write the plugin, and return the sections of the configuration that use it."""
    plugin = folder / "offered.py"
    plugin.write_text(dedent(PLUGIN).format(way=way))
    plugin.chmod(0o600)
    return {
        "plugins": {"load": ["offered.py"]},
        "find": {"start_date": "19000101", "end_date": "20991231", "use": "listed"},
        "move": {"use": "pushed"},
        "storage": {
            "resources": f"lake://{folder}/lake",
            "directory": "dicom",
            "sort_by": "STUDY",
        },
        "tags": [
            {"tag_name": "SOPInstanceUID"},
            {"tag_name": "InstanceNumber", "callback": "rounded"},
        ],
        "convert": [{"use": "stamp"}],
        **changes,
    }


def checked(folder: Path) -> tuple[int, str]:
    """Return the exit code of ``pacsfw config check``, and what it said."""
    words = [sys.executable, "-m", "pacsfw", "config", "check", str(folder / "conf.json")]
    ran = subprocess.run(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
    )
    return ran.returncode, ran.stdout


@pytest.mark.parametrize("way", quick(["class", "lazy", "function"], "lazy"))
def test_a_component_is_checked_and_works_however_it_is_offered(
    way, folder, pacsfw_run, pacsfw_port, embedded_pacs
):
    (study,) = make_studies(1, modalities=(("CT", "CT"),), instances=2)
    pacs = embedded_pacs([study], destinations={"PACSFW": ("127.0.0.1", pacsfw_port)})
    sections = offered(folder, way)

    run = pacsfw_run(pacs, **sections)
    assert run.code == 0, run.said
    code, said = checked(folder)
    assert code == 0, said

    tables = {each.stem: json.loads(each.read_text()) for each in (folder / "lake").iterdir()}
    assert tables.keys() == {"resources", "resources_studies", "instances", "errors", "columns"}
    (rows,) = tables["instances"].values()
    assert {row["SOPInstanceUID"] for row in rows} == set(study.sop_uids)
    assert {row["InstanceNumber"] for row in rows} == {1, 2}
    stamps = [each for each in run.files if each.endswith(".txt")]
    assert [(run.archive / each).read_text() for each in stamps] == ["2", "2"]


BROKEN = """\
class Rounded:
    def __init__(self):
        raise ValueError("out of order")
"""
REFUSED = {
    "layout": (
        {"storage": {"resources": "r.csv", "directory": "dicom", "sort_by": "{PatientNmae}.dcm"}},
        "storage.sort_by: layout 'template' (from pacsfw 0.1.0)",
    ),
    "converter": (
        {"convert": [{"use": "command", "with": {"argv": ["no-such-program"]}}]},
        "convert[0].use: converter 'command' (from pacsfw 0.1.0)",
    ),
    "callback": (
        {"tags": [{"tag_name": "PatientID", "callback": {"use": "rounded", "with": {}}}]},
        "tags[0].callback.use: callback 'rounded' (from ",
    ),
}


@pytest.mark.parametrize("kind", quick(REFUSED, "callback"))
def test_a_run_that_cannot_build_a_component_asks_for_nothing(
    kind, folder, pacsfw_run, embedded_pacs
):
    pacs = embedded_pacs(make_studies(1))
    changes, message = REFUSED[kind]
    sections = offered(folder, "class", **changes)
    if kind == "callback":
        plugin = folder / "offered.py"
        plugin.write_text(plugin.read_text().replace("class Rounded:", BROKEN))

    run = pacsfw_run(pacs, **sections)
    code, said = checked(folder)

    assert code == run.code == 2
    assert message in run.said
    assert run.said.splitlines()[-1] == said.splitlines()[-1]
    assert pacs.counters.get("associations", 0) == 0
