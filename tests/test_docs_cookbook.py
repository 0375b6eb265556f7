"""Every plugin of docs/cookbook.md keeps its contract, and works in a collection."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from test_docs_plugins import run_pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")
SECTIONS = re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
KIND = re.compile(r"\((?P<kind>[a-z ]+)\)$")


def block(section: str, language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return found


def plugins() -> dict[str, str]:
    """The file names and texts of all plugins."""
    found = {}
    for section in SECTIONS:
        text = block(section, "python")
        found[text.split('"""', 2)[1].partition(":")[0]] = text
    return found


def test_there_are_ten_and_each_is_listed():
    listed = re.findall(r"^\d+\. \[(.+?)\]\(#(.+?)\)", TEXT, re.MULTILINE)

    assert len(plugins()) == len(listed) == 10
    assert [title for title, _ in listed] == [section.partition("\n")[0] for section in SECTIONS]
    assert [anchor for _, anchor in listed] == [
        title.lower().replace(" ", "-") for title, _ in listed
    ]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.partition("\n")[0])
def test_each_says_how_it_is_configured(section):
    name = block(section, "python").split('"""', 2)[1].partition(":")[0]
    assert re.fullmatch(r"[a-z_]+\.py", name)
    if "```yaml" in section:
        assert yaml.safe_load(block(section, "yaml"))


@pytest.mark.timeout(400)  # a whole run of pytest
def test_all_keep_their_contracts(tmp_path):
    tests = (ROOT / "tests" / "data" / "cookbook_contracts.py").read_text(encoding="utf-8")
    run_pytest(tmp_path, {**plugins(), "test_contracts.py": tests})


@pytest.mark.full
@pytest.mark.timeout(400)  # a whole run of pytest
def test_they_work_together_in_collections(tmp_path):
    tests = (ROOT / "tests" / "data" / "cookbook_collections.py").read_text(encoding="utf-8")
    run_pytest(tmp_path, {**plugins(), "test_collections.py": tests})
