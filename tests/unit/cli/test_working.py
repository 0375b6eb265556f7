"""What `run`, `find`, `move` and `status` show in the end."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from pacsfw.testing import EmbeddedPACS, make_studies
from peers.process import free_port

GO_ON = "run the same command again to resume"


@pytest.fixture
def pacsfw(tmp_path):
    """Run a command on a collection from the PACS at a port, in a process of its own."""

    def run(command, port, sort_by="PATIENT"):
        path = tmp_path / "conf.yaml"
        path.write_text(
            f"net: {{local_node: {{aetitle: MINE, port: {free_port()}}}, "
            f"called_node: {{aetitle: THEIRS, ip: 127.0.0.1, port: {port}}}}}\n"
            "find: {search_fields: [PatientID], start_date: 20200101, end_date: 20201231, "
            "modality: CT}\n"
            "move: {query_level: STUDY}\n"
            f"storage: {{resources: list.csv, directory: dicom, sort_by: '{sort_by}'}}\n"
        )
        path.chmod(0o600)
        arguments = [sys.executable, "-m", "pacsfw", command, str(path)]
        return subprocess.run(arguments, capture_output=True, text=True, check=False)

    return run


def test_a_pacs_that_is_away_leaves_the_closing_table_and_says_how_to_go_on(pacsfw):
    done = pacsfw("run", free_port())
    assert done.returncode == 4
    assert re.search(r"^studies found +0$", done.stdout, re.MULTILINE)
    assert "no study matches" not in done.stdout
    error, hint = done.stderr.splitlines()
    assert "no connection" in error
    assert hint == GO_ON


@pytest.mark.parametrize(("modality", "told"), [("MR", True), ("CT", False)])
def test_a_query_that_nothing_matches_gets_a_hint(pacsfw, modality, told):
    with EmbeddedPACS(make_studies(1, modalities=[[modality]]), aetitle="THEIRS") as pacs:
        done = pacsfw("find", pacs.port)
    assert done.returncode == 0, done.stderr
    hint = "no study matches: check the dates, the modality and what the PACS lets you see"
    assert (hint in done.stdout) == told


def test_a_long_warning_is_one_line(pacsfw):
    done = pacsfw("find", free_port(), sort_by="{PatientID}/{StudyDate}.dcm")
    warning = done.stderr.splitlines()[0]
    assert warning.startswith("warning: ")
    assert warning.endswith("only a file name with {SOPInstanceUID} is unique")
    assert len(warning) > 80


def test_the_status_of_what_has_not_begun_is_not_that_of_a_success(pacsfw):
    done = pacsfw("status", free_port())
    assert (done.returncode, done.stderr) == (1, "")
    assert "nothing has been collected yet" in done.stdout
