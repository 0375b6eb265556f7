"""What the README and the documentation say is true: their examples are run."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pacsfw.cli import COMMANDS
from pacsfw.config import load
from pacsfw.plugins import discover
from pacsfw.testing import EmbeddedPACS, make_studies
from peers.process import free_port

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SCHEMA = json.loads((ROOT / "schemas" / "conf.schema.json").read_text(encoding="utf-8"))


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def tree(block):
    """Parse YAML with every scalar as text: 20:00 is no number."""
    return yaml.load(block, yaml.BaseLoader)


MODULES = {block.split("\n")[0].removeprefix("# "): block for block in blocks(README, "python")}
DOCUMENTED, CALLBACK, LAYOUT = map(tree, blocks(README, "yaml"))


@pytest.fixture(scope="module")
def receiver():
    return free_port()


@pytest.fixture(scope="module")
def pacs(receiver):
    with EmbeddedPACS(
        make_studies(6, modalities=[["CT"]], instances=2, days=366),
        aetitle="theirtitle",
        destinations={"mytitle": ("127.0.0.1", receiver)},
    ) as running:
        yield running


@pytest.fixture
def collect(tmp_path, pacs, receiver):
    """Run the documented configuration with a fragment of the README added."""

    def run(fragment):
        for name, code in MODULES.items():
            (tmp_path / name).write_text(code, encoding="utf-8")
            (tmp_path / name).chmod(0o600)
        tags = DOCUMENTED["tags"] + fragment.get("tags", [])
        conf = json.loads(json.dumps({**DOCUMENTED, **fragment, "tags": tags}))
        conf["net"]["local_node"]["port"] = receiver
        conf["net"]["called_node"]["port"] = pacs.port
        path = tmp_path / "conf.json"
        path.write_text(json.dumps(conf), encoding="utf-8")
        path.chmod(0o600)
        # In its own process, since a module of a user is loaded once in each.
        command = [sys.executable, "-m", "pacsfw", "run", "--ignore-window", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        table = (tmp_path / conf["storage"]["resources"]).with_name("resources_meta.csv")
        with table.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    return run


def test_the_callback_of_the_readme_runs(collect):
    rows = collect(CALLBACK)
    assert len(rows) == 12
    for row in rows:
        month = int(row["study_date"][5:7])
        assert row["season"] == ["winter", "spring", "summer", "autumn"][month % 12 // 3]


def test_the_layout_of_the_readme_runs(collect, tmp_path):
    rows = collect(LAYOUT)
    assert len(rows) == 12
    for row in rows:
        year, modality, _, name = (
            Path(row["dicom_path"]).relative_to(tmp_path / "by_year/dicom").parts
        )
        assert (year, modality) == (row["study_date"][:4], "CT")
        assert name == f"{row['SOPInstanceUID']}.dcm"


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_the_readme_are_short(name):
    assert MODULES[name].count("\n") <= 15


def test_the_readme_says_what_it_is_in_ten_lines():
    _, introduction = README.split("\n## ")[0].strip().split("\n\n")
    assert len(introduction.splitlines()) <= 10


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(path):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_that_is_named_exists(path):
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"(?:^ {4}|`)(?:\S*/)?pacsfw ([a-z]+)", text, re.M)
    shown = re.findall(r'^@click\.command\("([a-z]+)"\)', text, re.M)  # commands of its examples
    assert set(named) <= {*COMMANDS, *shown}


def keys(schema, path=""):
    """Yield the path of every key that can be used; dest_node has those of local_node."""
    for key, inner in schema.get("properties", {}).items():
        unavailable = inner.get("$ref", "").endswith("/unavailable") or inner.get("const") is False
        nested = {} if key == "dest_node" else inner.get("items", inner)
        if "properties" in nested:
            yield from keys(nested, f"{path}{key}.")
        elif not unavailable:
            yield f"{path}{key}"


KEYS = [
    (section, key)
    for section in ("net", "find", "move", "storage", "tags", "plugins")
    for key in keys(SCHEMA["properties"][section].get("items", SCHEMA["properties"][section]))
]


@pytest.mark.parametrize(("section", "key"), KEYS)
def test_every_key_of_the_configuration_is_documented(section, key):
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    [chapter] = re.findall(rf"^## {section}:.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert f"`{key}`" in chapter


EXAMPLES = [
    block
    for block in blocks((ROOT / "docs" / "configuration.md").read_text(encoding="utf-8"), "yaml")
    if not block.startswith("plugins:")
]


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: block.split(":")[0])
def test_the_examples_of_the_configuration_are_valid(tmp_path, block, monkeypatch):
    monkeypatch.setenv("PACS_TOKEN", "sesame")
    monkeypatch.setenv("MAIL_PASSWORD", "sesame")
    path = tmp_path / "conf.yaml"
    path.write_text(block, encoding="utf-8")
    path.chmod(0o600)
    assert load(path, discover).config.path == path
