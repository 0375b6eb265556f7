"""The columns of a row callback, from its record, its annotation or that of its factory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from pacsfw.api import Column, Component, Header
from pacsfw.errors import PluginError
from pacsfw.plugins.facts import fault, row_columns
from pacsfw.plugins.records import Offer
from pacsfw.plugins.registry import Registry


class Ages(NamedTuple):
    years: float
    days: int | None


AGES = (Column("years", "float"), Column("days", "int"))


def ages(header: Header) -> Ages:
    return Ages(1.0, None)


def minor(header: Header) -> bool:
    return True


def plain(header: Any) -> Any:
    return {}


def annotated_factory() -> Callable[[Header], Ages]:
    return plain


def annotated_factory_of_one() -> Callable[[Header], bool]:
    return plain


class Aging:
    def __call__(self, header: Header) -> Ages:
        return Ages(1.0, None)


def record(factory: Any, **more: Any) -> Component[Any]:
    return Component(name="mine", factory=factory, **more)


@pytest.mark.parametrize(
    ("component", "columns"),
    [
        (Component.of(ages), AGES),
        (Component.of(minor), (Column("", "bool"),)),
        (Component.of(plain), ()),
        (record(annotated_factory), AGES),
        (record(annotated_factory_of_one), (Column("", "bool"),)),
        (record(Aging), AGES),
        (record(lambda: plain), ()),
        (record(lambda: plain, columns=AGES), AGES),
        (record(lambda: plain, returns="date"), (Column("", "date"),)),
    ],
)
def test_the_columns_are_known_without_building_it(
    component: Component[Any], columns: tuple[Column, ...]
) -> None:
    assert row_columns(component) == columns


@pytest.mark.parametrize(
    ("columns", "wrong"),
    [
        ([Column("a")], "columns is not a tuple of Column"),
        (("a",), "columns is not a tuple of Column"),
        ((Column(""),), "a column has no name"),
        ((Column("a", "number"),), "the type of column 'a' is not one of text, int, "),  # type: ignore[arg-type]
        ((Column("a"), Column("a", "int")), "two columns have the same name"),
    ],
)
def test_a_record_with_impossible_columns_is_refused(columns: Any, wrong: str) -> None:
    assert fault(record(lambda: plain, columns=columns)).startswith(wrong)


def build(component: Component[Any]) -> Any:
    registry = Registry([Offer("row-callback", component, "mine", "house", "1.2")])
    return registry.build("row-callback", "mine", {})


@pytest.mark.parametrize(
    "component",
    [
        record(lambda: ages, columns=AGES),
        record(lambda: minor, returns="bool"),
        record(lambda: plain, columns=AGES),
        record(annotated_factory),
    ],
)
def test_one_that_agrees_with_its_record_is_built(component: Component[Any]) -> None:
    assert callable(build(component))


@pytest.mark.parametrize(
    ("component", "said"),
    [
        (
            record(lambda: ages),
            (
                "its annotation returns years float, days int, its record nothing: offer it as "
                "Component(..., columns=...)"
            ),
        ),
        (
            record(lambda: ages, columns=AGES[:1]),
            (
                "its annotation returns years float, days int, its record years float: offer it as "
                "Component(..., columns=...)"
            ),
        ),
        (
            record(lambda: minor, returns="int"),
            (
                "its annotation returns bool, its record int: offer it as "
                "Component(..., returns='bool')"
            ),
        ),
    ],
)
def test_one_that_contradicts_its_record_is_refused(component: Component[Any], said: str) -> None:
    with pytest.raises(PluginError) as caught:
        build(component)
    assert str(caught.value) == f"row-callback 'mine' (from house 1.2) is broken: {said}"


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(PluginError, match="which is not callable"):
        build(record(lambda: 7))
