"""``pacsfw echo`` against a PACS that answers, one that refuses, and none."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pacsfw.cli import main
from pacsfw.testing import EmbeddedPACS
from peers.process import free_port


@pytest.fixture(scope="module")
def pacs():
    with EmbeddedPACS(aetitle="theirtitle") as running:
        yield running


@pytest.fixture
def conf(tmp_path):
    def write(port, aetitle="theirtitle"):
        path = tmp_path / "conf.yaml"
        path.write_text(
            "net:\n"
            "  local_node: {aetitle: mytitle}\n"
            f"  called_node: {{aetitle: {aetitle}, ip: 127.0.0.1, port: {port}}}\n"
        )
        path.chmod(0o600)
        return str(path)

    return write


def test_a_pacs_that_answers_gives_one_clear_line(pacs, conf, capsys):
    assert main(["echo", conf(pacs.port)]) == 0
    assert capsys.readouterr().out == f"theirtitle at 127.0.0.1:{pacs.port} responds to mytitle\n"
    assert pacs.log[-1].service == "C-ECHO"


def test_the_configuration_may_be_given_with_f(pacs, conf):
    assert main(["echo", "-f", conf(pacs.port)]) == 0


def test_a_wrong_ae_title_is_a_remote_error_in_words(pacs, conf, capsys):
    assert main(["echo", conf(pacs.port, aetitle="WRONG")]) == 4
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "AE title" in shown.err
    assert "WRONG" in shown.err


def test_nobody_at_the_address_is_a_remote_error_that_names_it(conf):
    port = free_port()
    # In its own process: pynetdicom leaves the refused socket to the garbage collector.
    command = [sys.executable, "-m", "pacsfw", "echo", conf(port)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert f"theirtitle at 127.0.0.1:{port}: no connection: refused" in done.stderr


def test_a_configuration_without_a_pacs_is_refused(tmp_path, capsys):
    path = tmp_path / "conf.yaml"
    path.write_text("net:\n  local_node: {aetitle: mytitle}\n")
    path.chmod(0o600)
    assert main(["echo", str(path)]) == 2
    assert "net.called_node is missing" in capsys.readouterr().err
