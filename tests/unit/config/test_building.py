"""Components are built where somebody asks for it, and there once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pacsfw.api import Component
from pacsfw.errors import ConfigError, PluginError
from pacsfw.plugins import PluginPlan
from pacsfw.plugins.records import Offer
from pacsfw.plugins.registry import KINDS, Registry
from support.guards import plain

if TYPE_CHECKING:
    from conftest import Desk

STORED = "storage: {resources: a.csv, directory: d, "
CONFIGURED = """\
find: {start_date: 20200101, use: mine, cohort: {use: mine}}
move: {use: mine}
storage: {resources: a.mine, resources_meta: b.mine, directory: d, sort_by: mine}
tags:
  - {tag_name: PatientID, callback: mine}
  - {tag_name: StudyDate, callback: mine}
  - {row_callback: mine}
convert: [mine]
sinks: [{use: mine, with: {path: c.mine}}]
observers: [mine]
"""
PATH = {"type": "object", "properties": {"path": {"type": "string"}}}


def counting(counts: Counter[str]) -> Callable[[PluginPlan], Registry]:
    """A plugin with a component of each kind, which counts how often it is built."""

    def offers() -> Iterator[Offer]:
        for kind in KINDS:

            def factory(kind: str = kind, path: str = "") -> Any:
                counts[f"{kind} {path.rpartition('/')[2]}".strip()] += 1
                return plain(kind)

            component: Component[Any] = Component(
                name="mine",
                factory=factory,
                schema=PATH,
                accepts=(".mine",) if kind == "sink" else (),
                returns="text" if kind == "row-callback" else None,
            )
            yield Offer(kind, component, "mine", "house", "1.2")

    return lambda _plan: Registry(offers())


def test_to_load_a_configuration_builds_nothing(desk: Desk) -> None:
    counts: Counter[str] = Counter()
    desk.load(CONFIGURED, registry_for=counting(counts))
    assert counts == {}


def test_a_check_builds_each_configured_component_once(desk: Desk) -> None:
    counts: Counter[str] = Counter()
    desk.load(CONFIGURED, registry_for=counting(counts), build=True)
    sinks = {"sink a.mine": 1, "sink b.mine": 1, "sink c.mine": 1}
    assert counts == sinks | {kind: 1 for kind in KINDS if kind != "sink"}


def test_only_the_kinds_that_are_asked_for_are_built(desk: Desk) -> None:
    counts: Counter[str] = Counter()
    loaded = desk.load(CONFIGURED, registry_for=counting(counts))
    loaded.build({"layout", "callback"})
    assert counts == {"layout": 1, "callback": 1}


REFUSED = [
    (
        STORED + "sort_by: '{PatientNmae}'}\n",
        ConfigError,
        (
            "1:52: storage.sort_by: layout 'template' "
            "(from house 1.2): unknown DICOM keyword 'PatientNmae' (did you mean 'PatientName'?)"
        ),
    ),
    (
        "tags: [{tag_name: PatientID, callback: broken}]\n",
        PluginError,
        (
            "1:40: tags[0].callback: callback 'broken' (from house 1.2) failed to start: "
            "RuntimeError: out of order"
        ),
    ),
    (
        "tags:\n  - {tag_name: PatientID, callback: {use: broken}}\n",
        PluginError,
        (
            "2:43: tags[0].callback.use: callback 'broken' (from house 1.2) failed to start: "
            "RuntimeError: out of order"
        ),
    ),
]


@pytest.mark.parametrize(("text", "kind", "message"), REFUSED)
def test_what_cannot_be_built_is_told_with_its_place_and_its_owner(
    desk: Desk, text: str, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as checked:
        desk.load(text, build=True)
    assert str(checked.value) == f"conf.yaml:{message}"

    loaded = desk.load(text)
    with pytest.raises(kind) as used:
        loaded.build(KINDS)
    assert str(used.value) == str(checked.value)


def test_a_check_names_what_cannot_be_built_with_everything_else(desk: Desk) -> None:
    text = "move: {workers: 0}\ntags: [{tag_name: PatientID, callback: broken}]\n"
    workers, callback = desk.refusal(text, build=True)
    assert workers.startswith("conf.yaml:1:17: move.workers:")
    assert callback.startswith("conf.yaml:2:40: tags[0].callback: callback 'broken'")


def test_a_check_builds_nothing_that_the_file_does_not_name(desk: Desk) -> None:
    counts: Counter[str] = Counter()
    theirs = counting(counts)(PluginPlan())
    (query,) = theirs.offers("query")
    renamed = Component(name="cfind", factory=query.component.factory)

    def registry_for(_plan: PluginPlan) -> Registry:
        return Registry([Offer("query", renamed, "mine", "house", "1.2")])

    desk.load("find: {start_date: 20200101}\n", registry_for=registry_for, build=True)
    assert counts == {}
