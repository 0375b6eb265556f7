"""The columns of a row callback are settled, or refused, when the configuration is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pacsfw.api import Column
from pacsfw.config import RowColumns
from pacsfw.plugins import discover

if TYPE_CHECKING:
    from conftest import Desk

MODULE = """\
from __future__ import annotations
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, TypedDict

if TYPE_CHECKING:
    from somewhere import Nothing


class Named(NamedTuple):
    a: int
    b: list[float] | None = None


@dataclass
class Data:
    day: date_type
    rest: dict[str, int]


class Keys(TypedDict, total=False):
    text: str | None
    many: list[str]


class Odd(TypedDict):
    price: Decimal


def named(header) -> Named | None: ...
def data(header) -> Data: ...
def keys(header) -> Keys: ...
def odd(header) -> Odd: ...
def lost(header) -> Nothing: ...
def single(header) -> bool | None: ...
def silent(header): ...
def mapping(header) -> dict[str, int]: ...


from datetime import date as date_type
"""


@pytest.fixture(autouse=True)
def module(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.write(MODULE, "of_rows.py")
    monkeypatch.syspath_prepend(str(desk.folder))


@pytest.mark.parametrize(
    ("entry", "columns", "keys"),
    [
        ("row_callback: age", [("years", "float"), ("at", "text")], ["years", "at"]),
        (
            "row_callback: house/age, tag_alias: p",
            [("p_years", "float"), ("p_at", "text")],
            ["years", "at"],
        ),
        ("row_callback: {use: 'of_rows:named'}", [("a", "int"), ("b", "floats")], ["a", "b"]),
        ("row_callback: 'of_rows:data'", [("day", "date"), ("rest", "json")], ["day", "rest"]),
        ("row_callback: 'of_rows:keys'", [("text", "text"), ("many", "texts")], ["text", "many"]),
        ("row_callback: 'of_rows:single'", [("single", "bool")], [""]),
        ("row_callback: 'of_rows:single', tag_alias: one", [("one", "bool")], [""]),
        ("row_callback: 'of_rows:silent', type: json", [("silent", "json")], [""]),
        ("row_callback: 'of_rows:odd', columns: {price: text}", [("price", "text")], ["price"]),
        ("row_callback: 'of_rows:mapping', columns: {n: int}", [("n", "int")], ["n"]),
        ("row_callback: 'of_rows:mapping', type: json", [("mapping", "json")], [""]),
        (
            "row_callback: silent, columns: {a: int, b: date}, tag_alias: s",
            [("s_a", "int"), ("s_b", "date")],
            ["a", "b"],
        ),
    ],
)
def test_the_columns_are_those_of_the_record_the_annotation_or_the_configuration(
    desk: Desk, entry: str, columns: list[tuple[str, str]], keys: list[str]
) -> None:
    (found,) = desk.load(f"tags: [{{{entry}}}]\n").config.tags
    assert isinstance(found, RowColumns)
    assert found.columns == tuple(Column(*each) for each in columns)
    assert list(found.keys) == keys


@pytest.mark.parametrize(
    ("entry", "refusal"),
    [
        (
            "row_callback: silent",
            (
                "tags[0].row_callback: its columns are not known: annotate what it returns (a "
                "TypedDict, a NamedTuple, a dataclass or one value), or list them under `columns`"
            ),
        ),
        (
            "row_callback: age, columns: {years: int}",
            "tags[0].columns: the callback itself says its columns: years, at; remove the key",
        ),
        (
            "row_callback: silent, columns: {years: int}, type: int",
            "tags[0].type: columns has the types; remove one of the two",
        ),
        (
            "row_callback: silent, columns: {years: number}",
            (
                "tags[0].columns.years: 'number' is not one of text, int, float, bool, date, time,"
                " datetime, duration, texts, ints, floats, json"
            ),
        ),
        (
            "row_callback: age, tag_name: PatientAge",
            (
                "tags[0].tag_name: 'PatientAge' is for a tag_name: a row_callback gets the whole "
                "header"
            ),
        ),
        (
            "row_callback: silent, type: auto",
            (
                "tags[0].type: 'auto' is for a tag_name: a row callback has no entry in the DICOM "
                "dictionary"
            ),
        ),
        (
            "tag_name: PatientAge, columns: {a: int}",
            "tags[0].columns: a mapping is for a row_callback",
        ),
        (
            "row_callback: aeg",
            "tags[0].row_callback: no row-callback is named 'aeg' (did you mean 'age'?)",
        ),
        (
            "row_callback: 'of_rows:odd'",
            (
                "tags[0].row_callback: the field 'price' of Odd has a type that no column holds: "
                "use str, int, float, bool, date, time, datetime, timedelta, dict, or a list of "
                "these"
            ),
        ),
        (
            "row_callback: 'of_rows:lost'",
            (
                "tags[0].row_callback: the return annotation of lost cannot be resolved (name "
                "'Nothing' is not defined); import its names outside `if TYPE_CHECKING`, or set "
                "the "
                "`type` of the tag"
            ),
        ),
        ("tag_alias: x", "tags[0]: tag_name is missing"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(desk: Desk, entry: str, refusal: str) -> None:
    (line,) = desk.refusal(f"tags:\n  - {{{entry}}}\n")
    place, _, rest = line.partition(": ")
    assert place.startswith("conf.yaml:2:")
    assert rest == refusal


def test_a_column_that_another_entry_has_is_refused(desk: Desk) -> None:
    text = "tags:\n  - {tag_name: Rows, tag_alias: years}\n  - row_callback: age\n"
    (line,) = desk.refusal(text)
    assert line == (
        "conf.yaml:3:19: tags[1].row_callback: the column 'years' is already used by tags[0]"
    )


def test_a_bundled_one_is_found(desk: Desk) -> None:
    (found,) = desk.load("tags: [row_callback: patient-age]\n", registry_for=discover).config.tags
    assert isinstance(found, RowColumns)
    assert [each.name for each in found.columns] == ["patient_age", "patient_age_from"]
