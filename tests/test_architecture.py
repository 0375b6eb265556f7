"""The import rules of the house, held by reading every module."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FRAMEWORK = ROOT / "framework" / "pacsfw"
PLUGINS = ROOT / "plugins" / "pacsfw_plugins"

LAYERS = """\
errors
api
hookspecs
durable paths regular retries words
dicom
convert dimse ledger spool workers
plugins
config
probe report send steps
parse collection
testing
cli
"""
"""Lowest first. A room imports lower layers and itself, never its neighbours on a line."""

STEPS = {"find", "move", "receive", "ingest", "tags", "deliver", "convert", "verify"}
SHARED_BY_STEPS = {"run", "ports"}
"""What a step works with, and how the steps are handed to one another."""
FOR_PLUGINS = {
    "api", "errors", "hookspecs", "convert", "durable", "regular", "words", "dicom", "dimse",
}  # fmt: skip
SLOW = {"pydicom", "pynetdicom", "requests", "rich", "smtplib", "sqlalchemy", "pyarrow"}
OF_THE_TOP = {"__version__", "Collection", "Component", "hookimpl", "lazy"}
LINES = 350


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Yield (module, line, at module level) for every import, those for typing included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top_level = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, id(node) in top_level
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno, id(node) in top_level


def framework_modules() -> list[Path]:
    return sorted(
        path
        for path in FRAMEWORK.rglob("*.py")
        if path.parent / path.name != FRAMEWORK / "__init__.py"
    )


def plugin_modules() -> list[Path]:
    return sorted(PLUGINS.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(FRAMEWORK).parts[0].removesuffix(".py")


def layers() -> dict[str, int]:
    rows = enumerate(LAYERS.splitlines())
    return {name: number for number, row in rows for name in row.split()}


def at(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def file_of(module: str, root: Path) -> Path | None:
    """Return the file that an import of ``module``, or of a name in it, reads."""
    parts = module.split(".")[1:]
    for length in (len(parts), len(parts) - 1):
        base = root.joinpath(*parts[:length])
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return path
    return None


def test_every_room_has_a_layer() -> None:
    assert {room(path) for path in framework_modules()} - {"__main__"} == set(layers())


def test_imports_go_to_lower_layers_only() -> None:
    layer = layers() | {"__main__": 99}
    wrong = [
        f"{at(path, line)}: {room(path)} imports {module}"
        for path in framework_modules()
        for module, line, _ in imports(path)
        if (parts := module.split("."))[0] == "pacsfw"
        and len(parts) > 1
        and parts[1] not in OF_THE_TOP | {room(path)}
        and layer[parts[1]] >= layer[room(path)]
    ]

    assert wrong == []


def test_the_program_imports_neither_its_plugins_nor_the_repository() -> None:
    wrong = [
        f"{at(path, line)}: {module}"
        for path in framework_modules()
        for module, line, _ in imports(path)
        if module.split(".")[0] in ("pacsfw_plugins", "framework", "plugins", "tests")
    ]

    assert wrong == []


def test_no_step_imports_another() -> None:
    steps = FRAMEWORK / "steps"
    wrong = [
        f"{at(path, line)}: {module}"
        for path in sorted(steps.rglob("*.py"))
        for module, line, _ in imports(path)
        if module.startswith("pacsfw.steps.")
        and module.split(".")[2] not in SHARED_BY_STEPS | {path.relative_to(steps).parts[0]}
    ]

    assert {path.name for path in steps.iterdir() if path.is_dir()} - {"__pycache__"} == STEPS
    assert wrong == []


def test_imports_form_no_circle() -> None:
    """Between files, also within a room, and also of imports for typing and in functions."""
    graph: dict[Path, set[Path]] = {}
    for package, modules in ((FRAMEWORK, framework_modules()), (PLUGINS, plugin_modules())):
        for path in modules:
            found = {
                file_of(module, package)
                for module, _, _ in imports(path)
                if module.split(".")[0] == package.name
            }
            graph[path] = {each for each in found if each is not None and each != path}

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as err:
        circle = " -> ".join(str(path.relative_to(ROOT)) for path in err.args[1])
        raise AssertionError(circle) from None


def test_bundled_plugins_import_what_authors_may_import() -> None:
    wrong = [
        f"{at(path, line)}: {module}"
        for path in plugin_modules()
        for module, line, _ in imports(path)
        if (parts := module.split("."))[0] == "pacsfw"
        and len(parts) > 1
        and parts[1] not in FOR_PLUGINS | OF_THE_TOP
    ]

    assert wrong == []


def entry_points() -> list[Path]:
    """Return the modules of the bundled plugins, which every command imports."""
    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    modules = about["project"]["entry-points"]["pacsfw"].values()
    return [PLUGINS.parent.joinpath(*each.split(".")).with_suffix(".py") for each in modules]


def test_plugins_import_nothing_slow_before_it_is_used() -> None:
    """Followed through what they import of pacsfw and of one another, at module level."""
    wrong, seen = [], {FRAMEWORK / "__init__.py"}
    waiting = [(path, path) for path in entry_points()]
    while waiting:
        path, plugin = waiting.pop()
        for module, line, at_import in imports(path):
            top = module.split(".")[0]
            if at_import and top in SLOW:
                wrong.append(f"{at(path, line)}: {module}, for {plugin.relative_to(ROOT)}")
            package = {"pacsfw": FRAMEWORK, "pacsfw_plugins": PLUGINS}.get(top)
            found = file_of(module, package) if package and at_import else None
            if found and found not in seen:
                seen.add(found)
                waiting.append((found, plugin))

    assert wrong == []


def test_schemas_hold_no_python() -> None:
    # A single .py there makes editable installs fail.
    assert not list((ROOT / "schemas").rglob("*.py"))


def test_modules_stay_small() -> None:
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in [*framework_modules(), *plugin_modules()]
    }

    assert {path: lines for path, lines in sizes.items() if lines > LINES} == {}
