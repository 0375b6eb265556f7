"""Loading plugins, with fake distributions that are checked in under tests/data/dists."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from pacsfw.api import QueryProvider, Transfer
from pacsfw.cli import main
from pacsfw.cli.plugins_show import render
from pacsfw.errors import ComponentConflict, ConfigError, PluginError, UnknownComponent
from pacsfw.plugins import PluginPlan, discover
from pacsfw.plugins.discovery import DISABLE_VARIABLE

DISTS = Path(__file__).parents[2] / "data" / "dists"


@pytest.fixture
def installed(monkeypatch):
    """Make fake distributions visible as if they were installed."""

    def install(*names: str) -> None:
        for name in names:
            monkeypatch.syspath_prepend(str(DISTS / name))
        importlib.invalidate_caches()

    before = set(sys.modules)
    yield install
    for name in set(sys.modules) - before:
        if name.startswith("site_"):
            del sys.modules[name]


def test_bundled_components_come_through_entry_points():
    registry = discover(PluginPlan())

    assert registry.failures == ()
    assert {offer.component.name for offer in registry.offers("layout")} >= {"PATIENT", "template"}
    offer = registry.select("layout", "PATIENT")
    assert (offer.plugin, offer.distribution) == ("layouts", "pacsfw")


@pytest.mark.parametrize(
    ("kind", "name", "base"),
    [
        ("query", "cfind", QueryProvider),
        ("transfer", "cmove", Transfer),
    ],
)
def test_bundled_components_keep_their_contract(kind, name, base):
    assert isinstance(discover(PluginPlan()).build(kind, name, {}), base)


def test_a_third_party_layout_is_found_with_its_owner(installed):
    installed("good")

    offer = discover(PluginPlan()).select("layout", "by-year")

    assert offer.owner == "site-good 1.0"
    assert offer.component.summary == "One folder per study year."


def test_third_parties_are_left_out_on_request(installed):
    installed("good")

    registry = discover(PluginPlan(installed=False))

    with pytest.raises(UnknownComponent, match="no layout is named 'by-year'"):
        registry.select("layout", "by-year")
    assert registry.select("layout", "PATIENT")


@pytest.mark.parametrize("name", ["good", "site-good", "site-good/good"])
def test_a_plugin_is_disabled_by_any_of_its_names(installed, name):
    installed("good")

    registry = discover(PluginPlan(disable=(name,)))

    assert registry.disabled == ("site-good/good",)


def test_a_plugin_is_disabled_by_the_environment(installed, monkeypatch):
    installed("good")
    monkeypatch.setenv(DISABLE_VARIABLE, "site-good, other")

    assert discover(PluginPlan()).disabled == ("site-good/good",)


def test_a_bundled_plugin_is_disabled_by_its_full_name_only():
    assert discover(PluginPlan(disable=("layouts", "pacsfw"))).disabled == ()
    assert discover(PluginPlan(disable=("pacsfw/layouts",))).disabled == ("pacsfw/layouts",)


@pytest.mark.parametrize(
    ("name", "stage", "error"),
    [
        (
            "importerror",
            "import",
            "ModuleNotFoundError: No module named 'a_module_that_does_not_exist'",
        ),
        ("systemexit", "import", "SystemExit: 3"),
        (
            "misspelt",
            "register",
            "'pacsfw_layout' is not a hook of pacsfw (did you mean 'pacsfw_layouts'?)",
        ),
        ("undecorated", "register", "'pacsfw_layouts' lacks the @hookimpl decorator"),
        ("arguments", "register", "config"),
        ("late", "pacsfw_layouts", "RuntimeError: after the first"),
        ("wrongtype", "pacsfw_layouts", "TypeError: yields function, not Component"),
    ],
)
def test_a_broken_plugin_costs_itself_only(installed, name, stage, error):
    installed("good", name)

    registry = discover(PluginPlan())

    (failure,) = registry.failures
    assert (failure.plugin, failure.distribution, failure.version) == (name, f"site-{name}", "1.0")
    assert failure.stage == stage
    assert error in failure.error
    assert "Traceback" in failure.traceback
    assert registry.select("layout", "by-year")


def test_selecting_what_nobody_offers_quotes_the_plugins_that_failed(installed):
    installed("importerror")

    with pytest.raises(UnknownComponent, match="not loaded: plugin 'importerror'"):
        discover(PluginPlan()).select("layout", "by-month")


def test_a_name_offered_twice_is_an_error_only_when_selected(installed):
    installed("good", "twin")

    registry = discover(PluginPlan())

    assert registry.select("layout", "PATIENT")
    assert registry.select("layout", "site-twin/by-year").distribution == "site-twin"
    with pytest.raises(ComponentConflict, match="use 'site-good/by-year' or 'site-twin/by-year'"):
        registry.select("layout", "by-year")


def test_unknown_names_get_a_suggestion():
    with pytest.raises(UnknownComponent, match=r"did you mean 'PATIENT'\?"):
        discover(PluginPlan()).select("layout", "patient")


def test_a_plugin_folder_is_read_without_touching_the_rest_of_the_path():
    registry = discover(PluginPlan(load=(DISTS / "good",)))

    assert registry.select("layout", "by-year").owner == "site_good 1.0"


def test_an_empty_plugin_folder_is_a_failure(tmp_path):
    (failure,) = discover(PluginPlan(load=(tmp_path,))).failures

    assert "no installed plugin" in failure.error


def test_a_one_file_plugin_offers_and_is_importable_by_name(tmp_path, monkeypatch):
    plugin = tmp_path / "one_file_plugin.py"
    plugin.write_text(
        "from pacsfw import Component, hookimpl\n"
        "def shout(value) -> str:\n    return str(value).upper()\n"
        "@hookimpl\ndef pacsfw_tag_callbacks():\n    yield Component.of(shout)\n"
    )
    monkeypatch.delitem(sys.modules, "one_file_plugin", raising=False)

    registry = discover(PluginPlan(load=(plugin,)))

    assert registry.build("callback", "shout", {})("abc") == "ABC"
    assert registry.build("callback", "one_file_plugin:shout", {})("abc") == "ABC"
    monkeypatch.delitem(sys.modules, "one_file_plugin")


def test_a_one_file_plugin_may_not_shadow_a_module(tmp_path):
    plugin = tmp_path / "json.py"
    plugin.write_text("")

    (failure,) = discover(PluginPlan(load=(plugin,))).failures

    assert "a module named 'json' is already loaded" in failure.error


def test_documented_names_of_the_predecessor_resolve():
    callback = discover(PluginPlan()).build("callback", "pacsanini.convert:str2datetime", {})

    assert callback("20200131").year == 2020


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere_at_all:x", "cannot be imported"),
        ("pacsfw.convert:nothing", "does not exist"),
        ("./file.py:x", "is not of the form module:attribute"),
        ("pacsfw.convert:__doc__", "is not callable"),
    ],
)
def test_references_that_cannot_work_say_why(name, message):
    with pytest.raises(PluginError, match=message):
        discover(PluginPlan()).build("callback", name, {})


def test_a_factory_that_refuses_its_options_is_a_configuration_error():
    with pytest.raises(ConfigError, match=r"layout 'template' \(from pacsfw 0.1.0\)"):
        discover(PluginPlan()).build("layout", "template", {"pattern": "{NoSuchKeyword}"})


def test_a_component_whose_module_is_missing_says_what_to_install(installed):
    installed("needy")

    with pytest.raises(PluginError, match=r"needs the module 'a_missing_module'.*site-needy\[sort"):
        discover(PluginPlan()).select("layout", "needy")


def test_a_plugin_adds_a_command(installed, capsys):
    installed("commands")

    assert main(["greet"]) == 0
    assert capsys.readouterr().out == "hello\n"
    assert main(["--help"]) == 0
    assert ["greet", "Say", "hello."] in map(str.split, capsys.readouterr().out.splitlines())


def test_a_plugin_resolves_secrets(installed):
    installed("commands")
    registry = discover(PluginPlan())

    assert registry.resolve_secret("backwards", "abc") == "cba"
    assert registry.resolve_secret("vault", "abc") is None
    assert discover(PluginPlan(installed=False)).resolve_secret("backwards", "abc") is None


def test_a_plugin_may_refuse_a_configuration(installed):
    installed("commands")
    registry = discover(PluginPlan())

    registry.config_loaded({})
    with pytest.raises(ConfigError, match="not today"):
        registry.config_loaded({"refuse": True})
    with pytest.raises(PluginError, match="pacsfw_config_loaded: KeyError"):
        registry.config_loaded({"break": True})


def test_nothing_of_anybody_else_is_loaded_without_plugins(installed, capsys):
    installed("good", "commands")

    assert main(["--no-plugins", "plugins", "show", "by-year"]) == 3
    assert "no component is named 'by-year'" in capsys.readouterr().err
    assert main(["--no-plugins", "greet"]) == 2
    assert main(["--no-plugins", "plugins", "show", "PATIENT"]) == 0
    # The next command of this process is not affected.
    assert main(["plugins", "show", "by-year"]) == 0


def test_without_plugins_a_configuration_that_needs_one_says_so(installed, tmp_path, capsys):
    installed("good")
    path = tmp_path / "conf.yaml"
    path.write_text("storage: {resources: r.csv, directory: d, sort_by: by-year}\n")
    path.chmod(0o600)

    assert main(["config", "check", str(path)]) == 0
    assert main(["--no-plugins", "config", "check", str(path)]) == 3
    assert "plugins are switched off (--no-plugins)" in capsys.readouterr().err


def test_a_disabled_plugin_adds_no_command(installed, monkeypatch, capsys):
    installed("commands")
    monkeypatch.setenv(DISABLE_VARIABLE, "site-commands")

    assert main(["greet"]) == 2
    assert main(["--help"]) == 0
    assert "Say hello" not in capsys.readouterr().out


def test_calls_of_hooks_are_traced_on_request_without_their_arguments(
    installed, monkeypatch, capsys
):
    installed("good", "commands")
    registry = discover(PluginPlan())
    monkeypatch.setenv("PACSFW_TRACE_HOOKS", "1")

    registry.resolve_secret("backwards", "sesame")
    registry.select("layout", "by-year")

    traced = capsys.readouterr().err
    assert "import site-good/good returned after" in traced
    assert "hook pacsfw_resolve_secret: site-commands/commands returned after" in traced
    assert "hook pacsfw_layouts: site-good/good returned after" in traced
    assert "sesame" not in traced


@pytest.mark.parametrize("kind", ["query", "transfer", "layout", "callback", "sink", "observer"])
def test_every_component_is_shown_with_an_example_that_works(kind, tmp_path, capsys):
    for offer in discover(PluginPlan(installed=False)).offers(kind):
        shown = render(offer)
        assert offer.component.name in shown.text()
        assert all(option.description for option in shown.options), offer.component.name
        tree = yaml.safe_load(shown.example)
        assert isinstance(tree, dict)
        section = next(iter(tree.values()))
        use = section[0] if isinstance(section, list) else section
        use = use.get("sort_by") or use.get("callback") or use
        options = use.get("with", {})
        assert Draft202012Validator(offer.component.schema).is_valid(options), shown.example


def test_the_command_line_starts_without_pydicom():
    code = (
        "import sys; from pacsfw.cli import main; main(['--help']); main(['plugins', 'list']);"
        "sys.exit(any(name in sys.modules for name in ('pydicom', 'pynetdicom')))"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
