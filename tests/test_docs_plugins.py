"""What docs/plugins.md and docs/hooks say is true: the code is run, the pages are up to date."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from pacsfw import api
from pacsfw.plugins import HOOKS

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
PAGES = runpy.run_path(str(ROOT / "scripts" / "hook_pages.py"))


def code(beginning):
    """The one block of Python that begins so."""
    blocks = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if block.startswith(beginning)]
    return found


YEARLY = code('"""One folder per year."""')
SHORTENED = code("from pacsfw import Component, hookimpl\n\n\ndef shortened")
EXPORTED = code("import csv\n\nfrom pacsfw import Component")
LOADED = """
from pathlib import Path


def test_one_file_is_enough(pacsfw_run, embedded_pacs, sample_studies):
    run = pacsfw_run(
        embedded_pacs(sample_studies),
        plugins={"load": [str(Path(__file__).with_name("yearly.py"))]},
        storage={"sort_by": "yearly"},
    )
    assert run.code == 0, run.said
    assert len(run.files) == 16
"""
TABLE_SINK = """

from pacsfw_plugins.tables.csv import SCHEMA, CsvSink


def in_a_table(path):
    return CsvSink(path)


@hookimpl
def pacsfw_sinks():
    yield Component(name="table", factory=in_a_table, schema=SCHEMA, summary="a table")
"""
OF_EXPORTED = """
import csv
from contextlib import contextmanager

import exported
from pacsfw.testing import QueryProviderContract

COLUMNS = {"StudyInstanceUID": "uid", "PatientID": "patient_id", "StudyDate": "study_date"}


class TestExported(QueryProviderContract):
    plugin, name = exported, "exported"

    def options_in(self, folder):
        return {"path": str(folder / "list.csv")}

    @contextmanager
    def serving(self, studies, folder):
        with (folder / "list.csv").open("w", newline="", encoding="utf-8") as file:
            rows = [[getattr(study, name) or "" for name in COLUMNS.values()] for study in studies]
            csv.writer(file).writerows([list(COLUMNS), *rows])
        yield self.options_in(folder)
"""


def run_pytest(folder, files):
    """Write files into a folder and run pytest there, as an author does."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "."],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


@pytest.mark.timeout(400)  # a whole run of pytest
def test_the_file_of_the_first_minute_is_enough(tmp_path):
    run_pytest(tmp_path, {"yearly.py": YEARLY, "test_loaded.py": LOADED})


@pytest.mark.timeout(400)  # a whole run of pytest
def test_the_package_of_the_tutorial_works(tmp_path):
    installed = "pacsfw_yearly-0.1.0.dist-info"
    said = run_pytest(
        tmp_path,
        {
            "pacsfw_yearly.py": YEARLY,
            f"{installed}/METADATA": "Metadata-Version: 2.1\nName: pacsfw-yearly\nVersion: 0.1.0\n",
            f"{installed}/entry_points.txt": "[pacsfw]\nyearly = pacsfw_yearly\n",
            "test_pacsfw_yearly.py": code("import pacsfw_yearly")
            + "\n\n"
            + code("def test_a_coll"),
        },
    )
    assert "14 passed" in said


@pytest.mark.timeout(400)  # a whole run of pytest
def test_the_other_examples_keep_their_contracts(tmp_path):
    run_pytest(
        tmp_path,
        {
            "my_plugin.py": SHORTENED + TABLE_SINK,
            "test_my_plugin.py": code("import csv\n\nimport my_plugin"),
            "exported.py": EXPORTED,
            "test_exported.py": OF_EXPORTED,
        },
    )


def test_the_pages_of_the_hooks_are_as_the_code_has_them():
    made = PAGES["pages"]()
    there = {path.name: path.read_text(encoding="utf-8") for path in PAGES["FOLDER"].glob("*.md")}
    assert sorted(there) == sorted(made)
    stale = [name for name in made if there[name] != made[name]]
    assert not stale, "run `make hook-pages`"


@pytest.mark.parametrize("hook", PAGES["hooks"]())
def test_every_hook_has_a_page_and_a_test(hook):
    assert f"({hook}.md)" in (PAGES["FOLDER"] / "README.md").read_text(encoding="utf-8")
    tests = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "contrib").rglob("*.py")]
    users = [path for path in tests if hook in path.read_text(encoding="utf-8")]
    assert users, f"no test uses {hook}"


@pytest.mark.parametrize("kind", HOOKS.values())
def test_every_kind_has_a_contract_that_is_described(kind):
    name = f"{PAGES['CONTRACTS'][kind]}Contract"
    assert f"`{name}`" in TEXT


def test_every_class_of_the_contract_is_on_a_page():
    text = "\n".join(PAGES["pages"]().values())
    classes = [name for name in api.__all__ if isinstance(getattr(api, name), type)]

    assert [name for name in classes if f"`{name}`" not in text] == []
