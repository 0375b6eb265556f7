"""What is built and what is installed: sdist, wheel and editable install of a clean checkout."""

from __future__ import annotations

import csv
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import textwrap
import tomllib
import venv
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from pacsfw import __version__
from support.documented import DOCUMENTED

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSION = __version__
DIST_INFO = f"pacsfw-{VERSION}.dist-info"
SCHEMA = "schemas/conf.schema.json"
IN_THE_WHEEL = {
    "framework/pacsfw/": "pacsfw/",
    "plugins/pacsfw_plugins/": "pacsfw_plugins/",
    "schemas/": "pacsfw/schemas/",
}
"""Folder of the checkout -> folder of the wheel."""
FOLDERS = ["framework", "plugins", "schemas", "tests"]
TEXTS = ["LICENSE", "README.md", "pyproject.toml"]
NOT_FOR_OTHERS = ("PYTHONPATH", "PYTHONHOME", "PACSFW_", "PACSANINI_")
"""Variables of this process that would reach into a clean environment."""

SEEN = """
    import json
    from importlib.metadata import distributions
    import pacsfw, pacsfw_plugins
    from pacsfw.plugins import PluginPlan, discover
    registry = discover(PluginPlan())
    print(json.dumps({
        "distributions": [d.version for d in distributions() if d.name == "pacsfw"],
        "packages": [pacsfw.__file__, pacsfw_plugins.__file__],
        "plugins": sorted({each.plugin for each in registry.plugins}),
        "failures": [failure.error for failure in registry.failures],
    }))
"""
IMPORT_ALL = """
    import importlib, pkgutil
    import pacsfw, pacsfw_plugins
    for package in (pacsfw, pacsfw_plugins):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                try:
                    importlib.import_module(module.name)
                except ModuleNotFoundError as err:
                    extras = "requests", "pytest", "hypothesis", "openpyxl", "pyarrow", "sqlalchemy"
                    if err.name not in extras:
                        raise
"""


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Run a command that must succeed and return what it printed."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(NOT_FOR_OTHERS)}
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**inherited, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (
        f"exit code {done.returncode} of {shlex.join(map(str, command))}\n"
        f"--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
    )
    return done.stdout


@dataclass(frozen=True)
class Environment:
    """A virtual environment with pacsfw in it; commands run in an empty folder."""

    folder: Path
    cwd: Path
    code: Path  # the folder that the code must come from
    schema: Path  # the schema that must be read

    @property
    def about(self) -> metadata.Distribution:
        return metadata.PathDistribution(site_packages(self.folder) / DIST_INFO)

    def __call__(self, command: str, *args: str | Path) -> str:
        return run(self.folder / "bin" / command, *args, cwd=self.cwd)

    def execute(self, code: str) -> str:
        return self("python", "-c", textwrap.dedent(code))


@dataclass(frozen=True)
class Built:
    """A copy of the checkout and what was built from it."""

    checkout: Path
    files: frozenset[str]
    sdist: Path
    wheel: Path
    wheel_from_sdist: Path


def site_packages(folder: Path) -> Path:
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))


def checkout_files() -> list[str]:
    """Return the tracked files; without git, those that building needs, and the tests."""
    try:
        listed = run("git", "ls-files", "-z", cwd=ROOT).split("\0")
    except (FileNotFoundError, AssertionError):  # no git, or no checkout: an unpacked sdist
        listed = []
    tracked = [name for name in listed if (ROOT / name).is_file()]
    if tracked:
        return tracked
    inside = [path for name in FOLDERS for path in (ROOT / name).rglob("*") if path.is_file()]
    return TEXTS + [
        path.relative_to(ROOT).as_posix() for path in inside if "__pycache__" not in path.parts
    ]


def link_installed(requirements: Iterable[str], folder: Path) -> None:
    """Link what the requirements need, in turn, from this environment into a folder."""
    waiting, seen = list(requirements), set()
    while waiting:
        requirement = Requirement(waiting.pop())
        for_us = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if not for_us or requirement.name in seen:
            continue
        seen.add(requirement.name)
        distribution = metadata.distribution(requirement.name)
        waiting += distribution.requires or []
        assert distribution.files is not None, f"{requirement.name} has no list of its files"
        for name in {file.parts[0] for file in distribution.files} - {"..", "__pycache__"}:
            source = Path(str(distribution.locate_file(name)))
            if not (folder / name).exists():
                (folder / name).symlink_to(source, target_is_directory=source.is_dir())


