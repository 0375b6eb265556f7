"""Numbers as a configuration may have them: finite, and of a length that can be read."""

from __future__ import annotations

import math


def number(text: str, *, whole: bool) -> int | float:
    """Convert the text of a YAML or JSON number.

    Raises
    ------
    ValueError
        It is no number, not finite, or has thousands of digits.
    """
    try:
        if whole:
            return int(text, 0)
        value = math.nan if text.lower().endswith(("inf", "nan")) else float(text)
    except ValueError as err:
        raise ValueError("not a number that can be used here; put it in quotes") from err
    if not math.isfinite(value):
        raise ValueError("not a finite number; put it in quotes if it is a text")
    return value
