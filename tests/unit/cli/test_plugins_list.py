"""``pacsfw plugins list`` with good, broken, clashing and disabled plugins installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

GOOD = """
    from pacsfw import Component, hookimpl

    def by_day(header):
        "One folder per day."
        return [header.StudyDate]

    @hookimpl
    def pacsfw_layouts():
        yield Component.of(by_day)
"""
BROKEN = "raise RuntimeError('the licence server is down')"
NEEDY = """
    from pacsfw import Component, hookimpl

    @hookimpl
    def pacsfw_sinks():
        yield Component(name="needy", factory=print, requires=("no_such_module[sql]",))
"""
SECTION = """
    from pacsfw import hookimpl
    from pacsfw.api import ConfigSection

    @hookimpl
    def pacsfw_config_sections():
        yield ConfigSection(key="lamp", schema={}, summary="who gets mail")
"""


@pytest.fixture
def installed(tmp_path):
    """Install a one-module distribution by laying down its metadata."""

    def install(distribution, module, code):
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(code))
        info = tmp_path / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n"
        )
        (info / "entry_points.txt").write_text(f"[pacsfw]\n{module} = {module}\n")

    return install


@pytest.fixture
def pacsfw(tmp_path):
    """Run the command line in a new process that sees what was installed."""

    def run(*args, **variables):
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        return subprocess.run(
            [sys.executable, "-m", "pacsfw", *args],
            env={**os.environ, "PYTHONPATH": path, **variables},
            capture_output=True,
            text=True,
            check=True,
        )

    return run


@pytest.fixture
def listed(pacsfw):
    """Return the JSON list as a mapping of (kind, name) to the entries of that name."""

    def run(**variables):
        entries = {}
        for entry in json.loads(pacsfw("plugins", "list", "--json", **variables).stdout):
            entries.setdefault((entry["kind"], entry["name"]), []).append(entry)
        return entries

    return run


def test_the_bundled_components_are_listed_with_their_owner(listed):
    [entry] = listed()["sink", "csv"]
    assert (entry["state"], entry["distribution"]) == ("ok", "pacsfw")
    assert entry["summary"]
    assert entry["version"]


def test_a_plugin_of_somebody_else_is_listed_the_same_way(installed, listed):
    installed("site-layouts", "site_layouts", GOOD)
    assert listed()["layout", "by_day"] == [
        {
            "kind": "layout",
            "name": "by_day",
            "state": "ok",
            "summary": "One folder per day.",
            "distribution": "site-layouts",
            "version": "1.2",
        }
    ]


def test_a_broken_plugin_is_listed_with_the_reason_and_costs_nobody_else(installed, listed):
    installed("site-broken", "site_broken", BROKEN)
    entries = listed()
    [entry] = entries["plugin", "site_broken"]
    assert entry["state"] == "broken: import: RuntimeError: the licence server is down"
    assert entries["sink", "csv"][0]["state"] == "ok"


def test_two_owners_of_one_name_are_a_conflict(installed, listed):
    installed("site-one", "site_one", GOOD)
    installed("site-two", "site_two", GOOD)
    entries = listed()["layout", "by_day"]
    assert [(entry["distribution"], entry["state"]) for entry in entries] == [
        ("site-one", "conflict"),
        ("site-two", "conflict"),
    ]


def test_a_disabled_plugin_is_listed_as_such(installed, listed):
    installed("site-layouts", "site_layouts", GOOD)
    entries = listed(PACSFW_DISABLE_PLUGINS="site-layouts")
    [entry] = entries["plugin", "site_layouts"]
    assert (entry["state"], entry["distribution"]) == ("disabled", "site-layouts")
    assert ("layout", "by_day") not in entries


def test_a_component_whose_module_is_missing_says_what_to_install(installed, listed):
    installed("site-sql", "site_sql", NEEDY)
    [entry] = listed()["sink", "needy"]
    assert entry["state"].startswith("broken: ")
    assert "pip install 'site-sql[sql]'" in entry["state"]


def test_configuration_sections_are_listed(installed, listed):
    installed("site-mail", "site_mail", SECTION)
    [entry] = listed()["section", "lamp"]
    assert (entry["state"], entry["summary"]) == ("ok", "who gets mail")


def test_the_text_has_one_line_for_each_entry(installed, pacsfw, listed):
    installed("site-broken", "site_broken", BROKEN)
    header, *lines = pacsfw("plugins", "list").stdout.splitlines()
    assert header.split("  ")[0] == "kind"
    assert len(lines) == sum(map(len, listed().values()))
    [line] = [line for line in lines if "site_broken" in line]
    assert "the licence server is down" in line


def test_listing_needs_neither_pydicom_nor_pynetdicom():
    code = textwrap.dedent("""
        import sys
        from pacsfw.cli import main
        code = main(["plugins", "list"])
        print(code, "pydicom" in sys.modules, "pynetdicom" in sys.modules)
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False False"
