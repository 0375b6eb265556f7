"""Valid matching keys (PS3.4 C.2.2.2) that PACS understand.

Many PACS return no row and Success for a malformed key, so it must be found before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from pacsfw.api import is_uid
from pacsfw.dicom.vr import SINGLE_VALUED

_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DAY = r"\d{8}"
_TIME = r"(?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?"
_DAYS, _TIMES = (
    re.compile(f"(?P<one>{each})|(?P<first>{each})?(?P<dash>-)(?P<last>{each})?", re.ASCII)
    for each in (_DAY, _TIME)
)
_AGE = re.compile(r"\d{3}[DWMY]", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,12}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]?\d+)?", re.ASCII)
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_NO_LONG_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def normal(vr: str, text: str, *, fold: bool = False) -> str:
    """Return one matching value in its DICOM form: dates as ``YYYYMMDD``, times without colons.

    Parameters
    ----------
    vr
        Value representation of the attribute; not a sequence.
    text
        A single value, a value with wildcards, or a range of DA or TM, which may be open.
        A single date may be written ``YYYY-MM-DD``, times with colons.
    fold
        The comparison will ignore case.

    Raises
    ------
    ValueError
        The value cannot match, or PACS would misinterpret it. The message does not repeat
        the value, which may name a patient.
    """
    text = text.strip(" ")
    if not text:
        raise ValueError("is empty")
    form = _FORMS.get(vr)
    if form is not None:
        return form(text)
    wrong = _NO_LONG_TEXT if vr in SINGLE_VALUED else _NO_TEXT
    if wrong.search(text):
        raise ValueError("contains a control character")
    if "\\" in text and vr not in SINGLE_VALUED:
        raise ValueError("contains a backslash, which separates values")
    if vr == "CS" and not fold and text != text.upper():
        raise ValueError("is not in upper case (code string, CS)")
    return text


def _days(text: str) -> str:
    first, dash, last = _range(
        _DAYS,
        text.replace("-", "") if _ISO_DAY.fullmatch(text) else text,
        "is not a date or a range of dates (YYYYMMDD, YYYYMMDD-YYYYMMDD, YYYYMMDD- or "
        "-YYYYMMDD; dates have no wildcards)",
    )
    for each in filter(None, (first, last)):
        _check_day(each)
    if first and last and last < first:
        raise ValueError("is a range that ends before it begins")
    return f"{first}{dash}{last}"


def _check_day(digits: str) -> None:
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        raise ValueError("contains a day that does not exist") from None


def _times(text: str) -> str:
    first, dash, last = _range(
        _TIMES,
        text.replace(":", ""),
        "is not a time or a range of times (HH, HHMM, HHMMSS, HHMM-HHMM, HHMM- or -HHMM; "
        "times have no wildcards)",
    )
    if first and last and _padded(last, "9") < _padded(first, "0"):
        raise ValueError(
            "is a range that ends before it begins; across midnight, use two ranges such as 20- "
            "and -08"
        )
    return f"{first}{dash}{last}"


def _range(expression: re.Pattern[str], text: str, why: str) -> tuple[str, str, str]:
    """Return first, dash and last of a range; a single value has only the first."""
    found = expression.fullmatch(text)
    if found is None:
        raise ValueError(why)
    first, dash, last = found["one"] or found["first"] or "", found["dash"] or "", found["last"]
    if not first and not last:
        raise ValueError(why)
    return first, dash, last or ""


def _padded(time: str, digit: str) -> str:
    return time.replace(".", "").ljust(12, digit)


def _uid(text: str) -> str:
    if not is_uid(text):
        raise ValueError("is not a UID (at most 64 digits and dots; UIDs have no wildcards)")
    return text


def _formed(expression: re.Pattern[str], why: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if expression.fullmatch(text) is None:
            raise ValueError(why)
        return text

    return check


_FORMS: dict[str, Callable[[str], str]] = {
    "DA": _days,
    "TM": _times,
    "UI": _uid,
    "AS": _formed(_AGE, "is not an age such as 045Y (ages have no wildcards)"),
    "IS": _formed(_WHOLE, "is not a whole number (numbers have no wildcards and no ranges)"),
    "DS": _formed(_DECIMAL, "is not a number (numbers have no wildcards and no ranges)"),
}
