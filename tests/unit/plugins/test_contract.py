"""The version of the contract, requirements, marks of hooks, and hooks that are deprecated."""

from __future__ import annotations

import textwrap
from types import SimpleNamespace

import pytest

from pacsfw import hookspecs
from pacsfw.api import API_VERSION
from pacsfw.config import load
from pacsfw.errors import ConfigError, PluginError
from pacsfw.plugins import HOOKS, PluginPlan, discover, registry_of
from pacsfw.plugins.discovery import Candidate
from pacsfw.plugins.registry import KINDS
from support.dists import LAYOUT

ONE = LAYOUT.format(name="one")
HEAD = "from pacsfw import Component, hookimpl\n"


def loaded(*codes: str):
    """Return a registry of plugins with this code, loaded in this process."""
    found = []
    for number, code in enumerate(codes):
        module = SimpleNamespace()
        exec(HEAD + textwrap.dedent(code), vars(module))
        found.append(Candidate(f"p{number}", "site", "1.0", lambda module=module: module))
    return registry_of(*found)


def test_every_hook_of_components_has_a_kind():
    assert sorted(HOOKS.values()) == sorted(KINDS)


def test_a_plugin_for_this_contract_is_used():
    assert loaded(f"pacsfw_api = {API_VERSION}\n{ONE}").select("layout", "one")


def test_a_plugin_for_a_later_contract_is_refused_with_what_to_do():
    (failure,) = loaded(f"pacsfw_api = {API_VERSION + 1}\n{ONE}").failures

    assert failure.stage == "register"
    assert "it is written for contract 2 (pacsfw_api), and pacsfw 0.1.0 has contract 1" in str(
        failure
    )
    assert "pip install --upgrade pacsfw" in str(failure)


@pytest.mark.parametrize("wrong", ["'1'", "0", "True", "1.5", "None"])
def test_a_contract_that_is_no_number_is_refused(wrong):
    (failure,) = loaded(f"pacsfw_api = {wrong}\n{ONE}").failures

    assert "pacsfw_api is not the number of a contract" in failure.error


def test_a_package_that_needs_a_later_pacsfw_is_refused_before_it_is_imported(dists):
    dists.install("site_late", ONE, metadata="Requires-Dist: pacsfw>=7\n")

    ran = dists.run("plugins", "doctor")

    assert ran.returncode == 3
    assert "plugin 'site_late' (site-late 1.2): requirements: it needs pacsfw>=7" in ran.stdout
    assert "upgrade pacsfw (pip install --upgrade 'pacsfw>=7')" in ran.stdout
    assert dists.imports() == []


@pytest.mark.parametrize(
    "requires",
    ["pacsfw>=0.1,<1", "pacsfw[testing]>=0.1", "pacsfw>=7; python_version < '3'", "nonsense >=>"],
)
def test_a_requirement_that_is_met_or_not_for_here_refuses_nothing(dists, requires):
    dists.install("site_one", ONE, metadata=f"Requires-Dist: {requires}\n")

    ran = dists.run("plugins", "doctor")

    assert ran.returncode == 0, ran.stdout
    assert "no problems found" in ran.stdout


def test_the_doctor_says_what_to_install(dists):
    metadata = "Requires-Dist: no-such-package>=2\nRequires-Dist: click<1\n"
    dists.install("site_works", ONE, metadata=metadata)
    dists.install("site_fails", "import no_such_module", metadata=metadata)

    told = dists.run("plugins", "doctor").stdout

    assert "note: site-works requires no-such-package>=2, which is not installed; click<1" in told
    assert "pip install 'no-such-package>=2' 'click<1'" in told
    assert (
        "install what it requires (pip install 'no-such-package>=2' 'click<1'), or disable" in told
    )


