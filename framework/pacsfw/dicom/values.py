"""Convert values from pydicom to plain text, numbers and booleans.

A failed conversion raises an error that names the kind of value, never the value.
"""

from __future__ import annotations

import math
import re
from datetime import date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.valuerep import DSfloat, PersonName

from pacsfw.dicom.vr import PADDING

_WHOLE = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[Ee][+-]?[0-9]+)?")
_TRUTH = {"Y": True, "YES": True, "TRUE": True, "1": True}
_TRUTH |= {"N": False, "NO": False, "FALSE": False, "0": False}
_WITH_TEXT = (int, float, Decimal, Fraction, PersonName, date, time, timedelta)
"""Types whose text is the value. That of any other object may be its address or an extract."""

SMALLEST, LARGEST = -(1 << 63), (1 << 63) - 1
"""The range of integers: that of the narrowest table format."""

_DIGITS = 20
"""Numbers of so many digits do not fit into 64 bits."""
_TOO_LARGE = "the number is too large"


class Misfit(ValueError):
    """A value does not fit a type; the message gives the reason, and never quotes the value."""


def is_empty(value: Any) -> bool:
    """Return whether a value is empty: of zero length, without items, or only such values."""
    if value is None:
        return True
    if isinstance(value, MultiValue | Sequence | list | tuple):
        return all(map(is_empty, value))
    if isinstance(value, Dataset | bytes):
        return len(value) == 0
    return str(value).strip(PADDING) == ""


def text_of(value: Any) -> str:
    r"""Return a value as text, as written in the instance.

    Parameters
    ----------
    value
        DS and IS keep their digits (``1.50``), PN its component groups. Several values are
        joined by a backslash (PS3.5 section 6.4). Trailing spaces and NULs are padding.
        None, an empty number, is empty text.

    Raises
    ------
    Misfit
        The value has no text form: sequences, items, bytes, and any object whose text would
        describe it, such as an array.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return str.__str__(value).rstrip(PADDING)  # that of a member of an Enum is its name
    if isinstance(value, _WITH_TEXT):
        return str(value).rstrip(PADDING)
    if isinstance(value, MultiValue | list | tuple) and not isinstance(value, Sequence):
        return "\\".join(map(text_of, value))
    raise Misfit(f"{_kind(value)} cannot be written as text")


def int_of(value: Any) -> int:
    """Return an integer of 64 bits; a fraction is an error and not truncated.

    Raises
    ------
    Misfit
        The value is not an integer, or does not fit into 64 bits.
    """
    number = _integer(value)
    if not SMALLEST <= number <= LARGEST:
        raise Misfit("the integer does not fit into 64 bits")
    return number


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, float | Decimal) and math.isfinite(value):
        value = Fraction(value)
    if isinstance(value, Fraction) and value.denominator == 1:
        return value.numerator
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip(PADDING)):
        # Longer ones do not fit, and Python refuses to convert thousands of digits.
        digits = value.strip(PADDING)
        return int(digits) if len(digits.lstrip("+-0")) < _DIGITS else LARGEST + 1
    raise Misfit(f"{_kind(value)} is not an integer")


def float_of(value: Any) -> float:
    """Return a number.

    Raises
    ------
    Misfit
        The value is not a number, or is too large for one: text such as ``1e400``.
    """
    if isinstance(value, DSfloat) and not math.isfinite(value):
        raise Misfit(_TOO_LARGE)  # the text is a number that Python reads as infinity
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str) and not _DECIMAL.fullmatch(value := value.strip(PADDING)):
        raise Misfit(f"{_kind(value)} is not a number")
    if not isinstance(value, int | str | Decimal | Fraction) or isinstance(value, bool):
        raise Misfit(f"{_kind(value)} is not a number")
    try:
        number = float(value)
    except OverflowError:
        raise Misfit(_TOO_LARGE) from None
    if math.isinf(number) and not (isinstance(value, Decimal) and value.is_infinite()):
        raise Misfit(_TOO_LARGE)
    return number


def bool_of(value: Any) -> bool:
    """Return a boolean from YES/NO, Y/N, TRUE/FALSE or 1/0, ignoring case.

    Raises
    ------
    Misfit
        The value is none of these.
    """
    if isinstance(value, bool):
        return value
    word = str(value).strip(PADDING).upper() if isinstance(value, str | int) else ""
    if word not in _TRUTH:
        raise Misfit(f"{_kind(value)} is neither YES nor NO")
    return _TRUTH[word]


def _kind(value: Any) -> str:
    if isinstance(value, Sequence):
        return "a sequence"
    if isinstance(value, Dataset):
        return "an item of a sequence"
    if isinstance(value, MultiValue | list | tuple):
        return "a list of values"
    return f"a value of type {type(value).__name__}"
