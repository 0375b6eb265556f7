"""The type of a column comes from its last callback's return annotation."""

import math
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Optional

import pytest

from pacsfw.config.columns import type_of
from pacsfw.convert import agestr2years, str2datetime, str2timedelta
from pacsfw.dicom.values import bool_of, float_of, int_of, text_of

if TYPE_CHECKING:
    from decimal import Decimal


def a_date(value: Any) -> date:
    raise NotImplementedError


def maybe_a_time(value: Any) -> time | None:
    raise NotImplementedError


def old_style(value: Any) -> Optional[int]:  # noqa: UP045 - authors still write it
    raise NotImplementedError


def one_of_two(value: Any) -> int | str:
    raise NotImplementedError


def quoted(value: Any) -> "timedelta":
    raise NotImplementedError


def a_list(value: Any) -> list[str]:
    raise NotImplementedError


def numbers(value: Any) -> list[float | None] | None:
    raise NotImplementedError


def anything(value: Any) -> list[Any]:
    raise NotImplementedError


def a_mapping(value: Any) -> dict[str, int]:
    raise NotImplementedError


def unresolved(value: Any) -> "Decimal":
    raise NotImplementedError


class Multiply:
    def __call__(self, value: Any) -> float:
        raise NotImplementedError

    def method(self, value: Any) -> datetime:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("callback", "column_type"),
    [
        (str2datetime, "datetime"),
        (str2timedelta, "duration"),
        (agestr2years, "float"),
        (text_of, "text"),
        (int_of, "int"),
        (float_of, "float"),
        (bool_of, "bool"),
        (int, "int"),
        (a_date, "date"),
        (maybe_a_time, "time"),
        (old_style, "int"),
        (one_of_two, "text"),
        (quoted, "duration"),
        (a_list, "texts"),
        (numbers, "floats"),
        (anything, "json"),
        (a_mapping, "json"),
        (Multiply(), "float"),
        (Multiply().method, "datetime"),
        (partial(str2datetime), "datetime"),
        (lambda value: value, "text"),
        (math.floor, "text"),
    ],
)
def test_a_return_annotation_stands_for_a_column_type(callback: Any, column_type: str) -> None:
    assert type_of(callback) == column_type


def test_an_annotation_that_cannot_be_resolved_is_not_taken_for_text() -> None:
    with pytest.raises(ValueError, match=r"annotation of unresolved cannot be resolved .*`type`"):
        type_of(unresolved)
