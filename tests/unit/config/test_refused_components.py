"""Bad input about plugins: unknown components, wrong options, files that must not be run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pacsfw.api import Component
from pacsfw.errors import PluginError
from pacsfw.plugins import PluginPlan, discover
from pacsfw.plugins.records import Offer
from pacsfw.plugins.registry import Registry

if TYPE_CHECKING:
    from conftest import Desk

STORED = "storage: {resources: a.csv, directory: d, "

REFUSED = [
    ("sinks: [csv]", "1:9: sinks[0].with: path is missing (sink 'csv' of house 1.2)"),
    (
        "sinks: [{use: csv, with: {path: a, pth: x}}]",
        "1:36: sinks[0].with.pth: unknown key (did you mean 'path'?) (sink 'csv' of house 1.2)",
    ),
    (
        "sinks: [{use: csv, with: {path: x, level: 10}}]",
        "1:43: sinks[0].with.level: 10 is more than 9 (sink 'csv' of house 1.2)",
    ),
    (
        "sinks: [{use: csv, with: {path: x}, on_error: skip}]",
        "1:47: sinks[0].on_error: 'skip' is not available in this version (only fail)",
    ),
    (
        "sinks: [{use: csv, with: {path: x}, id: a}, {use: csv, with: {path: y}, id: a}]",
        "1:77: sinks[1].id: 'a' is already the id of sinks[0]",
    ),
    (
        "sinks: [{use: csv, with: {path: x}}, {use: csv, with: {path: ./x}}]",
        "1:62: sinks[1].with.path: is already the target of sinks[0].with.path",
    ),
    (
        STORED + "resources_meta: ./a.csv}",
        "1:59: storage.resources_meta: is already the target of storage.resources",
    ),
    (
        STORED + "resources_meta: m.csv}\nsinks: [{use: csv, with: {path: m_errors.csv}}]",
        "2:33: sinks[0].with.path: is already the target of storage.resources_meta",
    ),
    (
        "storage: {resources: 'sqlite:///a', directory: d}",
        "1:1: storage: resources_meta is missing: it has no default for this URL of resources",
    ),
    (STORED + "sort_by: {with: {}}}", "1:43: storage.sort_by: use is missing"),
    (
        "convert: [oven, oven]",
        "1:17: convert[1]: 'oven' is already used by convert[0]: give each a unique id",
    ),
    (
        "convert: [{use: oven, on_error: quarantine}]",
        "1:33: convert[0].on_error: 'quarantine' is not one of fail, skip",
    ),
    (
        STORED + "state: s}\nconvert: [{use: oven, directory: s/x}]",
        "2:34: convert[0].directory: is inside the state folder, which is reserved for pacsfw",
    ),
    (
        "convert: [odd]",
        (
            "1:11: convert[0]: converter 'odd' (from house 1.2) is broken: "
            "its scope is not one of instance, series, study"
        ),
    ),
    (
        "lamp: {watt: bright}",
        "1:14: lamp.watt: 'bright' is not a whole number (section of house 1.2)",
    ),
    (
        "plugins: {load: [gone.py]}",
        "1:18: plugins.load[0]: {cwd}/gone.py: no such file or folder",
    ),
    ("plugins: {load: gone.py}", "1:17: plugins.load: 'gone.py' is not a list"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_wrong_use_of_a_component_is_one_line(desk: Desk, text: str, message: str) -> None:
    expected = "conf.yaml:" + message.replace("{cwd}", str(desk.folder))
    assert desk.refusal(text + "\n") == [expected]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "storage: {resources: a.txt, directory: d, resources_meta: b.csv}",
            (
                "1:22: storage.resources: no sink writes '{cwd}/a.txt'; "
                "known suffixes and schemes: .csv, .jsonl, sqlite:"
            ),
        ),
        (
            "storage: {resources: 'mysql://me:sesame@host', directory: d, resources_meta: b.csv}",
            (
                "1:22: storage.resources: no sink writes 'mysql://...'; "
                "known suffixes and schemes: .csv, .jsonl, sqlite:"
            ),
        ),
        (
            STORED + "sort_by: patient}",
            "1:52: storage.sort_by: no layout is named 'patient' (did you mean 'PATIENT'?)",
        ),
        (
            "find: {start_date: 20200101, use: qido}",
            "1:35: find.use: no query is named 'qido'; known: cfind",
        ),
        ("move: {use: wado}", "1:13: move.use: no transfer is named 'wado'; known: cmove"),
        (
            "tags: [{tag_name: PatientID, callback: [str, itn]}]",
            "1:46: tags[0].callback[1]: no callback is named 'itn' (did you mean 'int'?)",
        ),
        (
            "tags: [{tag_name: PatientID, callback: 'no.such:thing'}]",
            (
                "1:40: tags[0].callback: callback 'no.such:thing' cannot be imported: "
                "No module named 'no'"
            ),
        ),
        (
            "sinks: [{use: xlsx}]",
            "1:15: sinks[0].use: no sink is named 'xlsx'; known: csv, jsonl, sql",
        ),
        ("observers: [horn]", "1:13: observers[0]: no observer is named 'horn'; known: bell"),
    ],
)
def test_a_missing_component_is_a_plugin_error(desk: Desk, text: str, message: str) -> None:
    with pytest.raises(PluginError) as caught:
        desk.load(text + "\n")
    assert str(caught.value) == "conf.yaml:" + message.replace("{cwd}", str(desk.folder))
    assert caught.value.exit_code == 3


def test_two_plugins_with_the_same_name_must_be_told_apart(desk: Desk) -> None:
    def both(plan: PluginPlan) -> Registry:
        theirs = Offer("sink", Component(name="csv", factory=str), "theirs", "barn", "0.1")
        return Registry([*desk.registry_for(plan).offers(), theirs])

    assert desk.refusal("sinks: [csv]\n", registry_for=both) == [
        (
            "conf.yaml:1:9: sinks[0]: sink 'csv' is offered by 'mine' of house 1.2, 'theirs' of "
            "barn 0.1: use 'house/csv' or 'barn/csv', or disable one plugin"
        )
    ]
    desk.load("sinks: [barn/csv]\n", registry_for=both)


def test_a_schema_of_a_plugin_cannot_make_us_fetch_anything(desk: Desk) -> None:
    def remote(_plan: PluginPlan) -> Registry:
        schema = {"$ref": "http://127.0.0.1:9/schema.json"}
        component = Component(name="far", factory=str, schema=schema)
        return Registry([Offer("observer", component, "far", "away", "1")])

    assert desk.refusal("observers: [far]\n", registry_for=remote) == [
        (
            "conf.yaml:1:13: observers[0].with: the schema of observer 'far' of away 1 is broken: "
            "Unresolvable: http://127.0.0.1:9/schema.json"
        )
    ]


def test_a_plugin_file_that_does_not_load_is_refused(desk: Desk) -> None:
    desk.write("raise RuntimeError('rain')\n", "wet_plugin.py")
    (line,) = desk.refusal("plugins: {load: [wet_plugin.py]}\n", registry_for=discover)
    assert line == (
        f"conf.yaml:1:18: plugins.load[0]: plugin 'wet_plugin' ({desk.folder}/wet_plugin.py): "
        "import: RuntimeError: rain"
    )


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_plugin_file_that_others_may_change_is_not_run(desk: Desk, mode: int) -> None:
    path = desk.write("raise SystemExit('was run')\n", "open_plugin.py")
    path.chmod(mode)
    assert desk.refusal("plugins: {load: [open_plugin.py]}\n", registry_for=discover) == [
        (
            f"conf.yaml:1:18: plugins.load[0]: {path}: other users can modify it; "
            f"run: chmod go-w {path}"
        )
    ]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_folder_of_plugins_is_looked_into(desk: Desk) -> None:
    (desk.folder / "site").mkdir(mode=0o700)
    desk.write("", "site/inner.pyc").chmod(0o666)
    site = desk.folder / "site"
    assert desk.refusal("plugins: {load: [site]}\n") == [
        (
            f"conf.yaml:1:18: plugins.load[0]: {site}: "
            f"other users can modify {site / 'inner.pyc'}; "
            f"run: chmod -R go-w {site}"
        )
    ]
