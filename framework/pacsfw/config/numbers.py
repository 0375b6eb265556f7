"""Numbers that a configuration may contain: finite, and of a readable length."""

from __future__ import annotations

import math


def number(text: str, *, whole: bool) -> int | float:
    """Convert the text of a YAML or JSON number.

    Raises
    ------
    ValueError
        It is not a number, not finite, or has thousands of digits.
    """
    try:
        if whole:
            return int(text, 0)
        value = math.nan if text.lower().endswith(("inf", "nan")) else float(text)
    except ValueError as err:
        raise ValueError("not a valid number; put it in quotes") from err
    if not math.isfinite(value):
        raise ValueError("not a finite number; put it in quotes if it is text")
    return value