def test_the_name_of_a_module_is_never_advice_for_pip(dists):
    """Anyone may have published a package with that name."""
    dists.install("site_fails", "import secret_local_module")
    dists.configure("import helper_of_mine\n", "mine.py")
    path = dists.configure("plugins: {load: [mine.py]}\n")

    told = dists.run("plugins", "doctor", "-f", path).stdout

    assert "the module 'secret_local_module' is missing" in told
    assert "the module 'helper_of_mine' is missing" in told
    assert "pip install" not in told


def test_a_file_may_import_the_file_next_to_it(dists):
    dists.configure("def name():\n    return 'beside'\n", "helper_of_mine.py")
    dists.configure(
        "import helper_of_mine\n" + ONE.replace("of(one)", "of(one, name=helper_of_mine.name())"),
        "mine.py",
    )
    conf = "storage: {resources: r.csv, directory: d, sort_by: beside}\nplugins: {load: [mine.py]}"

    ran = dists.run("config", "check", dists.configure(conf))

    assert ran.returncode == 0, ran.stderr


def test_a_file_next_to_a_plugin_hides_no_installed_module(dists):
    dists.configure("raise RuntimeError('hidden')\n", "click.py")
    dists.configure("import click\nclick.Command\n" + ONE, "mine.py")
    conf = "storage: {resources: r.csv, directory: d, sort_by: one}\nplugins: {load: [mine.py]}"
    elsewhere = dists.folder / "elsewhere"
    elsewhere.mkdir()
    dists.configure(conf)

    ran = dists.run("config", "check", "../conf.yaml", cwd=elsewhere)

    assert ran.returncode == 0, ran.stderr


def test_nothing_is_imported_from_a_folder_in_which_others_may_write(dists):
    folder = dists.folder / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    dists.configure("", "shared/helper_of_mine.py")
    dists.configure("import helper_of_mine\n" + ONE, "shared/mine.py")

    told = dists.run(
        "plugins", "doctor", "-f", dists.configure("plugins: {load: [shared/mine.py]}\n")
    ).stdout

    assert f"others can modify {folder}, so no file is imported from it" in told


def test_an_optional_hook_of_a_later_pacsfw_is_accepted_and_noted():
    registry = loaded(
        ONE + "@hookimpl(optionalhook=True)\ndef pacsfw_later_things(anything):\n    yield 1\n"
    )

    assert registry.failures == ()
    assert registry.select("layout", "one")
    (plugin,) = registry.plugins
    assert plugin.notes == (
        "its optional hook 'pacsfw_later_things' is not used: pacsfw 0.1.0 does not have it",
    )


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("@hookimpl\ndef pacsfw_layuots(): ...", "is not a hook of pacsfw (did you mean"),
        ("@hookimpl\ndef layouts(): ...", "'layouts' is not a hook of pacsfw"),
        ("@hookimpl(specname='pacsfw_layuots')\ndef layouts(): ...", "is not a hook of pacsfw"),
        ("@hookimpl(wrapper=True)\ndef pacsfw_layouts():\n    return (yield)", "hook wrapper"),
        ("@hookimpl(hookwrapper=True)\ndef pacsfw_layouts():\n    yield", "hook wrapper"),
        ("@hookimpl(tryfirst=True)\ndef pacsfw_layouts(): ...", "but no order"),
        ("@hookimpl(trylast=True)\ndef pacsfw_sinks(): ...", "but no order"),
        ("pacsfw_secret_schemes = 'vault'", "pacsfw_secret_schemes is not a tuple of texts"),
    ],
)
def test_a_mark_that_pacsfw_cannot_honour_is_refused_with_the_reason(code, reason):
    (failure,) = loaded(code).failures

    assert failure.stage == "register"
    assert reason in failure.error


def test_a_hook_may_have_another_name_for_its_function():
    registry = loaded(
        "@hookimpl(specname='pacsfw_layouts')\n"
        "def offered():\n    yield Component(name='one', factory=list)\n"
    )

    assert registry.select("layout", "one")


