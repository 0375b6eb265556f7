"""``pacsfw probe``: what it writes, shows and refuses."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pacsfw.cli import main
from pacsfw.testing import EmbeddedPACS, FaultyPACS, make_studies, write_studies
from peers.process import free_port


@pytest.fixture(scope="module")
def pacs():
    with EmbeddedPACS(make_studies(12), aetitle="theirtitle") as running:
        yield running


@pytest.fixture
def conf(tmp_path):
    def write(port, profile=""):
        named = f", profile: {profile}" if profile else ""
        path = tmp_path / "conf.yaml"
        path.write_text(
            "net:\n"
            "  local_node: {aetitle: mytitle}\n"
            f"  called_node: {{aetitle: theirtitle, ip: 127.0.0.1, port: {port}{named}}}\n"
            'find: {start_date: "20200101", end_date: "20201231"}\n'
        )
        path.chmod(0o600)
        return str(path)

    return write


def test_the_profile_is_written_shown_and_accepted(pacs, conf, tmp_path, capsys):
    assert main(["probe", conf(pacs.port)]) == 0
    profile = tmp_path / "pacs.profile.yaml"
    shown = capsys.readouterr().out
    assert "keys honoured" in shown
    assert "none seen (none up to 12 rows" in shown
    assert f"{profile}: written\n" in shown
    assert f"net.called_node.profile: {profile}" in shown
    assert stat.S_IMODE(profile.stat().st_mode) == 0o600
    text = profile.read_text()
    assert "calling: mytitle" in text
    assert "ModalitiesInStudy  # for one study: 1 row with its own value" in text
    assert main(["config", "check", conf(pacs.port, "pacs.profile.yaml")]) == 0
    assert "warning" not in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_keys_that_the_pacs_refuses_are_found_out_and_accepted_in_the_profile(conf, tmp_path):
    refused = frozenset({"ModalitiesInStudy", "PatientAge"})
    with FaultyPACS(make_studies(12), aetitle="theirtitle", refuse_keys=refused) as pacs:
        assert main(["probe", conf(pacs.port)]) == 0
        text = (tmp_path / "pacs.profile.yaml").read_text()
        assert "refused_keys:\n  - ModalitiesInStudy  # a query with it failed" in text
        assert "  - PatientAge  # a query with it failed" in text
        assert main(["config", "check", conf(pacs.port, "pacs.profile.yaml")]) == 0


def test_an_existing_profile_is_left_alone_and_the_pacs_is_not_asked(pacs, conf, tmp_path, capsys):
    (tmp_path / "pacs.profile.yaml").write_text("mine")
    before = pacs.counters.get("associations", 0)
    assert main(["probe", conf(pacs.port)]) == 2
    assert (
        "already exists and was not changed; use --force to replace it" in capsys.readouterr().err
    )
    assert (tmp_path / "pacs.profile.yaml").read_text() == "mine"
    assert pacs.counters.get("associations", 0) == before


def test_a_named_profile_is_written_anew_with_force_whatever_is_in_it(pacs, conf, tmp_path, capsys):
    named = tmp_path / "site.yaml"
    named.write_text("limit: nonsense")
    assert main(["probe", conf(pacs.port, "site.yaml"), "--force"]) == 0
    assert "limit: null" in named.read_text()
    shown = capsys.readouterr().out
    assert f"{named}: written" in shown
    assert "add it to the configuration" not in shown


def test_json_has_the_profile_and_why(pacs, conf, tmp_path, capsys):
    other = tmp_path / "other.yml"
    assert main(["probe", conf(pacs.port), "-o", str(other), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["file"] == str(other)
    assert other.exists()
    assert shown["profile"]["called"]["aetitle"] == "theirtitle"
    assert shown["profile"]["rows_seen"] == 12
    model = next(each for each in shown["findings"] if each["subject"] == "study-move")
    assert model == {"topic": "model", "subject": "study-move", "result": True, "why": "accepted"}


def test_dicomweb_is_tried_where_it_is_configured(orthanc, conf, tmp_path, capsys):
    if not orthanc.has_dicomweb:
        pytest.skip("this Orthanc has no DICOMweb")
    orthanc.load(write_studies(tmp_path / "files", make_studies(1)))
    path = conf(orthanc.port)
    text = Path(path).read_text()
    Path(path).write_text(
        text.replace("net:\n", f"net:\n  dicomweb: {{url: {orthanc.dicomweb_url}}}\n")
    )
    assert main(["probe", path, "--json"]) == 0
    assert "dicomweb" in json.loads(capsys.readouterr().out)["profile"]["models"]


@pytest.mark.parametrize(
    ("output", "message"),
    [("p.json", "a profile is YAML"), ("no/such/folder/p.yaml", "does not exist")],
)
def test_what_cannot_be_written_is_refused_before(conf, tmp_path, capsys, output, message):
    # Nobody listens there: it does not come to that.
    assert main(["probe", conf(free_port()), "-o", str(tmp_path / output)]) == 2
    assert message in capsys.readouterr().err


def test_nobody_at_the_address_is_a_remote_error_and_nothing_is_written(conf, tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "pacsfw", "probe", conf(port)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert f"theirtitle at 127.0.0.1:{port}: no connection: refused" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["conf.yaml"]


def test_a_configuration_without_a_pacs_is_refused(tmp_path, capsys):
    path = tmp_path / "conf.yaml"
    path.write_text("net:\n  local_node: {aetitle: mytitle}\n")
    path.chmod(0o600)
    assert main(["probe", str(path)]) == 2
    assert "net.called_node is missing" in capsys.readouterr().err
