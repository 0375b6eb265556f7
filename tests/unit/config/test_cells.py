"""A cell is a plain Python value of its column's type, or the value does not fit."""

import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID
from pydicom.valuerep import IS, DSfloat, PersonName

from pacsfw.api import ColumnType
from pacsfw.config.cells import cell
from pacsfw.dicom.values import Misfit

ITEM = Dataset()
ITEM.CodeMeaning = "Chest"
ITEM.PatientName = "A^B"
ITEM.SliceThickness = "1.50"


@pytest.mark.parametrize(
    ("value", "column_type", "expected"),
    [
        (DSfloat("1.50"), "text", "1.50"),
        (MultiValue(str, ["A", "B"]), "text", "A\\B"),
        (datetime(2020, 1, 2, 3), "text", "2020-01-02T03:00:00"),
        (date(2020, 1, 2), "text", "2020-01-02"),
        (IS("7"), "int", 7),
        ("7", "int", 7),
        (DSfloat("1.50"), "float", 1.5),
        (IS("7"), "float", 7.0),
        ("YES", "bool", True),
        ("20200102", "date", date(2020, 1, 2)),
        (datetime(2020, 1, 2, 3), "date", date(2020, 1, 2)),
        (date(2020, 1, 2), "date", date(2020, 1, 2)),
        ("0304", "time", time(3, 4)),
        (timedelta(hours=3), "time", time(3)),
        (datetime(2020, 1, 2, 3), "time", time(3)),
        (time(3), "time", time(3)),
        ("20200102", "datetime", datetime(2020, 1, 2)),
        (date(2020, 1, 2), "datetime", datetime(2020, 1, 2)),
        (datetime(2020, 1, 2, tzinfo=UTC), "datetime", datetime(2020, 1, 2, tzinfo=UTC)),
        ("0304", "duration", timedelta(hours=3, minutes=4)),
        (timedelta(days=3), "duration", timedelta(days=3)),
        (None, "int", None),
        (None, "json", None),
    ],
)
def test_what_fits_becomes_a_plain_value(
    value: Any, column_type: ColumnType, expected: Any
) -> None:
    made = cell(value, column_type)
    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize(
    ("value", "column_type"),
    [
        (Sequence([ITEM]), "text"),
        (b"\0", "text"),
        ("1.5", "int"),
        (MultiValue(DSfloat, ["1", "2"]), "float"),
        ("maybe", "bool"),
        ("yesterday", "date"),
        (20200102, "date"),
        ("20200230", "datetime"),
        (timedelta(days=1), "time"),
        ("235960", "time"),
        (5, "duration"),
        (math.nan, "json"),
        ({1: 2}, "json"),
        (object(), "json"),
    ],
)
def test_what_does_not_fit_is_refused(value: Any, column_type: ColumnType) -> None:
    with pytest.raises((ValueError, TypeError)):
        cell(value, column_type)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            Sequence([ITEM]),
            [
                {
                    "00080104": {"vr": "LO", "Value": ["Chest"]},
                    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]},
                    "00180050": {"vr": "DS", "Value": [1.5]},
                }
            ],
        ),
        (MultiValue(DSfloat, ["0.50", "1"]), [0.5, 1.0]),
        (MultiValue(str, ["A", "B"]), ["A", "B"]),
        (PersonName("A^B=山"), {"Alphabetic": "A^B", "Ideographic": "山"}),
        (Tag(0x00100020), "00100020"),
        (b"\0\1", "AAE="),
        (UID("1.2"), "1.2"),
        (IS("7"), 7),
        ({"a": [1, None, True, date(2020, 1, 2)]}, {"a": [1, None, True, "2020-01-02"]}),
    ],
)
def test_json_cells_hold_what_json_can_hold(value: Any, expected: Any) -> None:
    assert json.loads(json.dumps(cell(value, "json"))) == expected


class Side(str, Enum):  # noqa: UP042 - its str() is its name, not its value
    LEFT = "L"


class Count:
    def __index__(self) -> int:
        return 3


NOON = datetime(2020, 1, 2, 12)


