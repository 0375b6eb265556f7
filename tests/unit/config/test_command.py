"""``pacsfw config check|show|init|schema`` as a user types them."""

from __future__ import annotations

import json
import re
import stat
from datetime import UTC, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pacsfw.cli import main
from pacsfw.cli.config import window_notice
from pacsfw.config import Use, Window, load

if TYPE_CHECKING:
    from conftest import Desk


def test_the_documented_configuration_passes_with_its_two_warnings(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.write(desk.documented)
    assert main(["config", "check", "conf.yaml"]) == 0
    ok, port, window = capsys.readouterr().out.splitlines()
    assert ok == "conf.yaml: ok"
    assert port.startswith("warning: conf.yaml:8:15: net.local_node.port: 127.0.0.1:11112 is")
    assert window.startswith("warning: conf.yaml: move: the window is ")


@pytest.mark.parametrize("arguments", [["conf.yaml"], ["-f", "conf.yaml"], ["--config=conf.yaml"]])
def test_the_file_is_taken_as_argument_or_option(
    desk: Desk, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    desk.write("tags: []\n")
    assert main(["config", "check", *arguments]) == 0
    assert capsys.readouterr().out == "conf.yaml: ok\n"


def test_a_configuration_with_faults_exits_with_2_and_names_them_all(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.write("mvoe: {}\nmove: {workers: 0}\n")
    assert main(["config", "check", "conf.yaml"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "conf.yaml:1:1: mvoe: unknown key (did you mean 'move'?)",
        "conf.yaml:2:17: move.workers: 0 is not a number from 1 to 256",
    ]


def test_a_missing_plugin_exits_with_3(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.write("sinks: [xlsx]\n")
    assert main(["config", "check", "conf.yaml"]) == 3
    assert "no sink is named 'xlsx'" in capsys.readouterr().err


def test_show_prints_what_loads_again(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.write(desk.documented)
    assert main(["config", "show", "conf.yaml"]) == 0
    text = capsys.readouterr().out
    assert f"directory: {desk.folder}/my/dicom/dir" in text
    desk.write(text, "again.yaml")
    assert main(["config", "show", "again.yaml"]) == 0
    assert capsys.readouterr().out == text


def test_init_writes_a_configuration_that_passes(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "init"]) == 0
    text = Path("pacsfw.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=./pacsfw.schema.json\n")
    assert json.loads(Path("pacsfw.schema.json").read_text())["title"] == "pacsfw configuration"
    assert stat.S_IMODE(Path("pacsfw.yaml").stat().st_mode) == 0o600
    assert "pacsfw config check pacsfw.yaml" in capsys.readouterr().out
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out.startswith(f"{desk.folder}/pacsfw.yaml: ok\n")


def test_what_init_comments_out_is_understood_as_well(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["config", "init", "full.yaml"]) == 0
    text = Path("full.yaml").read_text()
    examples = re.compile(r"^( *)# ( *(?:[a-z_]+:|- \{).*)$", re.MULTILINE)
    desk.write(examples.sub(r"\1\2", text), "full.yaml")
    desk.write("", "my_layout.py")
    desk.write("PatientID\n1\n", "cohort.csv")
    desk.write(
        "format: 1\ncalling: PACSFW\ncalled: {aetitle: THEIRPACS, ip: 192.0.2.10, port: 104}\n",
        "pacs.profile.yaml",
    )
    monkeypatch.setenv("PACS_PASSWORD", "sesame")
    config = load(Path("full.yaml"), desk.registry_for).config
    assert config.plugins.load == (desk.folder / "my_layout.py",)
    assert (len(config.sinks), config.move is not None) == (1, True)
    assert config.find is not None
    assert [each.keyword for each in config.find.filters] == ["StudyDescription", "PatientName"]
    assert config.find.cohort == Use("house/text", {"path": str(desk.folder / "cohort.csv")})
    assert config.find.max_studies == 50000
    assert config.net is not None
    assert config.net.called is not None
    assert config.net.called.profile.called == "THEIRPACS"
    assert config.net.dicomweb is not None
    assert config.net.dicomweb.username == "research"
    assert config.warnings == ()


def test_init_does_not_overwrite(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.write("mine\n", "pacsfw.yaml")
    assert main(["config", "init"]) == 2
    assert Path("pacsfw.yaml").read_text() == "mine\n"
    assert capsys.readouterr().err == "pacsfw.yaml: already exists and was not changed\n"
    assert not Path("pacsfw.schema.json").exists()


def test_init_says_where_it_cannot_write(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "init", "sub/dir/x.yaml"]) == 2
    assert capsys.readouterr().err == "sub/dir/x.yaml: the folder sub/dir does not exist\n"
    desk.write("", "file")
    assert main(["config", "init", "file/x.yaml"]) == 2
    assert capsys.readouterr().err == "file/x.yaml: cannot be written: Not a directory\n"
    assert main(["config", "init", "x.json"]) == 2
    assert "use a name that ends in .yaml" in capsys.readouterr().err


def test_help_tells_what_each_command_does_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--help"]) == 0
    commands = capsys.readouterr().out.partition("Commands:\n")[2].splitlines()
    assert len(commands) == 4
    assert not [line for line in commands if line.endswith("...")]


def test_schema_prints_the_composed_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert "PATIENT" in json.dumps(printed["$defs"]["layout"])


@pytest.mark.parametrize(
    ("now", "notice"),
    [
        (
            datetime(2026, 1, 1, 12, tzinfo=UTC),
            "the window is closed; it opens at 2026-01-01 20:00:00 UTC",
        ),
        (datetime(2026, 1, 1, 21, tzinfo=UTC), "the window is open until 2026-01-02 08:00:00 UTC"),
    ],
)
def test_the_notice_says_when_the_window_changes(now: datetime, notice: str) -> None:
    assert window_notice(Window(time(20), time(8), timezone=UTC), now) == notice
    assert window_notice(Window(), now) == ""
