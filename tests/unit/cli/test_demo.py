"""``pacsfw demo``: a real PACS, a real run, real files."""

from __future__ import annotations

import csv
import os
import signal
import socket
import stat
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from pacsfw.cli.demo import TEMPLATE
from peers.process import free_port

LATER = datetime.now().astimezone() + timedelta(hours=6)
END = LATER + timedelta(minutes=30)
CLOSED = f'query_level: STUDY\n  start_time: "{LATER:%H:%M}"\n  end_time: "{END:%H:%M}"'


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
    assert "not the folder of a demo" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_it_says_how_many_of_its_studies_are_ct(first):
    _, done = first
    assert "6 synthetic studies, 4 of them CT" in done.stdout


@pytest.fixture
def made(tmp_path):
    """Make the folder of a demo that has not run, with changes to its configuration."""

    def make(**changes):
        text = TEMPLATE.format(
            studies=3,
            aetitle=changes.get("aetitle", "PACSFW"),
            port=changes.get("port") or free_port(),
            host=changes.get("host", "127.0.0.1"),
            pacs_aetitle=changes.get("pacs_aetitle", "DEMOPACS"),
            pacs_port=free_port(),
        )
        path = tmp_path / "conf.yaml"
        path.write_text(text.replace(*changes.get("replace", ("", ""))), encoding="utf-8")
        path.chmod(0o600)
        return tmp_path

    return make


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"aetitle": "MYTITLE"}, marks=pytest.mark.full),
        pytest.param({"pacs_aetitle": "HOSPITAL"}, marks=pytest.mark.full),
        {"host": "127.0.0.2"},
        {"replace": ("# The PACS of the demo holds", "# Ours holds")},
    ],
)
def test_the_configuration_of_another_pacs_is_refused_untouched(made, change):
    folder = made(**change)
    done = demo(folder)
    assert done.returncode == 2
    assert "not the folder of a demo; choose another with --directory" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["conf.yaml"]


def test_another_number_of_studies_is_refused(made):
    done = demo(made(), "--studies", "6")
    assert done.returncode == 2
    assert "created with 3 studies, not 6" in done.stderr


def test_a_port_in_use_is_named(made):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = demo(made(port=port))
    assert done.returncode == 2
    assert done.stderr == (
        f"port {port} is in use: is another demo in this folder still running?\n"
    )


@pytest.mark.full
def test_another_folder_of_images_is_shown_and_another_kind_of_table_is_not(made):
    folder = made(replace=("directory: dicom", "directory: images\n  resources_meta: meta.ndjson"))
    done = demo(folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "images" in done.stdout
    assert "The first of" not in done.stdout


def test_after_an_interrupt_nothing_is_called_finished_and_nothing_is_suggested(made):
    folder = made(replace=("query_level: STUDY\nstorage", f"{CLOSED}\nstorage"))
    command = [sys.executable, "-m", "pacsfw", "demo", "--directory", str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        shown = ""
        while "for the transfer window" not in shown:
            line = running.stdout.readline()
            assert line, running.stderr.read()
            shown += line
        running.send_signal(signal.SIGINT)
        out, err = running.communicate()
    assert running.returncode == 130
    assert "What to try next" not in out
    assert "run the same command again to resume" in err
