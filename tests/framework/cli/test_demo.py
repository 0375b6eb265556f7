"""``pacsfw demo``: a real PACS, a real run, real files."""

from __future__ import annotations

import csv
import os
import stat
import subprocess
import sys

import pytest


def demo(folder, *options):
    """Run the demo as a user does, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pacsfw", "demo", "--directory", str(folder), *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "80"},
    )


def stored(folder):
    return {path: path.read_bytes() for path in (folder / "dicom").glob("*/*/*/*.dcm")}


def rows(folder):
    with (folder / "resources_meta.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "new" / "demo"
    return folder, demo(folder, "--studies", "6")


def test_the_demo_ends_well(first):
    _, done = first
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr


def test_every_ct_study_is_stored_and_in_the_table(first):
    folder, _ = first
    files = stored(folder)
    assert len(files) == len(rows(folder)) > 0
    assert {row["dicom_path"] for row in rows(folder)} == set(map(str, files))
    assert {row["Modality"] for row in rows(folder)} >= {"CT"}


def test_the_tree_and_the_table_are_on_the_screen(first):
    folder, done = first
    patient = next(path for path in (folder / "dicom").iterdir() if path.name.startswith("SYN"))
    assert patient.name in done.stdout
    assert f"The first of {len(rows(folder))} rows" in done.stdout
    assert "What to try next" in done.stdout


def test_the_configuration_of_the_demo_is_its_owners_alone(first):
    folder, _ = first
    assert stat.S_IMODE((folder / "conf.yaml").stat().st_mode) == 0o600


def test_a_second_demo_in_the_same_folder_does_no_harm(first):
    folder, _ = first
    before = stored(folder), rows(folder), (folder / "conf.yaml").read_text()
    done = demo(folder, "--studies", "6")
    assert done.returncode == 0, done.stderr
    assert (stored(folder), rows(folder), (folder / "conf.yaml").read_text()) == before


def test_a_folder_with_something_else_in_it_is_refused_untouched(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    done = demo(tmp_path)
    assert done.returncode == 2
    assert "is not empty and not the folder of a demo" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