def install(folder: Path, *arguments: str | Path) -> Path:
    """Install into a new environment that has nothing else but the declared dependencies.

    They are those of this environment, linked into a folder that a ``.pth`` line adds. The
    pacsfw of this environment is not among them. Nothing is downloaded.
    """
    for name in ("dependencies", "build-system", "cwd"):
        (folder / name).mkdir()
    venv.create(folder / "venv", symlinks=True)
    link_installed([*PROJECT["build-system"]["requires"], "editables"], folder / "build-system")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "venv/bin/python"), "install"]
    offline = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet"]
    run(*pip, *offline, *arguments, cwd=folder, PYTHONPATH=str(folder / "build-system"))
    site = site_packages(folder / "venv")
    requirements = metadata.PathDistribution(site / DIST_INFO).requires
    assert requirements, f"{DIST_INFO} declares no dependencies"
    link_installed(requirements, folder / "dependencies")
    (site / "dependencies.pth").write_text(f"{folder / 'dependencies'}\n", encoding="utf-8")
    return site


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built")
    checkout, files = folder / "checkout", checkout_files()
    for name in files:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    build = [sys.executable, "-m", "build", "--no-isolation"]
    run(*build, "--wheel", "--outdir", folder / "direct", checkout, cwd=folder)
    run(*build, "--outdir", folder / "dist", checkout, cwd=folder)
    name = f"pacsfw-{VERSION}-py3-none-any.whl"
    return Built(
        checkout=checkout,
        files=frozenset(files),
        sdist=folder / "dist" / f"pacsfw-{VERSION}.tar.gz",
        wheel=folder / "direct" / name,
        wheel_from_sdist=folder / "dist" / name,
    )


