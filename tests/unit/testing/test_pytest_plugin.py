"""What authors of plugins test with, in the way that they do it: a project of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PLUGIN = '''
"""One folder per modality."""

from pacsfw import Component, hookimpl


def by_modality(header):
    """Modality, and the image's UID as the name of the file."""
    return [header.get("Modality"), f"{header.SOPInstanceUID}.dcm"]


@hookimpl
def pacsfw_layouts():
    yield Component.of(by_modality)
'''
TESTS = """
import my_layout

from pacsfw.testing import LayoutContract


class TestByModality(LayoutContract):
    plugin = my_layout
    name = "by_modality"


def test_a_collection_is_sorted_by_it(pacsfw_run, embedded_pacs, sample_studies, request):
    load = {"load": [str(request.path.parent / "my_layout.py")]}
    run = pacsfw_run(
        embedded_pacs(sample_studies), storage={"sort_by": "by_modality"}, plugins=load
    )
    assert run.code == 0, run.said
    assert {path.split("/")[0] for path in run.files} == {"CT", "MR", "SR"}
    assert len(run.rows) == len(run.files) == 16


def test_doubts_are_noticed(pacsfw_run, faulty_pacs, sample_studies):
    run = pacsfw_run(faulty_pacs(sample_studies, cap=2, ignore_keys={"StudyDate"}), command="find")
    assert run.code == 1, run.said
    assert (run.files, run.rows) == ([], [])


def test_the_installed_plugins_are_there(pacsfw_plugins):
    assert pacsfw_plugins.select("layout", "PATIENT").distribution == "pacsfw"
"""


@pytest.mark.timeout(400)  # it takes seconds, but is a whole run of pytest with two collections
def test_an_author_has_the_contracts_and_the_fixtures(tmp_path):
    (tmp_path / "my_layout.py").write_text(PLUGIN)
    (tmp_path / "test_my_layout.py").write_text(TESTS)
    (tmp_path / "my_layout.py").chmod(0o600)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:xdist"]

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "16 passed" in ran.stdout


def test_pytest_itself_imports_nothing_slow():
    code = "import sys, pacsfw.testing.pytest_plugin; print('pydicom' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
