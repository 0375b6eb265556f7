"""Facts of value representations (PS3.5 sections 6.2 and 7.1.2)."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping

PADDING = " \0"
"""What ends a value, or surrounds it, without being part of it."""

SINGLE_VALUED = frozenset({"LT", "ST", "UR", "UT"})
"""A backslash is text in these, and leading blanks count."""
LEADING_BLANKS = SINGLE_VALUED | {"UC"}
"""Leading blanks count in these."""
TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""Text in the character set of the data set."""
BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
"""Bytes without a text."""
NUMBERS: Mapping[str, str] = {
    "FD": "d", "FL": "f", "SL": "l", "SS": "h", "SV": "q", "UL": "L", "US": "H", "UV": "Q",
}  # fmt: skip
"""Binary numbers, and `struct`'s letter for each."""
WIDTHS: Mapping[str, int] = {
    **{vr: struct.calcsize(f"={letter}") for vr, letter in NUMBERS.items()},
    "AT": 2,
    "OW": 2,
    "OF": 4,
    "OL": 4,
    "OD": 8,
    "OV": 8,
}
"""Bytes of one number; the other value representations have no byte order."""
_UNSIGNED = {2: "H", 4: "I", 8: "Q"}

LONG = {vr.encode(): vr for vr in (*sorted(BINARY), "SQ", "SV", "UC", "UR", "UT", "UV")}
"""As they are encoded, those with a length of 32 bits in Explicit VR."""
SHORT = {
    vr.encode(): vr
    for vr in (
        *("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH"),
        *("SL", "SS", "ST", "TM", "UI", "UL", "US"),
    )
}
"""As they are encoded, those with a length of 16 bits in Explicit VR."""


def swapped(vr: str, value: bytes) -> bytes:
    """Return binary numbers in the other byte order; an incomplete last one stays as it is."""
    width = WIDTHS.get(vr, 1)
    if width == 1:
        return value
    end = len(value) - len(value) % width
    numbers = array(_UNSIGNED[width], value[:end])
    numbers.byteswap()
    return numbers.tobytes() + value[end:]
