"""Convert values from pydicom to plain text, numbers and booleans.

A failed conversion raises an error that names the kind of value, never the value.
"""

from __future__ import annotations

import re
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from pacsfw.dicom.vr import PADDING

_WHOLE = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[Ee][+-]?[0-9]+)?")
_TRUTH = {"Y": True, "YES": True, "TRUE": True, "1": True}
_TRUTH |= {"N": False, "NO": False, "FALSE": False, "0": False}


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
    TypeError
        Sequences, items and bytes have no text form.
    """
    if isinstance(value, Dataset | Sequence | bytes | dict):
        raise TypeError(f"{_kind(value)} cannot be written as text")
    if isinstance(value, MultiValue | list | tuple):
        return "\\".join(map(text_of, value))
    return "" if value is None else str(value).rstrip(PADDING)


def int_of(value: Any) -> int:
    """Return an integer; a fraction is an error and not truncated.

    Raises
    ------
    ValueError
        The value is not an integer.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip(PADDING)):
        return int(value.strip(PADDING))
    raise ValueError(f"{_kind(value)} is not an integer")


def float_of(value: Any) -> float:
    """Return a number.

    Raises
    ------
    ValueError
        The value is not a number.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip(PADDING)):
        return float(value.strip(PADDING))
    raise ValueError(f"{_kind(value)} is not a number")


def bool_of(value: Any) -> bool:
    """Return a boolean from YES/NO, Y/N, TRUE/FALSE or 1/0, ignoring case.

    Raises
    ------
    ValueError
        The value is none of these.
    """
    if isinstance(value, bool):
        return value
    word = "" if isinstance(value, Dataset | Sequence) else str(value).strip(PADDING).upper()
    if word not in _TRUTH:
        raise ValueError(f"{_kind(value)} is neither YES nor NO")
    return _TRUTH[word]


def _kind(value: Any) -> str:
    if isinstance(value, Sequence):
        return "a sequence"
    if isinstance(value, Dataset):
        return "an item of a sequence"
    if isinstance(value, MultiValue | list | tuple):
        return "a list of values"
    return f"a value of type {type(value).__name__}"
