"""Whatever pacsfw includes can be replaced by a plugin that is installed from a wheel.

A distribution of somebody else offers every component under the name it has here; the
bundled plugin is disabled, and the main job is run. What the ledger and the manifest say
shows who did it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import distribution
from pathlib import Path

import pytest
from openpyxl import Workbook

from pacsfw.plugins.registry import KINDS
from pacsfw.testing import make_studies, write_studies
from support.documented import rows

SOURCE = Path(__file__).parent / "data" / "replacements"
PLUGINS = {
    each.name: each.value.removeprefix("pacsfw_plugins.")
    for each in distribution("pacsfw").entry_points.select(group="pacsfw")
}
"""Bundled plugin -> the module in pacsfw_plugins."""
OWNER = "site-replacements"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The wheel of the replacements, installed into a folder."""
    folder = tmp_path_factory.mktemp("replacements")
    package = shutil.copytree(SOURCE, folder / "package")
    points = "\n".join(
        f'{name} = "site_replacements:{module.replace(".", "__")}"'
        for name, module in PLUGINS.items()
    )
    about = package / "pyproject.toml"
    about.write_text(about.read_text().replace("# ENTRY POINTS", points))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index", "--no-build-isolation"]
    wheels, installed = folder / "wheels", folder / "site"
    subprocess.run([*pip, "wheel", *offline, "--wheel-dir", wheels, package], check=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([*pip, "install", *offline, "--target", installed, wheel], check=True)
    return installed


@pytest.fixture
def job(site, embedded_pacs, receiver_port, tmp_path):
    """Runs the main job with some bundled plugins replaced; returns who did what."""
    studies = make_studies(2, days=14, modalities=(("CT",),), instances=2)

    def run(replaced, pacs=None, **changes):
        pacs = pacs or embedded_pacs(studies)
        conf = {
            "plugins": {
                "disable": [f"{'pacsfw' if name in replaced else OWNER}/{name}" for name in PLUGINS]
            },
            "net": {
                "local_node": {"aetitle": "PACSFW", "port": receiver_port, "bind": "127.0.0.1"},
                "called_node": {"aetitle": "theirtitle", "ip": "127.0.0.1", "port": pacs.port},
                **changes.pop("net", {}),
            },
            "find": {"start_date": "19000101", "end_date": "20991231"},
            "move": {},
            "storage": {"resources": "r.csv", "directory": "dicom", "sort_by": "STUDY"},
            "tags": [
                {"tag_name": "SOPInstanceUID", "callback": "str"},
                {"tag_name": "PatientID", "tag_alias": "at", "default_val": "${env:PLACE}"},
                {"tag_name": "Laterality", "tag_alias": "place", "default_val": "${env:PLACE}"},
                {"row_callback": "is-localizer"},
            ],
            "observers": [{"use": "manifest", "with": {"path": "manifest.jsonl"}}],
            **changes,
        }
        path = tmp_path / "conf.json"
        path.write_text(json.dumps(conf))
        path.chmod(0o600)
        search = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, "-m", "pacsfw", "run", str(path)],
            env={**os.environ, "PYTHONPATH": search, "PLACE": "Basel"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run.folder = tmp_path
    run.uids = {uid for study in studies for uid in study.sop_uids}
    run.studies = studies
    return run


def cohort_of(job) -> str:
    """Write the studies as a cohort."""
    path = job.folder / "cohort.csv"
    path.write_text("\n".join(["StudyInstanceUID", *(study.uid for study in job.studies)]))
    return str(path)


def sources_of(job) -> dict[str, object]:
    """Write the same cohort for each source."""
    book, database = Workbook(), job.folder / "ris.sqlite"
    for uid in ("StudyInstanceUID", *(study.uid for study in job.studies)):
        book.active.append([uid])
    book.save(job.folder / "cohort.xlsx")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE orders (StudyInstanceUID)")
        uids = [(study.uid,) for study in job.studies]
        connection.executemany("INSERT INTO orders VALUES (?)", uids)
    query = {"url": f"sqlite:///{database}", "query": "SELECT * FROM orders"}
    return {
        "cohort-csv": cohort_of(job),
        "cohort-excel": str(job.folder / "cohort.xlsx"),
        "cohort-sql": {"use": "sql", "with": query},
    }


def used(folder: Path) -> set[tuple[str, str, str]]:
    """Return (kind, name, distribution) of the components that the manifest names."""
    first = json.loads((folder / "manifest.jsonl").read_text().splitlines()[0])
    return {(c["kind"], c["name"], c["distribution"]) for c in first["components"]}


@pytest.mark.timeout(400)  # a wheel is built and installed, and a collection run
def test_the_main_job_runs_with_every_bundled_plugin_replaced(job):
    more = {
        "find": {"cohort": cohort_of(job)},
        "convert": ["jsonmeta"],
        "sinks": [{"use": "jsonl", "with": {"path": "more.jsonl"}}],
    }
    said = job(PLUGINS, **more)

    assert re.search(r"^complete +2$", said, re.MULTILINE)
    found = rows(job.folder / "resources_meta.csv")
    assert {row["SOPInstanceUID"] for row in found} == job.uids
    assert {row["place"] for row in found} == {"Basel"}
    components = used(job.folder)
    assert {distribution for _, _, distribution in components} == {OWNER}
    kinds = {kind for kind, _, _ in components}
    assert kinds == set(KINDS)
    ledger = job.folder / "dicom" / ".pacsfw" / "ledger.sqlite"
    with closing(sqlite3.connect(ledger)) as connection:
        owners = {row[0] for row in connection.execute("SELECT component FROM deliveries")}
        owners |= {row[0] for row in connection.execute("SELECT component FROM conversions")}
        for (text,) in connection.execute("SELECT components FROM studies"):
            owners |= set(json.loads(text).values())
    assert owners
    assert all(f"(from {OWNER} 2.5)" in owner for owner in owners)


@pytest.mark.full
@pytest.mark.parametrize("name", PLUGINS)
def test_the_main_job_runs_with_this_plugin_replaced(job, name, request):
    manifest = {"use": "manifest", "with": {"path": "manifest.jsonl"}}
    files = {"use": "folder", "with": {"path": str(job.folder / "files")}}
    changes = {
        **{name: {"find": {"cohort": source}} for name, source in sources_of(job).items()},
        "converter-command": {
            "convert": [{"use": "command", "with": {"argv": ["cp", "{file}", "{out}/{name}.bin"]}}]
        },
        "converter-jsonmeta": {"convert": ["jsonmeta"]},
        "observer-email": {
            # Nobody listens there: the mail is not sent, and the run does not suffer.
            "email": {"host": "127.0.0.1", "port": 1, "to": "a@example.org"}
        },
        "observer-progress": {"observers": ["progress", manifest]},
        "observer-webhook": {
            "observers": [{"use": "webhook", "with": {"url": "http://127.0.0.1:1"}}, manifest]
        },
        "query-folder": {"find": {"start_date": "19000101", "end_date": "20991231", **files}},
        "transfer-folder": {"move": files},
        "transfer-cget": {"move": {"use": "cget"}},
        "sink-jsonl": {"sinks": [{"use": "jsonl", "with": {"path": "more.jsonl"}}]},
        "sink-parquet": {"sinks": [{"use": "parquet", "with": {"path": "more.parquet"}}]},
        "sink-sql": {"sinks": [{"use": "sql", "with": {"path": "sqlite:///more.db"}}]},
    }
    pacs = None
    if name in ("query-qido", "transfer-wado"):
        pacs = request.getfixturevalue("orthanc")
        if not pacs.has_dicomweb:
            pytest.skip("not installed: the DICOMweb plugin of Orthanc")
        pacs.load(write_studies(job.folder / "files", job.studies))
        dates = {"start_date": "19000101", "end_date": "20991231"}
        web = {"dicomweb": {"url": pacs.dicomweb_url}}
        changes["query-qido"] = {"find": {**dates, "use": "qido"}, "net": web}
        changes["transfer-wado"] = {"move": {"use": "wado"}, "net": web}
    if "folder" in name:
        write_studies(job.folder / "files", job.studies)

    job([name], pacs, **changes.get(name, {}))

    assert {row["SOPInstanceUID"] for row in rows(job.folder / "resources_meta.csv")} == job.uids
    replaced = {each for _, each, distribution in used(job.folder) if distribution == OWNER}
    bundled = __import__(f"pacsfw_plugins.{PLUGINS[name]}", fromlist=["x"])
    offered = {
        component.name
        for hook in vars(bundled)
        if hook.startswith("pacsfw_") and hook.endswith("s")
        for component in getattr(bundled, hook)()
        if hasattr(component, "name")
    }
    assert replaced <= offered
    assert bool(replaced) == bool(offered)
