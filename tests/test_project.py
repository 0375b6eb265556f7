"""What stands in several files of the project says the same everywhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
GROUPS = PYPROJECT["dependency-groups"]
LOCK = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8").splitlines()
PINS = dict(line.split("==") for line in LOCK if not line.startswith("#"))
INSTALLED = [*PROJECT["dependencies"], *GROUPS["dev"], *GROUPS["test"], *GROUPS["contrib"]]
REQUIREMENTS = [Requirement(each) for each in INSTALLED if isinstance(each, str)]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_the_lock_has_what_is_required(requirement: Requirement) -> None:
    assert Version(PINS[canonicalize_name(requirement.name)]) in requirement.specifier


def test_the_lock_has_versions_only_no_addresses_and_no_hashes() -> None:
    assert [line for line in LOCK[1:] if not re.fullmatch(r"[a-z0-9-]+==[\w.]+", line)] == []


def test_the_extras_are_for_users_and_the_groups_for_development() -> None:
    extras = {"dicomweb", "excel", "keyring", "pandas", "parquet", "postgres", "sql", "testing"}

    assert PROJECT["optional-dependencies"].keys() == extras
    assert {"dev", "test", "contrib", "bench", "fuzz"} == GROUPS.keys()


def test_the_public_ci_runs_every_python_that_is_declared() -> None:
    prefix = "Programming Language :: Python :: 3."
    declared = [each for each in PROJECT["classifiers"] if each.startswith(prefix)]
    job = yaml.safe_load(text(".github/workflows/ci.yml"))["jobs"]["test"]

    assert [
        f"{prefix}{each.removeprefix('3.')}" for each in job["strategy"]["matrix"]["python"]
    ] == (declared)
    assert job["steps"][-1] == {"run": "bash .ci/run"}


@pytest.mark.parametrize(
    "name", ["CITATION.cff", "SECURITY.md", ".github/ISSUE_TEMPLATE/config.yml"]
)
def test_the_address_of_the_project_is_that_of_pyproject(name: str) -> None:
    [address] = set(re.findall(r"https://github\.com/[\w-]+/[\w-]+", text(name)))

    assert address == PROJECT["urls"]["Source"]
