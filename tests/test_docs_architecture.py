"""docs/architecture.md names what exists, and CONTRIBUTING shows the layers as they are held."""

from __future__ import annotations

import ast
import re
import runpy
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from test_architecture import FRAMEWORK, ROOT, framework_modules, room

PAGE = ROOT / "docs" / "architecture.md"
TEXT = PAGE.read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
QUOTED = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w./-]*\.(?:py|md|json|lock|toml)")
BASES = (ROOT, FRAMEWORK)


def files_in(text: str) -> list[str]:
    """The files that a text names in backticks."""
    return [each for each in QUOTED.findall(text) if FILE.fullmatch(each)]


def found(name: str) -> Path | None:
    return next((base / name for base in BASES if (base / name).is_file()), None)


def tables() -> Iterator[tuple[str, list[str]]]:
    """Yield (file, names) of every row of a journey."""
    for row in re.findall(r"^\| \d+ \|(.*)\|$", TEXT, re.MULTILINE):
        file, names, _ = row.split(" | ", 2)
        yield file.strip(" `"), QUOTED.findall(names)


@cache
def defined(path: Path) -> set[str]:
    """Functions and classes of a module, and methods as ``Class.method``."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{each.name}" for each in node.body if hasattr(each, "name")}
    return names


def all_names() -> set[str]:
    roots = (FRAMEWORK, ROOT / "plugins" / "pacsfw_plugins")
    return {name for root in roots for path in root.rglob("*.py") for name in defined(path)}


def test_every_file_that_is_named_exists() -> None:
    named = files_in(TEXT)

    assert len(named) > 50
    assert [name for name in named if found(name) is None] == []


def test_every_name_of_a_journey_stands_in_its_file() -> None:
    rows = list(tables())
    missing = [
        f"{file}: {name}"
        for file, names in rows
        for name in names
        if (path := found(file)) is None or name not in defined(path)
    ]

    assert len(rows) > 50
    assert missing == []


def test_every_class_that_is_named_exists() -> None:
    named = {name for name in QUOTED.findall(TEXT) if re.fullmatch(r"[A-Z]\w+[a-z]\w*", name)}

    assert named - all_names() == set()


def test_the_listing_names_every_room() -> None:
    listing = TEXT.partition("\n## The listing\n")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `([a-z]+)` \|", listing, re.MULTILINE)
    rooms = {room(path) for path in framework_modules()} - {"__main__"}

    assert sorted(listed) == sorted(rooms | {"scaffold"})


def test_the_table_of_contributing_names_files_that_exist() -> None:
    named = files_in(CONTRIBUTING)

    assert len(named) > 10
    assert [name for name in named if found(name) is None] == []


def test_contributing_shows_the_layers_that_are_held() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "layers.py"))

    assert script["with_layers"](CONTRIBUTING) == CONTRIBUTING, "run `make layers`"
