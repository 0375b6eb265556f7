"""A plugin that aborts, hangs, exits or prints at import is named, and costs only itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from support.dists import LAYOUT
from support.selection import quick

ONE = LAYOUT.format(name="one")
CONF = "storage: {resources: r.csv, directory: d, sort_by: one}\n"
FAULTS = {
    "aborts": ("import os\nos.abort()", "its import killed the process (SIGABRT)"),
    "segfaults": (
        "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
        "its import killed the process (SIGSEGV)",
    ),
    "leaves": ("import os\nos._exit(0)", "its import ended the process (exit code 0)"),
    "hangs": (
        "import threading\nthreading.Event().wait(600)",
        "its import takes longer than 3 s (PACSFW_IMPORT_SECONDS)",
    ),
    "exits": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "interrupts": ("raise KeyboardInterrupt", "KeyboardInterrupt: "),
    "asks": ("input('who are you? ')", "EOFError: EOF when reading a line"),
    "in-a-hook": (
        "from pacsfw import hookimpl\nimport os\n@hookimpl\ndef pacsfw_sinks():\n    os.abort()",
        "its import killed the process (SIGABRT)",
    ),
}
QUICK = {"PACSFW_IMPORT_SECONDS": "3"}


def listed(dists):
    ran = dists.run("plugins", "list", "--json", **QUICK)
    assert (ran.returncode, ran.stderr) == (0, "")
    return {(each["kind"], each["name"]): each["state"] for each in json.loads(ran.stdout)}


@pytest.mark.parametrize("name", quick(FAULTS, "aborts", "hangs", "exits"))
def test_it_is_named_and_costs_only_itself(dists, name):
    code, reason = FAULTS[name]
    dists.install("site_a", LAYOUT.format(name="before"))
    dists.install("site_bad", code)
    dists.install("site_one", ONE)

    entries = listed(dists)

    assert entries["plugin", "site_bad"] == f"broken: import: {reason}"
    assert entries["layout", "before"] == entries["layout", "one"] == "ok"
    assert entries["sink", "csv"] == "ok"
    dists.imports()
    ran = dists.run("config", "check", dists.configure(CONF))
    assert ran.returncode == 0, ran.stderr
    assert [each for each, _ in dists.imports()] == ["site_one"]


def test_several_of_them_are_all_named(dists):
    for name in ("aborts", "leaves", "exits"):
        dists.install(f"site_{name}", FAULTS[name][0])

    states = listed(dists)

    assert {name for kind, name in states if kind == "plugin"} == {
        "site_aborts", "site_leaves", "site_exits",
    }  # fmt: skip


def test_the_failure_is_remembered_and_the_doctor_tries_again(dists):
    dists.install("site_bad", "import os\nif 'MENDED' not in os.environ:\n    os.abort()\n" + ONE)
    assert ("plugin", "site_bad") in listed(dists)
    dists.imports()

    assert ("plugin", "site_bad") in listed(dists)
    assert dists.imports() == []
    sick = dists.run("plugins", "doctor")
    assert sick.returncode == 3
    assert "plugin 'site_bad' (site-bad 1.2): import: its import killed the process" in sick.stdout
    assert dists.run("plugins", "doctor", MENDED="1").returncode == 0
    assert listed(dists)["layout", "one"] == "ok"


@pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM"])
def test_a_process_that_is_ended_from_outside_is_not_remembered(dists, number):
    code = "import os, signal\nif 'KILL' in os.environ:\n    os.kill(os.getpid(), signal.{})\n"
    dists.install("site_one", code.format(number) + ONE)

    ran = dists.run("plugins", "list", "--json", KILL="1")

    states = {each["name"]: each["state"] for each in json.loads(ran.stdout)}
    reason = f"the process was ended from outside ({number})"
    assert states["site_one"] == f"broken: attempt: {reason}"
    assert listed(dists)["layout", "one"] == "ok"


def test_a_file_of_the_working_directory_is_not_imported(dists):
    dists.configure("raise RuntimeError('of the working directory')\n", "json.py")
    dists.install("site_one", ONE)
    program = "from pacsfw.plugins import *\nprint(discover(PluginPlan()).failures)"

    ran = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=dists.folder,
        env={**os.environ, **dists.variables},
        capture_output=True,
        text=True,
    )

    assert (ran.stdout, ran.stderr) == ("()\n", "")


@pytest.mark.parametrize(
    "printing",
    [
        pytest.param("print('hello')", marks=pytest.mark.full),
        pytest.param("import sys\nsys.stderr.write('hello')", marks=pytest.mark.full),
        pytest.param("import os\nos.write(1, b'hello')", marks=pytest.mark.full),
        "import subprocess\nsubprocess.run(['echo', 'hello'])",
    ],
    ids=["print", "stderr", "descriptor", "child"],
)
def test_what_is_printed_by_an_import_goes_nowhere_and_is_noted(dists, printing):
    dists.install("site_one", f"{printing}\n{ONE}")

    assert listed(dists)["layout", "one"] == "ok"
    schema = dists.run("config", "schema")
    assert json.loads(schema.stdout)
    told = dists.run("plugins", "doctor").stdout
    assert "note: plugin 'site_one' (site-one 1.2): it prints when it is imported" in told


def test_a_file_that_aborts_is_named_with_its_place_in_the_configuration(dists):
    dists.configure("import os\nos.abort()\n", "mine.py")
    path = dists.configure(CONF + "plugins: {load: [mine.py]}\n")

    ran = dists.run("config", "check", path)

    assert ran.returncode == 3
    assert f"{path}:2:18: plugins.load[0]: plugin 'mine'" in ran.stderr
    assert "its import killed the process (SIGABRT)" in ran.stderr
