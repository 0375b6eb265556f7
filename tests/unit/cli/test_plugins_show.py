"""``pacsfw plugins show``, and hints for what is not found."""

from __future__ import annotations

import json

import pytest

from support.dists import Installed
from support.selection import quick

ALL = """
import click
from pacsfw import Component, hookimpl
from pacsfw.api import ConfigSection

pacsfw_secret_schemes = ("vault",)

@click.command("greet", short_help="Say hello.")
def greet():
    click.echo("hello")

@hookimpl
def pacsfw_subcommands():
    yield greet

@hookimpl
def pacsfw_resolve_secret(scheme, reference):
    return None

@hookimpl
def pacsfw_config_sections():
    options = {"watts": {"type": "integer", "default": 60}}
    yield ConfigSection(key="lamp", schema={"properties": options}, summary="a lamp")

@hookimpl
def pacsfw_layouts():
    yield Component(name="lit", factory=list, summary="with light")
"""


@pytest.fixture
def dists(tmp_path):
    found = Installed(tmp_path)
    found.install("site_all", ALL)
    return found


@pytest.mark.parametrize(
    ("name", "said"),
    quick(
        [
            ("lit", ["layout lit: with light", "from site-all 1.2, plugin site_all"]),
            ("site-all/lit", ["layout lit: with light"]),
            ("lamp", ["section lamp: a lamp", "from site-all 1.2", "watts (integer, default 60)"]),
            ("greet", ["command greet: Say hello.", "pacsfw greet --help"]),
            ("vault", ["secret vault: values for ${vault:reference}", "from site-all 1.2"]),
            ("keyring", ["secret keyring: values for ${keyring:reference}", "from pacsfw"]),
            ("site_all", ["plugin site_all: layout lit"]),
            (
                "site-all",
                [
                    "package site-all: 4 in `pacsfw plugins list`",
                    "section lamp: ok",
                    "layout lit: ok",
                ],
            ),
        ],
        "site-all/lit",
        "lamp",
        "vault",
        "site-all",
    ),
)
def test_everything_with_a_name_is_shown(dists, name, said):
    shown = dists.run("plugins", "show", name)

    assert shown.returncode == 0, shown.stderr
    for each in said:
        assert each in shown.stdout
    assert json.loads(dists.run("plugins", "show", name, "--json").stdout)


def test_a_kind_chooses(dists):
    (shown,) = json.loads(
        dists.run("plugins", "show", "email", "--kind", "section", "--json").stdout
    )

    assert shown["kind"] == "section"
    assert "unknown kind 'lamp'" in dists.run("plugins", "show", "x", "--kind", "lamp").stderr


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        (["plugins", "show", "lampe"], "did you mean 'lamp'?"),
        (["greeet"], "did you mean 'greet'?"),
        (["verfiy"], "did you mean 'verify'?"),
        (["--no-plugins", "greet"], "plugins are switched off (--no-plugins)"),
        (["--no-plugins", "plugins", "show", "lamp"], "plugins are switched off (--no-plugins)"),
        (
            ["--no-plugins", "config", "check", "conf.yaml"],
            "lamp: a plugin may own it, but plugins are switched off (--no-plugins)",
        ),
    ],
)
def test_what_is_not_found_gets_a_hint(dists, command, hint):
    dists.configure("lamp: {watts: 3}\n")

    ran = dists.run(*command)

    assert ran.returncode in (2, 3)
    assert hint in ran.stderr
