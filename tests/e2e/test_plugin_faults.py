"""What plugins do wrong, from their import to their work: the message, the exit code, the cost.

Each fault is a fake distribution under tests/data/dists. Nobody else may suffer from it, the
message names plugin, distribution and version, and ``plugins doctor`` explains it.
"""

from __future__ import annotations

import importlib
import json
import sys
from functools import partial
from pathlib import Path

import pytest

from pacsfw.cli import main, plugins_doctor
from pacsfw.collection import session as conductor
from pacsfw.steps.run import Timing
from pacsfw.testing import make_studies
from support.selection import quick

DISTS = Path(__file__).parents[1] / "data" / "dists"
SORT = "storage: {{resources: r.jsonl, directory: d, sort_by: {}}}"
BY_YEAR = SORT.format("by-year")


def forget_plugins() -> None:
    """Let the next command import them anew, as another process would."""
    for name in [name for name in sys.modules if name.startswith("site_")]:
        del sys.modules[name]


@pytest.fixture
def installed(monkeypatch):
    """Make fake distributions visible as if they were installed."""
    monkeypatch.setattr(plugins_doctor, "SLOW_SECONDS", 0.09)

    def install(*names: str) -> None:
        for name in names:
            monkeypatch.syspath_prepend(str(DISTS / name))
        importlib.invalidate_caches()

    yield install
    forget_plugins()


@pytest.fixture
def check(tmp_path, capsys):
    """Check a configuration; returns the exit code and what was said."""

    def run(text: str, *command: str) -> tuple[int, str]:
        forget_plugins()
        path = tmp_path / "conf.yaml"
        path.write_text(text + "\n")
        path.chmod(0o600)
        code = main([*(command or ("config", "check")), *([] if command else [str(path)])])
        out, err = capsys.readouterr()
        return code, out + err

    return run


def failed(name, what):
    return f"not loaded: plugin '{name}' (site-{name} 1.0): {what}"


LEFT_OUT = "is skipped, the rest of the plugin works: contact its author"

