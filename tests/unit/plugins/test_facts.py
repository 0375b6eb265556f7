"""What the record of a component says, and what happens where its object says otherwise."""

from __future__ import annotations

import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacsfw import Component, lazy
from pacsfw.api import Converter, QueryProvider, Sink, Transfer
from pacsfw.errors import PluginError
from pacsfw.plugins.facts import column_type, scope_of
from pacsfw.plugins.records import Offer
from pacsfw.plugins.registry import Registry


class Database(Sink):
    """A sink that says on its class what belongs on its record."""

    multi_table = True

    def deliver(self, batch: Any) -> None:
        raise NotImplementedError


class PlainSink(Sink):
    def deliver(self, batch: Any) -> None:
        raise NotImplementedError


class Exported(QueryProvider):
    authoritative = False

    def ask(self, query: Any, emit: Any) -> Any:
        raise NotImplementedError


class Pushed(Transfer):
    needs_receiver = True

    def fetch(self, request: Any, inbox: Any) -> Any:
        raise NotImplementedError


class OfSeries(Converter):
    scope = "series"

    def convert(self, files: Any, out: Any) -> Any:
        raise NotImplementedError


class OfOption(Converter):
    def __init__(self, scope: str = "study") -> None:
        self.scope = scope

    def convert(self, files: Any, out: Any) -> Any:
        raise NotImplementedError


def scaled(by: float = 1.0) -> Any:
    def scale(value: Any) -> float:
        return float(value) * by

    return scale


def annotated(by: float = 1.0) -> Callable[[Any], float]:
    return lambda value: float(value) * by


def weight(value: Any) -> float:
    return float(value)


class Multiply:
    def __call__(self, value: Any) -> int:
        return int(value)


def built(kind: str, **record: Any) -> Any:
    component: Component[Any] = Component(name="mine", **record)
    return Registry([Offer(kind, component, "lake", "house", "1.2")]).make(kind, "mine", {})


CONTRADICTIONS = [
    ("sink", Database, {}, "multi_table=True"),
    ("query", Exported, {}, "authoritative=False"),
    ("transfer", Pushed, {}, "needs_receiver=True"),
    ("converter", OfSeries, {"scope": "study"}, "scope='series'"),
    ("converter", OfOption, {}, "scope='study'"),
    ("callback", scaled, {}, "returns='float'"),
    ("callback", scaled, {"returns": "int"}, "returns='float'"),
]


@pytest.mark.parametrize(("kind", "factory", "record", "remedy"), CONTRADICTIONS)
def test_an_object_that_contradicts_its_record_is_refused(kind, factory, record, remedy):
    with pytest.raises(PluginError) as caught:
        built(kind, factory=factory, **record)

    assert str(caught.value).startswith(f"{kind} 'mine' (from house 1.2) is broken: ")
    assert str(caught.value).endswith(f"offer it as Component(..., {remedy})")


@pytest.mark.parametrize(
    ("kind", "factory", "record"),
    [
        ("sink", Database, {"multi_table": True}),
        ("sink", PlainSink, {}),
        ("sink", PlainSink, {"multi_table": True}),
        ("query", Exported, {"authoritative": False}),
        ("transfer", Pushed, {"needs_receiver": True}),
        ("converter", OfSeries, {"scope": "series"}),
        ("callback", scaled, {"returns": "float"}),
        ("callback", annotated, {}),
        ("callback", lambda: lambda value: value, {"returns": "float"}),
        ("layout", scaled, {}),
    ],
)
def test_an_object_that_agrees_or_says_nothing_is_built(kind, factory, record):
    assert built(kind, factory=factory, **record) is not None


def test_an_option_named_scope_says_the_scope():
    schema = {"properties": {"scope": {"enum": ["series", "study"], "default": "study"}}}
    component = Component(name="mine", factory=OfOption, schema=schema)

    assert scope_of(component, {}) == "study"
    assert scope_of(component, {"scope": "series"}) == "series"
    registry = Registry([Offer("converter", component, "lake", "house", "1.2")])
    assert registry.make("converter", "mine", {"scope": "series"}).scope == "series"


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        (Component.of(weight), "float"),
        (Component.of(lambda value: value, name="x"), "text"),
        (Component(name="x", factory=annotated), "float"),
        (Component(name="x", factory=Multiply), "int"),
        (Component(name="x", factory=scaled), "text"),
        (Component(name="x", factory=annotated, returns="int"), "int"),
        (Component(name="x", factory=lazy("nowhere_at_all:x")), "text"),
    ],
)
def test_the_column_type_is_known_without_building(component, expected):
    assert column_type(component) == expected


def test_a_plain_function_gives_its_record_the_type_it_returns():
    assert Component.of(weight).returns == "float"


REFERENCED = """\
from pacsfw.api import Converter, Sink

class Lake(Sink):
    multi_table = True
    def deliver(self, batch): pass

class OfSeries(Converter):
    scope = "series"
    def convert(self, files, out): return []

def make():
    return Lake()

def weigh(value) -> float:
    return 1.0
"""


@pytest.fixture
def referenced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A module that no plugin offers."""
    (tmp_path / "facts_referenced.py").write_text(REFERENCED)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Registry([])
    sys.modules.pop("facts_referenced", None)


def test_the_record_of_a_reference_is_made_from_what_is_named(referenced):
    def record(kind: str, name: str) -> Component[Any]:
        return referenced.select(kind, f"facts_referenced:{name}").component

    assert record("sink", "Lake").multi_table
    assert record("converter", "OfSeries").scope == "series"
    assert record("callback", "weigh").returns == "float"
    assert referenced.make("sink", "facts_referenced:Lake", {}).multi_table


def test_a_reference_to_a_function_cannot_hide_what_its_object_is(referenced):
    with pytest.raises(PluginError, match=r"multi_table = True.*name the class itself"):
        referenced.build("sink", "facts_referenced:make", {})


# --- lazy ---------------------------------------------------------------------------------------


def test_a_lazy_factory_imports_when_it_is_called(referenced):
    factory = lazy("facts_referenced:Lake")
    assert "facts_referenced" not in sys.modules

    assert type(factory()).__name__ == "Lake"


def test_a_lazy_factory_can_be_pickled():
    factory = pickle.loads(pickle.dumps(lazy("fractions:Fraction.from_float")))

    assert factory(f=0.5) == 0.5


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nowhere_at_all:X", "cannot be imported: ModuleNotFoundError: No module named"),
        ("json:X", "does not exist: module 'json' has no attribute 'X'"),
    ],
)
def test_what_a_lazy_factory_cannot_find_is_named(reference, message):
    with pytest.raises(PluginError) as caught:
        built("sink", factory=lazy(reference))

    assert str(caught.value).startswith(
        f"sink 'mine' (from house 1.2) failed to start: ImportError: lazy('{reference}') {message}"
    )


@pytest.mark.parametrize("reference", ["json", ":x", "json:", ""])
def test_a_lazy_reference_has_a_module_and_an_attribute(reference):
    with pytest.raises(ValueError, match=re.escape("is not of the form 'module:attribute'")):
        lazy(reference)
