"""``pacsfw plugins new``: a working package with code, tests and README."""

from __future__ import annotations

import importlib.util
import keyword
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from string import Template

from pacsfw import __version__
from pacsfw.errors import ConfigError
from pacsfw.words import nearest

COMPONENTS = (
    "layout",
    "callback",
    "row-callback",
    "converter",
    "sink",
    "observer",
    "query",
    "cohort",
    "transfer",
)
"""Kinds that have a contract. Tests of the others check their effect."""
KINDS = (*COMPONENTS, "command", "section", "secret")
ALIASES = {
    "sorter": "layout",
    "subcommand": "command",
    "tag_callback": "callback",
    "row_callback": "row-callback",
}

_COMMON = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    ".github/workflows/test.yml",
    ".github/workflows/release.yml",
)
"""Files that every package gets."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_.][A-Za-z0-9]+)*")
_PREFIX = "pacsfw-"


def create(name: str, kind: str, directory: Path) -> Iterator[str]:
    """Write the package and yield the messages for the user.

    Raises
    ------
    ConfigError
        The name or the kind cannot be used, or the folder is not empty.
    """
    kind = ALIASES.get(kind, kind)
    if kind not in KINDS:
        near = nearest(kind, (*KINDS, *ALIASES))
        raise ConfigError(f"--kind: {kind!r} is not one of {', '.join(KINDS)}, sorter{near}")
    values = _values(name, kind)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigError(f"{directory}: already exists and was not changed")
    try:
        for path, text in _contents(kind, values):
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            yield f"{target}: written"
    except OSError as err:
        raise ConfigError(f"{err.filename}: cannot be written: {err.strerror}") from err
    yield f"next: pip install -e '{directory}[test]' && pytest {directory}"


def _values(name: str, kind: str) -> Mapping[str, str]:
    """Return the values of the placeholders.

    Raises
    ------
    ConfigError
        The name is not a valid package name, or its module would hide another one.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is not a package name: use letters and digits, joined by '-'")
    module = re.sub(r"[-.]", "_", name).lower()
    taken = not module.startswith("pacsfw_") and importlib.util.find_spec(module) is not None
    if taken or keyword.iskeyword(module) or module == "pacsfw_plugins":
        raise ConfigError(f"a module named {module!r} already exists: try pacsfw-{name}")
    full = name.lower().replace(".", "-").replace("_", "-")
    short = full.removeprefix(_PREFIX)
    if short in _taken():  # plain, that name would mean the bundled one
        short = full if full != short else f"my-{short}"
    major, minor, *_ = __version__.split(".")
    values = {
        "distribution": name,
        "module": module,
        "name": short,
        "entry": short,
        "kind": kind,
        "contract_kind": kind,
        "class_name": "".join(part.capitalize() for part in short.split("-")),
        "year": str(datetime.now(UTC).year),
        "host": f"{major}.{minor}",
        "bound": str(int(major) + 1),
        "look": f"show {short}" if kind in COMPONENTS else "list",
    }
    return {**values, "usage": _filled(f"{kind}/usage.txt", values).rstrip()}


def _taken() -> set[str]:
    """Return the names that pacsfw itself has."""
    from pacsfw.cli import COMMANDS
    from pacsfw.config.schemas import frame
    from pacsfw.plugins import PluginPlan, discover

    bundled = discover(PluginPlan(installed=False))
    names = {offer.component.name for offer in bundled.offers()}
    return {*names, *COMMANDS, *frame()["properties"], *bundled.sections}


def _contents(kind: str, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    module = values["module"]
    test = _filled(f"{kind}/test.py.txt", values)
    if kind in COMPONENTS:
        test += _filled("common/installed.py.txt", values)
    yield f"{module}.py", _filled(f"{kind}/code.py.txt", values)
    yield f"tests/test_{module}.py", test
    for path in _COMMON:
        yield path, _filled(f"common/{Path(path).name}.txt", values)


def _filled(name: str, values: Mapping[str, str]) -> str:
    text = (files("pacsfw") / "scaffold" / name).read_text(encoding="utf-8")
    return Template(text).substitute(values)
