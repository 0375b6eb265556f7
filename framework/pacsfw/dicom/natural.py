"""Decode encoded values to natural ones: texts, numbers and tags.

Padding (blanks and NULs around a value) is removed, except for leading blanks of VR LT, ST, UT, UC
and UR.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from pacsfw.dicom.elements import NOT_ASCII
from pacsfw.dicom.vr import (
    BINARY,
    LEADING_BLANKS,
    LONG,
    NUMBERS,
    PADDING,
    SHORT,
    SINGLE_VALUED,
    TEXT,
)

_VRS = frozenset((*SHORT.values(), *LONG.values()))


class Undecodable(ValueError):
    """The bytes are not a value of their VR; the message gives the reason, but no value."""


def natural(vr: str, value: bytes, little: bool, decode: Callable[[bytes], str]) -> list[Any]:
    """Return the values of an element: texts, numbers, and tags as ``(gggg,eeee)``.

    Parameters
    ----------
    vr
        Value representation, except SQ.
    decode
        Decodes text in the character set of the instance.

    Returns
    -------
    list
        One or several values; an empty text is an empty value.

    Raises
    ------
    Undecodable
        The value has a wrong length, has bytes that are invalid in its character set, is
        binary, or has an unknown value representation.
    """
    if vr in NUMBERS or vr == "AT":
        return _numbers(vr, value, "><"[little])
    if vr not in _VRS:
        raise Undecodable("unknown value representation")
    if vr in BINARY:
        raise Undecodable(f"a binary value (VR {vr}): type json holds it in base64")
    try:
        text = decode(value) if vr in TEXT else value.decode("ascii")
    except UnicodeDecodeError:
        raise Undecodable(NOT_ASCII.format(vr=vr)) from None
    except ValueError as error:
        raise Undecodable(str(error)) from None
    if vr in SINGLE_VALUED:
        return [_tidied(text, vr)]
    return [_tidied(part, vr) for part in text.split("\\")]


def _tidied(text: str, vr: str) -> str:
    text = text.rstrip(PADDING) if vr in LEADING_BLANKS else text.strip(PADDING)
    return text.replace("\0", " ") if "\0" in text else text


def _numbers(vr: str, value: bytes, order: str) -> list[Any]:
    letter = NUMBERS.get(vr, "HH")
    size = struct.calcsize(f"={letter}")
    if len(value) % size:
        raise Undecodable(f"{len(value)} bytes are not a multiple of the size of VR {vr}")
    found = struct.iter_unpack(order + letter, value)
    if vr == "AT":
        return [f"({group:04X},{element:04X})" for group, element in found]
    return [number for (number,) in found]


def is_nothing(values: list[Any]) -> bool:
    """Return whether all values are empty."""
    return all(each == "" or each is None for each in values)