LOADING = [
    # distribution, configuration, exit code, what is said, what the doctor says
    ("importerror", SORT.format("x"), 3, failed("importerror", "import: ModuleNotFoundError"),
     "the module 'a_module_that_does_not_exist' is missing: its author says which package has it"),
    ("systemexit", SORT.format("x"), 3, failed("systemexit", "import: SystemExit: 3"),
     "it cannot be imported: install another version"),
    ("misspelt", SORT.format("x"), 3, "(did you mean 'pacsfw_layouts'?)",
     "its hooks do not match this pacsfw"),
    ("undecorated", SORT.format("x"), 3, "'pacsfw_layouts' lacks the @hookimpl decorator",
     "its hooks do not match this pacsfw"),
    ("arguments", SORT.format("x"), 3, failed("arguments", "register: PluginValidationError"),
     "its hooks do not match this pacsfw"),
    ("late", SORT.format("never"), 3, failed("late", "pacsfw_layouts: RuntimeError"), LEFT_OUT),
    ("wrongtype", SORT.format("x"), 3, "yields function, not Component", LEFT_OUT),
    ("badname", SORT.format("'by/year'"), 3, "'by/year' is not a component name", LEFT_OUT),
    ("double", SORT.format("double"), 0, "ok", "layout 'double' is offered twice by site-double"),
    ("badvalue", SORT.format("x"), 3, "plugin 'badvalue' (site-badvalue 1.0): import: ",
     "it cannot be imported"),
    ("garbled", SORT.format("x"), 3, "import: UnicodeDecodeError", "it cannot be imported"),
    ("foreign", BY_YEAR, 0, "ok", "no problems found"),
    ("slow", BY_YEAR, 0, "ok", "plugin 'slow' (site-slow 1.0) takes 0."),
    ("twin", BY_YEAR, 3, "use 'site-good/by-year' or 'site-twin/by-year', or disable one plugin",
     "it is an error only if the configuration uses this name"),
    ("needy", SORT.format("needy"), 3, "needs the module 'a_missing_module': pip install 'site-n",
     "the rest works without it"),
    ("badschema", SORT.format("bad-schema"), 3,
     "the schema of layout 'bad-schema' of site-badschema 1.0 is broken", "must fix it"),
    ("badsignature", SORT.format("{use: bad-signature, with: {depth: 2}}"), 2,
     "layout 'bad-signature' (from site-badsignature 1.0): layout() got an unexpected keyword",
     "its schema has the option 'depth', which its factory does not accept"),
    ("badfactory", SORT.format("bad-factory"), 3,
     "(from site-badfactory 1.0) failed to start: RuntimeError: no licence", ""),
    ("claims", "storage: {resources: r.csv, directory: d}", 0, "ok",
     "'text-claims': accepts is not a tuple of texts"),
    ("claims", "storage: {resources: r.csv, directory: d}", 0, "ok",
     "'.csv' is claimed by several sinks: 'csv' of pacsfw 0.1.0, 'other-csv' of site-claims 1.0"),
    ("section", "email: {to: a@b.c}", 0, "ok", "section 'email' already belongs to"),
    ("badsecret", "storage: {resources: r.csv, directory: '${vault:x}'}", 3,
     "the plugin for '${vault:...}' failed: plugin 'badsecret' (site-badsecret 1.0): OSError", ""),
    ("commands", "tags: [{tag_name: PatientID, default_val: '${vault:x}'}]", 3,
     "no plugin resolves '${vault:...}'", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "code", "said", "explained"),
    quick(LOADING, "importerror", "late", "wrongtype", "twin", "needy", "badfactory", "badsecret"),
    ids=[row[0] for row in LOADING],
)
def test_a_fault_of_loading(installed, check, name, text, code, said, explained):
    installed("good", name)

    got, told = check(text)
    assert said in told
    assert got == code
    assert "Traceback" not in told
    assert "sesame" not in told
    # It costs nobody else anything.
    if name != "twin":
        assert check(BY_YEAR)[0] == 0
    _, listed = check("", "plugins", "list", "--json")
    states = {(entry["kind"], entry["name"]): entry["state"] for entry in json.loads(listed)}
    assert states["sink", "jsonl"] == "ok"
    found, doctor = check("", "plugins", "doctor")
    assert explained in doctor
    assert found in (0, 3)
    assert main(["--no-plugins", "plugins", "doctor"]) == 0


@pytest.mark.parametrize(
    ("names", "command", "code", "said"),
    [
        (["badcommands"], "crash", 3, "of plugin 'badcommands' (site-badcommands 1.0) failed: Ze"),
        (["badcommands", "commands"], "greet", 3, "command 'greet' is offered by plugin"),
        (["notcommands"], "greet", 2, failed("notcommands", "pacsfw_subcommands: TypeError")),
        (["importerror"], "greet", 2, failed("importerror", "import: ModuleNotFoundError")),
    ],
)
def test_a_fault_of_a_command(installed, check, names, command, code, said):
    installed(*names)
    got, told = check("", command)
    assert said in told
    assert got == code
    assert main(["--help"]) == 0


def test_the_doctor_explains_commands_that_cannot_be_called(installed, check):
    installed("badcommands", "commands", "notcommands")
    code, told = check("", "plugins", "doctor")
    assert code == 3
    assert "command 'run' of site-badcommands 1.0 is hidden by the bundled command" in told
    assert "command 'greet' of site-commands 1.0 is also offered by site-badcommands 1.0" in told
    assert "plugin 'notcommands' (site-notcommands 1.0): pacsfw_subcommands: TypeError" in told


def test_the_doctor_shows_tracebacks_and_says_what_is_disabled(installed, check, monkeypatch):
    installed("importerror", "good")
    monkeypatch.setenv("PACSFW_DISABLE_PLUGINS", "good")
    code, told = check("", "plugins", "doctor", "--tracebacks")
    assert code == 3
    assert "import a_module_that_does_not_exist" in told
    assert "plugin 'site-good/good' is disabled" in told


