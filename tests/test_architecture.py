"""The import rules of the house, held by reading every module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FRAMEWORK = ROOT / "framework" / "pacsfw"
PLUGINS = ROOT / "plugins" / "pacsfw_plugins"

LAYERS = (
    {"errors"},
    {"api"},
    {"hookspecs"},
    {"durable"},
    {"dicom", "convert", "words"},
    {"dimse"},
    {"offers"},
    {"registry", "candidates"},
    {"plugins"},
    {"config", "ledger", "workers"},
    {
        "find",
        "probe",
        "move",
        "receiver",
        "ingest",
        "tags",
        "tree",
        "deliver",
        "converting",
        "report",
        "send",
        "verify",
    },
    {"assemble"},
    {"archive", "delivery", "converters"},
    {"finding", "reparsing", "readers", "verifying", "outgoing"},
    {"moving", "parsing_loop"},
    {"serving"},
    {"parsing", "parse"},
    {"standing"},
    {"run"},
    {"testing"},
    {"cli"},
    {"__main__"},
)
"""Lowest first. A room imports lower layers and itself, never its neighbours."""

FOR_PLUGINS = {"api", "errors", "hookspecs", "convert", "durable", "words", "dicom", "dimse"}
HEAVY = {"pydicom", "pynetdicom", "requests"}


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Yield (module, line, at module level) for every import that runs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    top_level = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, id(node) in top_level
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            module = node.module or ""
            for alias in node.names:
                yield f"{module}.{alias.name}", node.lineno, id(node) in top_level


def room(path: Path) -> str:
    first = path.relative_to(FRAMEWORK).parts[0]
    return first.removesuffix(".py")


def layer_of(name: str) -> int:
    return next(number for number, rooms in enumerate(LAYERS) if name in rooms)


def framework_modules() -> list[Path]:
    return sorted(path for path in FRAMEWORK.rglob("*.py") if path != FRAMEWORK / "__init__.py")


def plugin_modules() -> list[Path]:
    return sorted(PLUGINS.rglob("*.py"))


def test_every_room_has_a_layer() -> None:
    rooms = {room(path) for path in framework_modules()}

    assert rooms == set().union(*LAYERS)


@pytest.mark.parametrize("path", framework_modules(), ids=lambda p: str(p.relative_to(FRAMEWORK)))
def test_imports_go_to_lower_layers_only(path: Path) -> None:
    here = room(path)
    for module, line, _ in imports(path):
        parts = module.split(".")
        assert parts[0] not in ("pacsfw_plugins", "framework", "plugins", "tests"), f"{path}:{line}"
        if parts[0] != "pacsfw" or len(parts) == 1:
            continue
        there = parts[1]
        if there in ("__version__", "Component", "hookimpl") or there == here:
            continue
        assert layer_of(there) < layer_of(here), f"{path}:{line}: {here} imports {there}"


@pytest.mark.parametrize("path", plugin_modules(), ids=lambda path: path.name)
def test_bundled_plugins_import_what_authors_may_import(path: Path) -> None:
    for module, line, at_top in imports(path):
        parts = module.split(".")
        if parts[0] == "pacsfw" and len(parts) > 1 and parts[1] not in ("Component", "hookimpl"):
            assert parts[1] in FOR_PLUGINS, f"{path}:{line}: {module}"
        if not path.name.startswith("_"):
            assert not (at_top and parts[0] in HEAVY), f"{path}:{line}: {module} is slow to import"


def test_schemas_hold_no_python() -> None:
    # A single .py there makes editable installs fail.
    assert not list((ROOT / "schemas").rglob("*.py"))


@pytest.mark.parametrize(
    "path", [*framework_modules(), *plugin_modules()], ids=lambda path: path.name
)
def test_modules_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350
