"""Checks of what components return; the descriptions quote no value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Check = Callable[[Any], str]


def is_a(*types: type[Any]) -> Check:
    """Return a check that a result is of one of these types."""
    names = " or ".join("None" if each is type(None) else each.__name__ for each in types)

    def check(value: Any) -> str:
        return "" if isinstance(value, types) else f"returned {kind_of(value)}, not {names}"

    return check


def kind_of(value: Any) -> str:
    """Return the type of a value, for messages."""
    return "None" if value is None else type(value).__name__


def is_text(value: Any) -> str:
    """Check that a result is a text that UTF-8 can represent."""
    if not isinstance(value, str):
        return f"returned {kind_of(value)}, not str"
    return "" if is_encodable(value) else "returned a text that UTF-8 cannot represent"


def is_encodable(text: str) -> bool:
    """Return whether UTF-8 can represent a text: no half of a surrogate pair is in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_count(value: Any) -> str:
    """Check that a result is a number of bytes."""
    good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63
    return "" if good else f"returned {kind_of(value)}, not a number of bytes"


def are_texts(value: Any) -> str:
    """Check that a result is a sequence of texts."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return f"returned {kind_of(value)}, not a sequence of texts"
    return next(filter(None, map(is_text, value)), "")


def texts_by_text(value: Any, what: str) -> str:
    """Check that a value maps texts to texts."""
    if not isinstance(value, Mapping):
        return f"{what} is {kind_of(value)}, not a mapping"
    for key, each in value.items():
        if not isinstance(key, str) or not isinstance(each, str):
            return f"{what} maps {kind_of(key)} to {kind_of(each)}, not text to text"
        if not (is_encodable(key) and is_encodable(each)):
            return f"{what} has a text that UTF-8 cannot represent"
    return ""