AT_WORK = """\
observers: [loud]
convert: [lazy]
sinks:
    - {use: halfway, with: {path: halfway}}
    - {use: closed, with: {path: closed}}
tags:
    - {tag_name: PatientID, tag_alias: raised, callback: raises}
    - {tag_name: StudyID, tag_alias: left, callback: leaves}
    - {tag_name: StudyDate, tag_alias: hung, callback: hangs}
"""
FROM = "(from site-atwork 1.0)"


def test_faults_at_work_cost_their_own_item_or_use(
    installed, embedded_pacs, collection, capsys, monkeypatch, caplog
):
    installed("atwork")
    monkeypatch.setattr(
        conductor, "Timing", partial(Timing, quiet=1.0, grace=5.0, pause=0.1, call=0.3)
    )
    studies = make_studies(3, days=14, modalities=(("CT",),), instances=2)
    collected = collection(
        embedded_pacs(studies), changes={"sort_by: PATIENT": "sort_by: hostile", "tags:\n": AT_WORK}
    )
    collected.change("query_level: STUDY\nnet", "query_level: STUDY\n    attempts: 1\nnet")

    assert collected.run() == 1

    said = capsys.readouterr().out + caplog.text
    assert "halfway: rows that it cannot store: 2: RuntimeError at site_atwork.py:" in said
    assert f"sink 'closed' {FROM}: open: PermissionError" in said
    assert f"observer 'loud' {FROM}: RunStarted: RuntimeError" in said
    assert f"layout 'hostile' {FROM} failed: KeyError" in said
    # The objects that have a place are stored inside, and their other cells are there.
    dicom = [path for path in collected.files() if not path.endswith(".json")]
    assert len(dicom) == 3
    rows = collected.rows()
    assert len(rows) == 3
    assert {(row["raised"], row["left"], row["hung"]) for row in rows} == {("", "", "")}
    assert all(row["SOPInstanceUID"] for row in rows)
    assert len(list((collected.state / "quarantine").iterdir())) == 3

    assert collected.run("plugins", "doctor") == 3
    told = capsys.readouterr().out
    for cause in (
        f"callback 'raises' {FROM}: column raised: ValueError at site_atwork.py:",
        f"callback 'leaves' {FROM}: column left: tried to exit the program (SystemExit)",
        f"callback 'hangs' {FROM}: column hung: took longer than 0.3 s",
        f"layout 'hostile' {FROM}: failed: KeyError at site_atwork.py:",
        f"sink 'closed' {FROM}: open: PermissionError",
        f"observer 'loud' {FROM}: RunStarted: RuntimeError",
    ):
        assert cause in told
    assert str(studies[0].patient_name) not in told + said


def test_a_query_that_fails_is_named(installed, embedded_pacs, collection, capsys):
    installed("atwork")
    collected = collection(embedded_pacs([]), changes={"find:\n": "find:\n    use: asking\n"})
    assert collected.run("find") == 3
    assert (
        "query 'asking' (from site-atwork 1.0): ask: LookupError at site_atwork.py"
        in capsys.readouterr().err
    )


@pytest.mark.full
def test_a_transfer_and_a_converter_that_fail_are_named(
    installed, embedded_pacs, collection, capsys
):
    installed("atwork")
    pacs = embedded_pacs(make_studies(2, days=14, modalities=(("CT",),), instances=1))
    collected = collection(pacs, changes={"tags:\n": "convert: [lazy]\ntags:\n"})
    assert collected.run() == 1
    assert collected.run("plugins", "doctor") == 3
    told = capsys.readouterr().out
    assert f"converter 'lazy' {FROM}: LookupError at site_atwork.py:" in told

    dropping = {"move:\n": "move:\n    use: dropping\n    attempts: 1\n"}
    assert collection(pacs, changes=dropping).run() == 1
    assert (
        f"transfer 'dropping' {FROM}: fetch: LookupError at site_atwork.py"
        in capsys.readouterr().out
    )
