"""The Python values of scalars of numpy, pandas and similar packages, without importing these."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from numbers import Complex
from operator import index
from typing import Any

_PLAIN = frozenset(
    {str, int, float, bool, bytes, list, tuple, dict, date, datetime, time, timedelta}
    | {Decimal, Fraction}
)
_NOTHING = frozenset({"NAType", "NaTType"})
"""The types of pandas' NA and NaT."""


def plain(value: Any) -> Any:
    """Return the Python value of a scalar, None for NA and NaT; all other values as they are."""
    kind = type(value)
    if value is None or kind in _PLAIN:
        return value
    if kind.__name__ in _NOTHING and kind.__module__.partition(".")[0] == "pandas":
        return None
    if isinstance(value, datetime) and hasattr(value, "to_pydatetime"):
        return value.to_pydatetime(warn=False)
    if isinstance(value, timedelta) and hasattr(value, "to_pytimedelta"):
        return value.to_pytimedelta()
    dimensions = getattr(value, "ndim", None)
    if dimensions is not None:
        return _item(value) if dimensions == 0 and hasattr(value, "item") else value
    if isinstance(value, int | float | Complex | str | bytes):
        return value  # types of pydicom keep the text of the instance
    return index(value) if hasattr(kind, "__index__") else value


def is_array(value: Any) -> bool:
    """Return whether a value is an array of one dimension, of any package."""
    return getattr(value, "ndim", None) == 1 and hasattr(value, "tolist")


def _item(value: Any) -> Any:
    """Return the value of a scalar or array of no dimension, as numpy and others provide it."""
    kind = str(getattr(value, "dtype", ""))
    if kind.startswith(("datetime64", "timedelta64")):
        value = value.astype(kind.partition("[")[0] + "[us]")  # of finer units, item() is a number
    found = value.item()
    # A number that Python has no type for, such as a long double, returns itself.
    return float(found) if type(found) is type(value) else found