@pytest.mark.parametrize(
    ("value", "column_type", "expected"),
    [
        (np.int64(7), "int", 7),
        (np.uint8(7), "float", 7.0),
        (np.float32(0.5), "float", 0.5),
        (np.float64(0.5), "float", 0.5),
        (np.float32(2), "int", 2),
        (np.longdouble(0.5), "float", 0.5),
        (np.array(7), "int", 7),
        (np.bool_(True), "bool", True),
        (np.str_("A "), "text", "A"),
        (np.int64(7), "text", "7"),
        (np.datetime64("2020-01-02T12:00"), "datetime", NOON),
        (np.datetime64("2020-01-02T12:00:00.000000001", "ns"), "datetime", NOON),
        (np.datetime64("2020-01-02"), "date", date(2020, 1, 2)),
        (np.timedelta64(90, "s"), "duration", timedelta(seconds=90)),
        (np.timedelta64(90, "s"), "time", time(0, 1, 30)),
        (np.datetime64("NaT"), "date", None),
        (pd.Timestamp("2020-01-02T12:00:00.000000001"), "datetime", NOON),
        (pd.Timedelta(seconds=90), "duration", timedelta(seconds=90)),
        (pd.NA, "int", None),
        (pd.NA, "text", None),
        (pd.NaT, "datetime", None),
        (Decimal("1.50"), "text", "1.50"),
        (Decimal("1.50"), "float", 1.5),
        (Decimal("7.0"), "int", 7),
        (Fraction(14, 2), "int", 7),
        (Fraction(1, 4), "float", 0.25),
        (Side.LEFT, "text", "L"),
        (Count(), "int", 3),
        (np.array([1, 2]), "ints", [1, 2]),
        (np.array([[1, 2]]).tolist(), "ints", [1, 2]),
        ([np.float32(0.5), pd.NA], "floats", [0.5, None]),
        ([np.str_("A"), 1], "texts", ["A", "1"]),
        ({"a": [np.int8(1), Decimal("0.5"), pd.NaT]}, "json", {"a": [1, 0.5, None]}),
        (np.array([1.5]), "json", [1.5]),
        ((1 << 63) - 1, "int", (1 << 63) - 1),
        (str(-1 << 63), "int", -1 << 63),
        (timedelta(days=106_751_991), "duration", timedelta(days=106_751_991)),
    ],
)
def test_scalars_of_other_packages_count_as_the_values_of_python(
    value: Any, column_type: ColumnType, expected: Any
) -> None:
    made = cell(value, column_type)
    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize(
    ("value", "column_type", "reason"),
    [
        (1 << 63, "int", "the integer does not fit into 64 bits"),
        (-(1 << 63) - 1, "ints", "the integer does not fit into 64 bits"),
        ("456115117112105110101", "int", "the integer does not fit into 64 bits"),
        ("9" * 5000, "int", "the integer does not fit into 64 bits"),
        (np.uint64((1 << 64) - 1), "ints", "the integer does not fit into 64 bits"),
        (1e300, "int", "the integer does not fit into 64 bits"),
        (Decimal("1e999999"), "int", "a value of type Decimal is not an integer"),
        (Fraction(10**400), "int", "the integer does not fit into 64 bits"),
        ("1e400", "float", "the number is too large"),
        (["1", "-1e400"], "floats", "the number is too large"),
        (DSfloat("1e400"), "float", "the number is too large"),
        (Decimal("1e400"), "float", "the number is too large"),
        (10**400, "float", "the number is too large"),
        (Fraction(10**400), "json", "the number is too large"),
        (math.inf, "json", "JSON has no NaN and no infinity"),
        (timedelta(days=106_751_992), "duration", "does not fit into 64 bits"),
        (np.zeros((512, 512)), "text", "type ndarray cannot be written as text"),
        (np.zeros((2, 2)), "floats", "type ndarray is not a number"),
        (np.zeros((2, 2)), "json", "type ndarray cannot be written as JSON"),
        (object(), "text", "type object cannot be written as text"),
        (Count, "text", "type type cannot be written as text"),
        ({"A"}, "text", "type set cannot be written as text"),
        ([object()], "texts", "type object cannot be written as text"),
        (pd.DataFrame(), "text", "type DataFrame cannot be written as text"),
        (1j, "text", "type complex cannot be written as text"),
        (object(), "bool", "type object is neither YES nor NO"),
        (20200102, "date", "type int is not a date or time"),
    ],
)
def test_what_no_format_holds_is_refused_with_the_reason(
    value: Any, column_type: ColumnType, reason: str
) -> None:
    with pytest.raises(Misfit, match=reason):
        cell(value, column_type)
