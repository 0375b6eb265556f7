"""Plugins are imported when they are used, and not before."""

from __future__ import annotations

import json

import pytest

from support.dists import CALLBACK, LAYOUT

MANY = """
from pacsfw import Component, hookimpl
from pacsfw.api import ConfigSection
from pacsfw.errors import ConfigError
import click

pacsfw_secret_schemes = ("vault",)

@click.command("greet", short_help="Say hello.")
def greet():
    click.echo("hello")

@hookimpl
def pacsfw_subcommands():
    yield greet

@hookimpl
def pacsfw_resolve_secret(scheme, reference):
    return reference[::-1]

@hookimpl
def pacsfw_config_sections():
    yield ConfigSection(key="lamp", schema={"type": "object"}, summary="a lamp")
"""
CONF = "storage: {resources: r.csv, directory: d, sort_by: %s}\n"


@pytest.fixture
def several(dists):
    """Four plugins, of which the index knows."""
    dists.install("site_one", LAYOUT.format(name="one"))
    dists.install("site_two", LAYOUT.format(name="two"))
    dists.install("site_loud", CALLBACK.format(name="loud"))
    dists.install("site_many", MANY)
    assert dists.run("plugins", "list").returncode == 0
    assert {name for name, _ in dists.imports()} == {
        "site_one", "site_two", "site_loud", "site_many",
    }  # fmt: skip
    return dists


@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["plugins", "list", "--json"],
        ["plugins", "show", "one"],
        ["config", "schema"],
        ["nothing-of-this-name"],
    ],
)
def test_what_only_lists_imports_nothing(several, command):
    several.run(*command)

    assert several.imports() == []


TAG = "tags: [{tag_name: PatientID, %s}]\n"


@pytest.mark.parametrize(
    ("text", "used"),
    [
        (CONF % "one", {"site_one"}),
        (CONF % "PATIENT", set()),
        (CONF % "one" + TAG % "callback: loud", {"site_one", "site_loud"}),
        (CONF % "PATIENT" + TAG % "default_val: '${vault:x}'", {"site_many"}),
        (CONF % "PATIENT" + "lamp: {}\n", {"site_many"}),
        (CONF % "PATIENT" + TAG % "default_val: '${env:HOME}'", set()),
    ],
    ids=["layout", "nothing", "callback", "secret", "section", "bundled-secret"],
)
def test_a_configuration_imports_what_it_names(several, text, used):
    ran = several.run("config", "check", several.configure(text))

    assert ran.returncode == 0, ran.stderr
    assert {name for name, _ in several.imports()} == used


def test_a_command_of_a_plugin_imports_that_plugin(several):
    assert several.run("greet").stdout == "hello\n"

    assert [name for name, _ in several.imports()] == ["site_many"]


@pytest.mark.timeout(300)
def test_a_run_imports_only_what_it_uses_once_in_each_process(
    several, pacsfw_run, pacsfw_port, embedded_pacs, sample_studies, monkeypatch
):
    for name, value in several.variables.items():
        monkeypatch.setenv(name, value)

    ran = pacsfw_run(
        embedded_pacs(sample_studies, destinations={"PACSFW": ("127.0.0.1", pacsfw_port)}),
        storage={"sort_by": "two"},
        tags=[{"tag_name": "SOPInstanceUID"}, {"tag_name": "PatientID", "callback": "loud"}],
        convert=["jsonmeta"],
    )

    assert ran.code == 0, ran.said
    imported = several.imports()
    assert len(imported) == len(set(imported))
    assert {name for name, _ in imported} == {"site_two", "site_loud"}


def test_a_function_of_a_loaded_file_is_found_by_its_module(several):
    several.configure("def loud(value):\n    return str(value)\n", "callbacks_of_mine.py")
    text = CONF % "PATIENT" + TAG % "callback: 'callbacks_of_mine:loud'"
    text += "plugins: {load: [callbacks_of_mine.py]}\n"

    ran = several.run("config", "check", several.configure(text), cwd=several.site)

    assert ran.returncode == 0, ran.stderr
    assert several.imports() == []


def test_imports_are_traced(several):
    traced = several.run(
        "config", "check", several.configure(CONF % "one"), PACSFW_TRACE_HOOKS="1"
    ).stderr

    assert "import site-one/site_one returned after" in traced
    assert "site-two" not in traced


def test_a_plugin_that_is_described_for_the_first_time_is_traced(dists):
    dists.install("site_one", LAYOUT.format(name="one"))

    listed = dists.run("plugins", "list", "--json", PACSFW_TRACE_HOOKS="1")

    assert "index site-one/site_one: import took" in listed.stderr
    assert json.loads(listed.stdout)


def test_what_a_used_plugin_prints_does_not_get_into_the_output(dists):
    dists.install("site_one", "print('import')\n" + LAYOUT.format(name="one"))
    path = dists.configure(CONF % "one")

    shown = dists.run("config", "show", path)

    assert shown.returncode == 0
    assert shown.stdout.startswith("storage:")
    assert shown.stderr == "import\n"
