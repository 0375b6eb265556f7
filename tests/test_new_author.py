"""A new author gets from nothing to a tested plugin, see scripts/new_author.py."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from pacsfw.cli import main
from pacsfw.cli.plugins_new import KINDS

SCRIPT = Path(__file__).parents[1] / "scripts" / "new_author.py"


def play(folder: Path, kind: str, *more: str) -> str:
    words = [sys.executable, str(SCRIPT), kind, "--folder", str(folder), *more]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(400)  # an installation, a run of pytest and a demo
def test_a_layout_is_scaffolded_edited_installed_tested_and_run(tmp_path):
    assert "layout: " in play(tmp_path, "layout")


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_in_an_environment_of_its_own(tmp_path, kind):
    assert f"{kind}: " in play(tmp_path, kind, "--clean")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x", "--kind", "lay"], "--kind: 'lay' is not one of layout, callback, "),
        (["a b", "--kind", "sorter"], "'a b' is not a package name"),
        (["../x", "--kind", "sorter"], "'../x' is not a package name"),
        (["json", "--kind", "sorter"], "a module named 'json' already exists: try pacsfw-json"),
        (["pacsfw-plugins", "--kind", "sink"], "a module named 'pacsfw_plugins' already exists"),
        (["class", "--kind", "sink"], "a module named 'class' already exists"),
        (
            ["unheard", "--kind", "sink", "--directory", "."],
            ".: already exists and was not changed",
        ),
    ],
)
def test_what_cannot_be_made_is_refused_and_nothing_is_written(
    tmp_path, monkeypatch, capsys, words, message
):
    (tmp_path / "precious").write_text("mine")
    monkeypatch.chdir(tmp_path)
    assert main(["plugins", "new", *words]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_sorter_is_a_layout(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["plugins", "new", "Site.Yearly", "--kind", "sorter"]) == 0
    assert "next: pip install -e 'Site.Yearly[test]'" in capsys.readouterr().out
    assert "pacsfw_layouts" in (tmp_path / "Site.Yearly" / "site_yearly.py").read_text()


def test_a_package_has_what_publishing_needs(tmp_path, capsys):
    made = tmp_path / "made"
    assert main(["plugins", "new", "pacsfw-mine", "--kind", "sink", "--directory", str(made)]) == 0

    about = tomllib.loads((made / "pyproject.toml").read_text())["project"]
    workflows = sorted((made / ".github" / "workflows").iterdir())
    jobs = [yaml.safe_load(path.read_text())["jobs"] for path in workflows]

    assert "pacsfw-plugin" in about["keywords"]
    assert (made / about["license-files"][0]).read_text().startswith("MIT License")
    assert about["version"] in (made / "CHANGELOG.md").read_text()
    assert [path.stem for path in workflows] == ["release", "test"]
    for (job,) in map(dict.values, jobs):
        commands = [step.get("run", "") for step in job["steps"]]
        assert "pytest" in commands
        assert "pacsfw plugins check pacsfw-mine" in commands
    assert jobs[1]["test"]["steps"][1]["with"]["python-version"] == "${{ matrix.python }}"
