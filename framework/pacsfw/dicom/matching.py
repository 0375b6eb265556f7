"""Attribute matching of queries, on text (PS3.4 C.2.2.2).

Works only on text, so that query results can be checked without pydicom, and so that our own
test PACS matches by the same rules.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from pacsfw.dicom.vr import LEADING_BLANKS, PADDING, SINGLE_VALUED

WILDCARD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
"""Value representations in which ``*`` and ``?`` are wildcards (PS3.4 C.2.2.2.4)."""

RANGE_VRS = frozenset({"DA", "TM"})
"""Value representations that this module matches by range (PS3.4 C.2.2.2.5)."""

_DA = re.compile(r"\d{8}|\d{4}\.\d\d\.\d\d")
_TM = re.compile(r"\d\d(?:\d\d(?:\d\d(?:\.\d{1,6})?)?)?|\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?")
_LAST_TM = "235959999999"


def matches(vr: str, pattern: str, values: Sequence[str], *, fold: bool = False) -> bool:
    r"""Return whether an attribute matches a key of a query.

    Single value, list, universal, wildcard and range matching of PS3.4 C.2.2.2. An
    attribute with several values matches if one of them does. A key with several values
    (joined by ``\``; the standard has them for UIDs) matches if one of them does.

    Parameters
    ----------
    vr
        Value representation of the attribute, e.g. ``"DA"``.
    pattern
        The key of the query. An empty key matches everything, and so does a key of only
        ``*`` if the VR has wildcards.
    values
        The values of the attribute as text; none if it is absent or empty.
    fold
        Compare text (the VRs that have wildcards) as `folded`. PS3.4 C.2.2.2.1 leaves case
        and accents of PN to the PACS; everything else matches exactly.

    Raises
    ------
    ValueError
        The pattern is not valid for this VR: a malformed date or time, or a range of DT.
        The message never repeats the pattern.
    """
    keys = [pattern] if vr in SINGLE_VALUED else pattern.split("\\")
    keys = [key for key in (_trim(vr, key) for key in keys) if key]
    if not keys or (vr in WILDCARD_VRS and any(not key.strip("*") for key in keys)):
        return True
    found = [value for value in (_trim(vr, value) for value in values) if value]
    return any(_matches_one(vr, key, value, fold) for key in keys for value in found or [""])


def folded(text: str) -> str:
    """Return text without case and accents: ``Müller``, ``MULLER`` and ``muller`` are the same.

    Accents are characters that Unicode decomposes into the block "Combining Diacritical
    Marks"; voiced kana and the vowel signs of other scripts are letters. ``ß`` becomes ``ss``,
    ``ø`` is unchanged.
    """
    if text.isascii():
        return text.lower()
    letters = unicodedata.normalize("NFD", text).casefold()
    bare = "".join(char for char in letters if not "\u0300" <= char <= "\u036f")
    return unicodedata.normalize("NFC", bare)


def has_wildcard(vr: str, key: str) -> bool:
    """Return whether a key of this VR can match several texts."""
    return vr in WILDCARD_VRS and ("*" in key or "?" in key)


def is_nameable(text: str) -> bool:
    r"""Return whether a key can name just this text: not empty, without ``*``, ``?`` and ``\``."""
    return bool(text) and not set(text) & set("*?\\")


def _matches_one(vr: str, key: str, value: str, fold: bool) -> bool:
    if vr in RANGE_VRS:
        return _in_range(vr, key, value)
    if vr == "DT" and "-" in key:
        raise ValueError("a range of DT cannot be matched: use a single value, or DA and TM")
    if not value:
        return False
    if vr in ("DS", "IS"):
        return _same_number(key, value)
    if vr not in WILDCARD_VRS:
        return key == value
    if fold:
        key, value = folded(key), folded(value)
    if vr == "PN":
        return _matches_name(key, value, fold)
    return _alike(key, value, fold)


def _matches_name(key: str, value: str, fold: bool) -> bool:
    """Match the complete name or, for a key without ``=``, one of its component groups.

    The groups contain the name in alphabetic, ideographic and phonetic form (PS3.5 6.2.1),
    and a key does not state its form.
    """
    key = _bare_name(key)
    whole = _bare_name(value)
    candidates = [whole] if "=" in key else [whole, *map(_bare_name, value.split("="))]
    return any(_alike(key, candidate, fold) for candidate in candidates)


def _bare_name(name: str) -> str:
    """Remove the trailing delimiters of a name, which have no meaning (PS3.5 6.2.1)."""
    return "=".join(group.rstrip("^ ") for group in name.split("=")).rstrip("=")


def _in_range(vr: str, key: str, value: str) -> bool:
    first, dash, last = key.partition("-")
    if not dash:
        last = first
    elif not first and not last:
        raise ValueError(f"a {vr} range needs a bound (PS3.4 C.2.2.2.5)")
    low = _bounds(vr, first)[0] if first else ""
    high = _bounds(vr, last)[1] if last else "9"
    try:
        when = _bounds(vr, value)[0]
    except ValueError:
        return key == value and value != ""
    return low <= when <= high


def _bounds(vr: str, text: str) -> tuple[str, str]:
    """Return the first and the last instant that a date or time of any precision covers.

    Digits only and of equal length, so that they compare as text.
    """
    text = text.strip(" ")
    if (_DA if vr == "DA" else _TM).fullmatch(text) is None:
        raise ValueError(f"a key is not a {vr} value or range (PS3.4 C.2.2.2.5)")
    digits = re.sub(r"[.:]", "", text)
    if vr == "DA":
        return digits, digits
    return digits.ljust(len(_LAST_TM), "0"), digits + _LAST_TM[len(digits) :]


def _same_number(key: str, value: str) -> bool:
    try:
        return Decimal(key) == Decimal(value)
    except InvalidOperation:
        return key == value


def _alike(key: str, value: str, fold: bool) -> bool:
    if "*" not in key and "?" not in key:
        return key == value
    return _wildcard(key, fold).fullmatch(value) is not None


@lru_cache(maxsize=1024)
def _wildcard(key: str, fold: bool) -> re.Pattern[str]:
    # "?" stands for one character, and a folded sharp s has two.
    special = {"*": ".*", "?": "(?:ss|.)" if fold else "."}
    return re.compile("".join(special.get(char) or re.escape(char) for char in key), re.DOTALL)


def _trim(vr: str, text: str) -> str:
    """Leave out padding (PS3.5 6.2): leading blanks count in the long texts only."""
    text = text.rstrip(PADDING)
    return text if vr in LEADING_BLANKS else text.lstrip(" ")
