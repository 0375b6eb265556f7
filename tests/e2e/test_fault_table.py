"""Faults of components in a whole run: what each costs, who is named, and the exit code.

`tests/unit/plugins/test_guards.py` has every method of every kind; here is what becomes of them.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pacsfw.testing import make_studies
from support import misbehaving

FULL = pytest.mark.full
PLUGIN = Path(misbehaving.__file__)
FROM = f"(from {PLUGIN})"
FIND, MOVE = (
    ("find:\n", "find:\n    use: {}\n"),
    ("move:\n", "move:\n    attempts: 1\n    use: {}\n"),
)
SORT = ("sort_by: PATIENT", "sort_by: {}")
SINKS, CONVERT, OBSERVERS = (
    ("tags:\n", f"{key}:\n    - {{}}\ntags:\n") for key in ("sinks", "convert", "observers")
)


def wrong(kind: str, how: str, at: str, **more: str) -> str:
    options = {"how": how, "at": at, **more}
    inner = ", ".join(f"{key}: '{value}'" for key, value in options.items())
    if kind in ("query", "transfer"):  # `use` and `with` are keys of the section
        return f"wrong-{kind}\n    with: {{{inner}}}"
    return f"{{use: wrong-{kind}, with: {{{inner}}}}}"


@pytest.fixture
def collected(embedded_pacs, collection):
    """Makes a collection of two studies whose configuration uses a misbehaving component."""

    def make(change: tuple[str, str], use: str):
        old, new = change
        changes = {"move:\n": f"plugins:\n    load: ['{PLUGIN}']\nmove:\n"}
        made = collection(
            embedded_pacs(make_studies(2, days=14, modalities=(("CT",),), instances=2)),
            changes=changes,
        )
        made.change(old, new.format(use))
        return made

    return make


def test_whatever_a_sink_does_the_others_are_delivered_and_nothing_is_lost(collected, capsys):
    """Several in one run: each names its method, and the study list and table are whole."""
    faults = [
        (how, at)
        for at in ("open", "begin", "deliver", "close")
        for how in ("raise", "exit", "panic", "interrupt")
    ] + [("none", "position"), ("text", "position"), ("number", "mark"), ("none", "has")]
    uses = [
        wrong("sink", how, at, path=f"{at}-{how}").replace("{use", f"{{id: {at}-{how}, use", 1)
        for how, at in faults
    ]
    made = collected(SINKS, "\n    - ".join(uses))

    assert made.run() == 1

    said = "".join(capsys.readouterr())
    for how, at in faults:
        assert f"table {at}-{how}: sink 'wrong-sink' {FROM}: {at}: " in said
    assert misbehaving.SECRET not in said
    assert "Traceback" not in said
    assert len(made.rows()) == len(made.objects()) == 4
    assert re.search("complete +2\n", said)


def test_a_sink_that_cannot_take_one_study_delivers_the_others(collected, capsys):
    made = collected(SINKS, "{use: wrong-sink, with: {how: raise, at: deliver, path: kept}}")
    poison = make_studies(2, days=14, modalities=(("CT",),), instances=2)[0].uid
    made.change("path: kept}", f"path: kept, only: '{poison}'}}")

    for _ in range(2):  # in this run, and in the next
        assert made.run() == 1
        said = "".join(capsys.readouterr())
        assert "rows that it cannot store: 2: KeyError at misbehaving.py:" in said
    delivered = {line for line in (made.folder / "kept").read_text().splitlines() if line}
    assert poison not in delivered
    assert len(delivered - {""}) >= 1

    made.change("how: raise", "how: well")
    assert made.run() == 0
    assert poison in (made.folder / "kept").read_text()


@pytest.mark.parametrize(
    ("how", "at", "said"),
    [
        ("raise", "open", "open: KeyError at misbehaving.py:"),
        ("exit", "open", "open: tried to exit the program (SystemExit)"),
        ("retry-where-it-is-not-allowed", "open", "open: raised Retry, which its kind cannot"),
        ("none", "ask", "ask: returned None, not QueryResult"),
        ("tuple", "ask", "ask: returned tuple, not QueryResult"),
        ("panic", "ask", "ask: Panic at misbehaving.py:"),
        ("interrupt", "ask", "ask: KeyboardInterrupt at misbehaving.py:"),
        ("text", "emit", "ask: emitted str, not QueryRow"),
    ],
)
def test_a_query_provider_that_fails_ends_the_search_and_is_named(collected, capsys, how, at, said):
    made = collected(FIND, wrong("query", how, at))

    assert made.run("find") == 3

    told = "".join(capsys.readouterr())
    assert f"query 'wrong-query' {FROM}: {said}" in told
    assert "Traceback" not in told
    assert misbehaving.SECRET not in told


@pytest.mark.parametrize(
    ("how", "at", "code", "said"),
    [
        ("raise", "open", 3, "open: KeyError"),
        pytest.param("exit", "open", 3, "open: tried to exit the program", marks=FULL),
        ("raise", "expects", 3, "expects: KeyError"),
        ("text", "expects", 3, "expects: returned str, not None or (name, options)"),
        pytest.param("none", "fetch", 1, "fetch: returned None, not Outcome", marks=FULL),
        pytest.param("exit", "fetch", 1, "fetch: tried to exit the program", marks=FULL),
        ("panic", "fetch", 1, "fetch: Panic at misbehaving.py:"),
        ("raise", "close", 1, ""),
    ],
)
def test_a_transfer_that_fails_is_named(collected, capsys, how, at, code, said):
    made = collected(MOVE, wrong("transfer", how, at))

    assert made.run() == code

    told = "".join(capsys.readouterr())
    if said:
        assert f"transfer 'wrong-transfer' {FROM}: {said}" in told
    assert "Traceback" not in told
    assert misbehaving.SECRET not in told


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("raise", "failed: KeyError at misbehaving.py:"),
        pytest.param("exit", "failed: tried to exit the program", marks=FULL),
        pytest.param("panic", "failed: Panic at misbehaving.py:", marks=FULL),
        ("none", "the layout returned NoneType"),
    ],
)
def test_a_layout_that_fails_for_one_study_costs_its_instances(collected, capsys, how, reason):
    one = make_studies(2, days=14, modalities=(("CT",),), instances=2)[0].uid
    made = collected(SORT, wrong("layout", how, "call", only=one))

    assert made.run() == 1

    told = "".join(capsys.readouterr())
    assert f"layout 'wrong-layout' {FROM}" in told
    assert reason in told
    assert len(made.files()) == 2
    assert re.search("complete +1\n", told)
    assert re.search("short +1\n", told)
    assert misbehaving.SECRET not in told


def test_converters_and_observers_that_fail_cost_their_own_work_only(collected, capsys):
    hows = ("raise", "exit", "panic", "none", "number")
    uses = [
        wrong("converter", how, "convert").replace("{use", f"{{id: c-{how}, use", 1) for how in hows
    ]
    made = collected(CONVERT, "\n    - ".join(uses))
    watching = [wrong("observer", how, "notify") for how in ("raise", "exit", "panic")]
    made.change("tags:\n", "observers:\n    - " + "\n    - ".join(watching) + "\ntags:\n")

    assert made.run() == 1

    told = "".join(capsys.readouterr())
    for how in hows:
        assert f"converted c-{how}" in told
    assert re.search(r"4 x +failed: KeyError at misbehaving.py:", told)
    assert re.search("complete +2\n", told)
    assert misbehaving.SECRET not in told
    assert made.run("plugins", "doctor") == 3
    told = capsys.readouterr().out
    for reason in ("KeyError at", "tried to exit the program", "Panic at"):
        assert f"converter 'wrong-converter' {FROM}: {reason}" in told
        assert f"observer 'wrong-observer' {FROM}: RunStarted: {reason}" in told


@pytest.mark.parametrize(
    ("change", "use", "said"),
    [
        (
            FIND,
            "strange-query",
            "query 'strange-query' {} is broken: its factory made Strange",
        ),
        (
            MOVE,
            "strange-transfer",
            "transfer 'strange-transfer' {} is broken: its factory made",
        ),
        (
            SINKS,
            "strange-sink",
            "sink 'strange-sink' {} is broken: its factory made Strange",
        ),
        (CONVERT, "strange-converter", "converter 'strange-converter' {} is broken: its factory"),
        (OBSERVERS, "strange-observer", "observer 'strange-observer' {} is broken: its factory"),
        (
            ("resources: my/resources.csv", "resources: my/list.{}\n    resources_meta: my/x.csv"),
            "unreadable",
            "cannot be the study list: it cannot be read (`Sink.read`)",
        ),
    ],
)
def test_what_cannot_do_its_work_is_found_by_config_check(collected, capsys, change, use, said):
    made = collected(change, use)

    assert made.run("config", "check") == 3

    told = capsys.readouterr()
    assert said.format(FROM) in "".join(told)