def secret(value: str, mark: str = "", schemes: str = "") -> str:
    return (
        f"@hookimpl({mark})\ndef pacsfw_resolve_secret(scheme, reference):\n    return {value}\n"
        + (f"pacsfw_secret_schemes = {schemes}\n" if schemes else "")
    )


def test_the_order_of_hooks_that_have_one():
    registry = loaded(
        secret("'last'", "trylast=True"), secret("'plain'"), secret("'first'", "tryfirst=True")
    )
    assert registry.resolve_secret("vault", "x") == "first"

    registry = loaded(secret("'last'", "trylast=True"), secret("'plain'"), secret("None"))
    assert registry.resolve_secret("vault", "x") == "plain"


def test_a_plugin_is_asked_only_for_the_schemes_that_it_declares():
    registry = loaded(secret("1 / 0", schemes="('other',)"), secret("'mine'", schemes="['vault']"))

    assert registry.resolve_secret("vault", "x") == "mine"
    with pytest.raises(PluginError, match="ZeroDivisionError"):
        registry.resolve_secret("other", "x")


@pytest.fixture
def deprecated(monkeypatch):
    """A pacsfw that will drop layouts, and an argument of the hook of secrets."""

    def pacsfw_layouts():
        """Offer layouts."""

    def pacsfw_resolve_secret(scheme, reference):
        """Resolve secrets."""

    for specification, warnings in (
        (pacsfw_layouts, {"warn_on_impl": DeprecationWarning("pacsfw_layouts ends with 0.3")}),
        (
            pacsfw_resolve_secret,
            {"warn_on_impl_args": {"reference": DeprecationWarning("reference ends with 0.3")}},
        ),
    ):
        marked = hookspecs.hookspec(**warnings)(specification)
        monkeypatch.setattr(hookspecs, specification.__name__, marked)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (ONE, "pacsfw_layouts ends with 0.3"),
        (secret("'x'"), "reference ends with 0.3"),
        ("@hookimpl\ndef pacsfw_resolve_secret(scheme):\n    return 'x'\n", None),
    ],
    ids=["hook", "argument", "without-it"],
)
def test_a_deprecated_hook_works_and_its_owner_is_told(deprecated, code, said, tmp_path):
    registry = loaded(code)

    assert registry.failures == ()
    (plugin,) = registry.plugins
    assert plugin.deprecated == ((said,) if said else ())
    path = tmp_path / "conf.yaml"
    path.write_text("storage: {resources: r.csv, directory: d}\n")
    path.chmod(0o600)
    bundled = discover(PluginPlan(installed=False))
    registry = type(registry)(bundled.offers(), plugins=registry.plugins)
    warnings = load(path, lambda plan: registry).config.warnings
    assert list(warnings) == ([f"plugin 'p0' (site 1.0): {said}"] if said else [])


def test_a_hook_that_refuses_the_configuration_is_called_in_its_order():
    def refusing(text, mark=""):
        return (
            "from pacsfw.errors import ConfigError\n"
            f"@hookimpl({mark})\ndef pacsfw_config_loaded(config):\n"
            f"    raise ConfigError('{text}')\n"
        )

    registry = loaded(refusing("plain"), refusing("first", "tryfirst=True"))

    with pytest.raises(ConfigError, match="first"):
        registry.config_loaded({})


def test_a_hook_that_changes_the_configuration_changes_its_own_copy():
    registry = loaded("@hookimpl\ndef pacsfw_config_loaded(config):\n    config['a'].append(2)\n")
    config = {"a": [1]}

    registry.config_loaded(config)

    assert config == {"a": [1]}


def test_a_hook_that_fails_is_named_without_the_text_of_its_exception():
    registry = loaded("@hookimpl\ndef pacsfw_config_loaded(config):\n    exit('sesame')\n")

    with pytest.raises(PluginError) as failed:
        registry.config_loaded({})

    assert "plugin 'p0' (site 1.0): pacsfw_config_loaded: tried to exit" in str(failed.value)
    assert "sesame" not in str(failed.value)
