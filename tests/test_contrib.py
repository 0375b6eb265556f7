"""The packages of contrib, installed from wheels as a site would, pass their own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.selection import quick

ROOT = Path(__file__).resolve().parents[1]
CONTRIB, TESTS = ROOT / "contrib", ROOT / "tests"
PACKAGES = sorted(path.parent.name for path in CONTRIB.glob("*/pyproject.toml"))


def run(*words: object, **options: object) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
        **options,
    )
    assert ran.returncode == 0, ran.stdout[-4000:]
    return ran.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with all of them installed; what they depend on is there already."""
    wheels, site = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    offline = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    sources = [CONTRIB / name for name in PACKAGES]
    run("pip", "wheel", *offline, "--no-build-isolation", "-w", wheels, *sources)
    found = sorted(wheels.glob("*.whl"))
    assert len(found) == len(PACKAGES)
    run("pip", "install", *offline, "--target", site, *found)
    return site


def test_there_are_packages():
    assert len(PACKAGES) >= 4


# The server that stands for S3 takes half a minute.
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name", quick(PACKAGES, *(name for name in PACKAGES if name != "pacsfw-s3"))
)
def test_a_package_passes_its_own_tests(name, installed):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (installed, TESTS)))}
    tests = CONTRIB / name / "tests"
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "support.forked"]

    options += ["--import-mode=importlib", "-c", tests.parent / "pyproject.toml"]
    said = run("pytest", *options, tests, env=environment)

    assert " passed" in said
    assert "skipped" not in said


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_says_what_it_is(name):
    readme = (CONTRIB / name / "README.md").read_text(encoding="utf-8")
    assert readme.startswith(f"# {name}\n")
    assert f"({name})" in (CONTRIB / "README.md").read_text(encoding="utf-8")


def test_every_package_is_in_the_catalogue():
    catalogue = (ROOT / "docs" / "catalogue.md").read_text(encoding="utf-8")
    readme = (CONTRIB / "README.md").read_text(encoding="utf-8")

    for name in PACKAGES:
        assert f"(../contrib/{name})" in catalogue
        assert f"({name})" in readme