@pytest.fixture(scope="module")
def from_wheel(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("wheel")
    site = install(folder, built.wheel)
    return Environment(folder / "venv", folder / "cwd", site, site / "pacsfw" / SCHEMA)


@pytest.fixture(scope="module")
def editable(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("editable")
    checkout = Path(shutil.copytree(built.checkout, folder / "checkout"))
    install(folder, "--editable", checkout)
    return Environment(folder / "venv", folder / "cwd", checkout, checkout / SCHEMA)


@pytest.fixture(params=["from_wheel", "editable"])
def installed(request: pytest.FixtureRequest) -> Environment:
    environment: Environment = request.getfixturevalue(request.param)
    return environment


def wheel_contents(path: Path) -> dict[str, int]:
    """Return the checksum of every file of a wheel."""
    with zipfile.ZipFile(path) as wheel:
        return {file.filename: file.CRC for file in wheel.infolist() if not file.is_dir()}


def test_the_wheel_holds_the_packages_the_schemas_and_nothing_else(built: Built) -> None:
    expected = {
        there + name.removeprefix(here)
        for name in built.files
        for here, there in IN_THE_WHEEL.items()
        if name.startswith(here)
    }
    about = ["METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"]

    held = set(wheel_contents(built.wheel))

    assert held == expected | {f"{DIST_INFO}/{name}" for name in about}
    assert {"pacsfw/py.typed", f"pacsfw/{SCHEMA}", "pacsfw_plugins/__init__.py"} <= held


def test_the_wheel_built_from_the_sdist_is_the_same(built: Built) -> None:
    assert wheel_contents(built.wheel_from_sdist) == wheel_contents(built.wheel)


def test_the_sdist_holds_the_checkout(built: Built) -> None:
    with tarfile.open(built.sdist) as sdist:
        held = {name.removeprefix(f"pacsfw-{VERSION}/") for name in sdist.getnames()}

    expected = {name for name in built.files if not name.startswith(".ci/")}

    assert held - {"PKG-INFO"} == expected


def test_every_bundled_plugin_is_an_entry_point_of_the_wheel(
    built: Built, from_wheel: Environment
) -> None:
    points = from_wheel.about.entry_points
    plugins = {point.value for point in points.select(group="pacsfw")}
    source = built.checkout / "plugins"
    modules = [each.relative_to(source) for each in source.rglob("[!_]*.py")]

    assert plugins == {".".join(module.with_suffix("").parts) for module in modules}
    assert points["pacsfw"].value == points["pacsanini"].value == "pacsfw.cli:program"


def test_an_editable_install_copies_nothing(editable: Environment) -> None:
    copied = {path.name for path in site_packages(editable.folder).iterdir()}

    assert copied == {"_editable_impl_pacsfw.pth", "dependencies.pth", DIST_INFO}


def test_one_pacsfw_is_seen_and_it_is_the_one_installed(installed: Environment) -> None:
    seen = json.loads(installed.execute(SEEN))

    assert seen["distributions"] == [VERSION]
    for package in seen["packages"]:
        assert Path(package).is_relative_to(installed.code)


def test_nothing_is_needed_but_the_declared_dependencies(installed: Environment) -> None:
    installed.execute(IMPORT_ALL)


def test_the_version_is_that_of_the_distribution(installed: Environment) -> None:
    assert installed("pacsfw", "--version").split()[-1] == VERSION


def test_every_name_of_the_command_does_the_same(installed: Environment) -> None:
    shown = installed("pacsfw", "--help")

    assert "Commands:" in shown
    assert installed("pacsanini", "--help") == shown
    assert installed("python", "-m", "pacsfw", "--help") == shown


def test_every_bundled_plugin_loads(installed: Environment) -> None:
    seen = json.loads(installed.execute(SEEN))

    assert seen["failures"] == []
    assert set(seen["plugins"]) == installed.about.entry_points.select(group="pacsfw").names


def test_every_component_is_listed_as_ok(installed: Environment) -> None:
    entries = json.loads(installed("pacsfw", "plugins", "list", "--json"))

    assert {"query", "transfer", "layout", "callback", "sink"} <= {e["kind"] for e in entries}
    assert {entry["distribution"] for entry in entries} == {"pacsfw"}
    broken = {entry["name"]: entry["state"] for entry in entries if entry["state"] != "ok"}
    extras = {"qido": "dicomweb", "wado": "dicomweb"}
    extras |= {name: name for name in ("excel", "parquet", "sql")}
    assert broken.keys() == extras.keys()
    for name, extra in extras.items():
        assert broken[name].endswith(f"pip install 'pacsfw[{extra}]'")


def test_the_documented_configuration_is_valid(installed: Environment, tmp_path: Path) -> None:
    path = tmp_path / "conf.yaml"
    path.write_text(DOCUMENTED, encoding="utf-8")
    path.chmod(0o600)

    installed("pacsfw", "config", "check", path)


def test_the_schema_is_the_one_installed(installed: Environment) -> None:
    original = installed.schema.read_text(encoding="utf-8")
    try:
        changed = {**json.loads(original), "title": "changed where it is installed"}
        installed.schema.write_text(json.dumps(changed), encoding="utf-8")
        shown = json.loads(installed("pacsfw", "config", "schema"))
    finally:
        installed.schema.write_text(original, encoding="utf-8")

    assert shown["title"] == "changed where it is installed"


def interpreter(name: str) -> Path:
    """Return a Python that runs; one that pyenv has is not necessarily switched on."""
    found = [Path(path) for path in [shutil.which(name)] if path]
    for path in [*found, *Path.home().glob(f".pyenv/versions/*/bin/{name}")]:
        if subprocess.run([path, "--version"], capture_output=True).returncode == 0:
            return path
    pytest.skip(f"{name} is not installed")


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["this python", "python3.13"])
def test_the_demo_runs_where_the_wheel_was_installed_from_the_network(
    name: str, built: Built, tmp_path: Path
) -> None:
    python = Path(sys.executable) if name == "this python" else interpreter(name)
    run(python, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    commands = tmp_path / "venv" / "bin"
    run(commands / "python", "-m", "pip", "install", "--quiet", built.wheel, cwd=tmp_path)

    run(commands / "python", "-m", "pip", "check", cwd=tmp_path)
    run(commands / "pacsfw", "demo", cwd=tmp_path)

    [table] = (tmp_path / "demo").rglob("resources_meta.csv")
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        assert (table.parent / row["dicom_path"]).is_file()
