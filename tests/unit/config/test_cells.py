"""A cell is a plain Python value of its column's type, or the value does not fit."""

import json
import math
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID
from pydicom.valuerep import IS, DSfloat, PersonName

from pacsfw.api import ColumnType
from pacsfw.config.cells import cell

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
