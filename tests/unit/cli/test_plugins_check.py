"""``pacsfw plugins check``: folders, wheels and installed packages, before their release."""

from __future__ import annotations

import json
import zipfile

import pytest

from pacsfw.cli import main
from support.dists import LAYOUT, Installed

PROJECT = """
[project]
name = "pacsfw-yearly"
version = "1.0"
description = "Folders by year"
readme = "README.md"
license = "MIT"
classifiers = ["Programming Language :: Python :: 3"]
dependencies = ["pacsfw>=0.1,<1"]

[project.entry-points.pacsfw]
yearly = "pacsfw_yearly"
"""
YEARLY = LAYOUT.format(name="yearly")
TEST = "from pacsfw.testing import LayoutContract\n"
WITH_OPTION = """
from pacsfw import Component, hookimpl, lazy

def yearly(depth=1):
    return list

@hookimpl
def pacsfw_layouts():
    option = {"depth": {"type": "integer", "default": DEFAULT}}
    schema = {"type": "object", "properties": option, "additionalProperties": False}
    yield Component(name="yearly", factory=FACTORY, schema=schema)
"""


def with_option(default, factory):
    return WITH_OPTION.replace("DEFAULT", default).replace("FACTORY", factory)


@pytest.fixture
def package(tmp_path, capsys):
    """Write a project and check it; returns the exit code, what is broken and what is noted."""

    def check(code=YEARLY, project=PROJECT, test=TEST):
        folder = tmp_path / "project"
        (folder / "tests").mkdir(parents=True)
        (folder / "pyproject.toml").write_text(project)
        (folder / "pacsfw_yearly.py").write_text(code)
        (folder / "tests" / "test_yearly.py").write_text(test)
        return checked(str(folder), capsys)

    return check


def checked(what, capsys):
    code = main(["plugins", "check", what, "--json"])
    found = json.loads(capsys.readouterr().out)
    broken = [each["what"] for each in found if each["broken"]]
    return code, broken, [each["what"] for each in found if not each["broken"]]


def test_a_good_package_passes(package):
    assert package() == (0, [], [])


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise RuntimeError('no')", "'yearly' (pacsfw-yearly 1.0): import: RuntimeError: no"),
        ("import os\nos.abort()", "its import killed the process (SIGABRT)"),
        ("pacsfw_api = 99\n" + YEARLY, "it is written for contract 99"),
        (YEARLY.replace("pacsfw_layouts", "pacsfw_layuots"), "did you mean 'pacsfw_layouts'?"),
        (YEARLY.replace("Component.of(yearly)", "yearly"), "yields function, not Component"),
        (YEARLY.replace("of(yearly)", "of(yearly, name='STUDY')"), "the name of a bundled one"),
        (with_option("2", "yearly"), "the default of 'depth' differs"),
        (with_option("1", "lazy('no_such_module_at_all:x')"), "cannot be imported"),
        (with_option("1", "lazy('pacsfw_yearly:nothing')"), "does not exist"),
        (with_option("1", "yearly").replace('"integer"', '"nonsense"'), "its schema is broken"),
        (with_option("1", "yearly").replace("yearly(depth", "yearly(width"), "does not accept"),
        (
            YEARLY.replace("of(yearly)", "of(yearly)\n    yield Component(name='x', factory=list, "
                           "requires=('no_such_module',))"),
            "needs the module 'no_such_module'",
        ),
    ],
)  # fmt: skip
def test_a_fault_of_the_code_is_found(package, code, said):
    exit_code, broken, _ = package(code)

    assert exit_code == 1
    assert any(said in each for each in broken), broken


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"pacsfw>=0.1,<1"', "", "pacsfw-yearly does not require pacsfw"),
        ("pacsfw>=0.1,<1", "pacsfw>=7", "it needs pacsfw>=7"),
        ('yearly = "pacsfw_yearly"', "", "no entry point in the group 'pacsfw'"),
        ('"pacsfw_yearly"', '"pacsfw_yeerly"', "No module named 'pacsfw_yeerly'"),
    ],
)
def test_a_fault_of_the_metadata_is_found(package, old, new, said):
    code, broken, _ = package(project=PROJECT.replace(old, new))

    assert code == 1
    assert any(said in each for each in broken), broken


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<1", "<=9", None),
        (",<1", "", "requires any later pacsfw"),
        ('readme = "README.md"\n', "", "has no readme"),
        ('license = "MIT"\n', "", "has no licence"),
        ('classifiers = ["Programming Language :: Python :: 3"]\n', "", "has no classifiers"),
        ('description = "Folders by year"\n', "", "has no summary (description)"),
    ],
)
def test_what_could_be_better_is_noted(package, old, new, said):
    code, broken, notes = package(project=PROJECT.replace(old, new))

    assert (code, broken) == (0, [])
    assert len(notes) == (1 if said else 0)
    assert said is None or said in notes[0]


def test_tests_without_a_contract_are_noted(package):
    _, _, notes = package(test="def test_nothing(): ...\n")

    assert notes == ["no test of pacsfw-yearly uses a contract of pacsfw"]


def test_a_wheel_is_checked(tmp_path, capsys):
    path = tmp_path / "pacsfw_yearly-1.0-py3-none-any.whl"
    info = "pacsfw_yearly-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("pacsfw_yearly.py", YEARLY.replace("Component.of(yearly)", "yearly"))
        wheel.writestr(f"{info}/entry_points.txt", "[pacsfw]\nyearly = pacsfw_yearly\n")
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: pacsfw-yearly\nVersion: 1.0\n"
        )

    code, broken, notes = checked(str(path), capsys)

    assert code == 1
    assert len(broken) == 2
    assert "yields function, not Component" in broken[1]
    assert len(notes) == 4


def test_an_installed_package_is_checked(tmp_path):
    dists = Installed(tmp_path)
    dists.install("site_one", YEARLY, metadata="Requires-Dist: pacsfw>=0.1,<1\n")

    ran = dists.run("plugins", "check", "site-one")

    assert ran.returncode == 0, ran.stderr
    assert "site-one: 0 to fix, 4 to improve" in ran.stdout


def test_a_package_whose_plugins_are_switched_off_does_not_pass(tmp_path):
    dists = Installed(tmp_path)
    dists.install("site_one", YEARLY, metadata="Requires-Dist: pacsfw>=0.1,<1\n")

    ran = dists.run("--no-plugins", "plugins", "check", "site-one")

    assert ran.returncode == 1
    assert "no plugin of site-one was found" in ran.stdout


@pytest.mark.parametrize("what", ["no-such-package", "."])
def test_what_is_no_package_is_refused(what, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert main(["plugins", "check", what]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["layout", "sink", "command", "section", "secret"])
def test_a_scaffold_with_a_name_of_pacsfw_does_not_collide(kind, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    name = {"layout": "pacsfw-str", "command": "pacsfw-find", "section": "pacsfw-email"}.get(
        kind, "pacsfw-csv"
    )
    assert main(["plugins", "new", name, "--kind", kind]) == 0
    capsys.readouterr()

    code, broken, _ = checked(name, capsys)

    assert (code, broken) == (0, [])
