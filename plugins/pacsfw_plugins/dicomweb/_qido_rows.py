"""QIDO-RS queries as URLs (PS3.18 section 8.3.4), and rows of DICOM JSON as text (annex F)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.valuerep import STR_VR

from pacsfw.api import Query, is_uid
from pacsfw.dicom.vr import NUMBERS, PADDING, SINGLE_VALUED
from pacsfw.dimse.identifier import UNIQUE_KEYS

_COLLECTIONS = {"STUDY": "studies", "SERIES": "series", "IMAGE": "instances"}
_TEXTS = {str(vr) for vr in STR_VR} | NUMBERS.keys()
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_PLAIN = "*,/:?@!$'()"
"""Allowed in the query of a URL in addition to letters and digits, without a meaning (RFC 3986)."""

TAG = re.compile("[0-9A-Fa-f]{8}")


class Malformed(Exception):
    """The response is not DICOM JSON. The message quotes nothing of it."""


def resource(query: Query) -> tuple[str, dict[str, str]]:
    """Return the path of the resource to search, and the unique keys in the path.

    Raises
    ------
    ValueError
        QIDO-RS does not have the level (PS3.18 table 10.6.1-1), or a unique key above it
        has no single value.
    """
    if query.level not in _COLLECTIONS:
        raise ValueError(f"QIDO-RS has no search at level {query.level}: search at level STUDY")
    path, above = "", {}
    for key, name in zip(UNIQUE_KEYS[query.level][:-1], _COLLECTIONS.values(), strict=False):
        uid = query.match.get(key, "")
        if not is_uid(uid):
            raise ValueError(f"a query at level {query.level} needs a value for {key}")
        path += f"{name}/{uid}/"
        above[key] = uid
    return path + _COLLECTIONS[query.level], above


def parameters(query: Query, above: Mapping[str, str], *, by_tag: bool = False) -> str:
    """Return the query of the URL, without the keys that are in the path.

    Parameters
    ----------
    by_tag
        Name attributes by tag (``00100020``) instead of keyword; both are standard.

    Raises
    ------
    ValueError
        A keyword is unknown.
    """
    match = {key: value for key, value in query.match.items() if key not in above}
    pairs = [(key, _value(key, value)) for key, value in match.items() if value]
    returned = dict.fromkeys((*query.returns, *(key for key, value in match.items() if not value)))
    pairs = [(attribute(key, by_tag=by_tag), value) for key, value in pairs]
    pairs += [("includefield", attribute(keyword, by_tag=by_tag)) for keyword in returned]
    return "&".join(f"{key}={value}" for key, value in pairs)


def attribute(keyword: str, *, by_tag: bool) -> str:
    """Return the name of an attribute in a URL.

    Raises
    ------
    ValueError
        The keyword is unknown.
    """
    tag = f"{_tag(keyword):08X}"
    return tag if by_tag else keyword


def encoded(query: Query, above: Mapping[str, str]) -> list[str]:
    """Return the keywords whose values must be percent-encoded."""
    match = {key: value for key, value in query.match.items() if key not in above}
    return [key for key, value in match.items() if "%" in _value(key, value)]


def _value(keyword: str, value: str) -> str:
    if dictionary_VR(_tag(keyword)) == "UI":
        value = value.replace("\\", ",")  # the list of UIDs, PS3.18 section 8.3.4.1
    return quote(value, safe=_PLAIN)


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword!r} is not a DICOM keyword")
    return tag


def texts(row: Any) -> dict[str, str]:
    r"""Return one row as keyword to text: several values joined by ``\``, padding stripped.

    An element without a value becomes the empty text. Private elements, sequences and bulk
    data are skipped.

    Raises
    ------
    Malformed
        It does not follow annex F.
    """
    if not isinstance(row, dict):
        raise Malformed("a row is not a JSON object")
    found = {}
    for name, element in row.items():
        keyword = keyword_for_tag(int(name, 16)) if TAG.fullmatch(name) else ""
        if keyword:
            text = _element(keyword, element)
            if text is not None:
                found[keyword] = text
    return found


def _element(keyword: str, element: Any) -> str | None:
    if not isinstance(element, dict):
        raise Malformed("an element is not a JSON object")
    vr = element.get("vr", "UN")
    if vr == "UN":
        vr = dictionary_VR(_tag(keyword))
    if not isinstance(vr, str):
        raise Malformed("a VR is not text")
    if vr not in _TEXTS or element.keys() & {"BulkDataURI", "InlineBinary"}:
        return None
    return _text(vr, element.get("Value"))


def _text(vr: str, values: Any) -> str:
    if values is None:
        return ""
    if not isinstance(values, list):
        values = [values]
    text = "\\".join(_one(vr, value) for value in values)
    # JSON can contain half of a surrogate pair, UTF-8 cannot.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _one(vr: str, value: Any) -> str:
    if value is None:
        return ""
    if vr == "PN" and isinstance(value, dict):
        value = "=".join(_one("LO", value.get(group)) for group in _GROUPS).rstrip("=")
    if not isinstance(value, str):
        raise Malformed(f"a value of VR {vr} is neither text nor number")
    return value.rstrip(PADDING) if vr in SINGLE_VALUED else value.strip(PADDING)
