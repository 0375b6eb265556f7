"""What a server says about a request: the body of an error, and its ``Warning`` header.

Bodies are problem details (RFC 9457), JSON of other forms, HTML or plain text. Only terminals may
show them: they may name a patient.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import parse_qsl, quote

import requests
import urllib3
from pydicom.datadict import tag_for_keyword

from pacsfw.words import said

MAX_BODY = 64 * 1024
"""Bytes of an error body to read."""

_TELLING = {
    "title", "detail", "details", "message", "errormessage", "error_message", "error", "errors",
    "reason", "description", "error_description", "__type",
}  # fmt: skip
"""Names of JSON members that hold the reason, in lower case."""
_OF_PAGING = {"limit", "offset", "includefield"}
_TITLE = re.compile(r"<(title|h1)[^>]*>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(r"<[^>]*>")
_WARNED = re.compile(r'\b\d{3} [^\s"]+ "((?:[^"\\]|\\.)*)"')


def body_text(response: requests.Response) -> str:
    """Return the beginning of the body as text; nothing if it does not arrive."""
    try:
        body = response.raw.read(MAX_BODY, decode_content=True)
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        return ""
    return bytes(body).decode("utf-8", "replace")


def reason(body: str) -> str:
    """Return the words of an error body that are meant for people."""
    if body.lstrip()[:1] in ("{", "["):
        try:
            found = dict.fromkeys(_strings(json.loads(body), 4))
        except (ValueError, RecursionError):
            return body
        return "; ".join(found)
    if body.lstrip()[:1] == "<":
        title = _TITLE.search(body)
        body = html.unescape(_MARKUP.sub(" ", title[2] if title else body))
    return body


def warned(header: str) -> str:
    """Return the texts of a ``Warning`` header (RFC 7234 section 5.5)."""
    return "; ".join(dict.fromkeys(_WARNED.findall(header))) or header


def comment(text: str, path: str) -> str:
    """Return what a server said for a terminal, without the values of the request.

    Parameters
    ----------
    path
        Resource and query of the request.
    """
    _, _, query = path.partition("?")
    values = [value for key, value in parse_qsl(query) if key not in _OF_PAGING]
    return said(text, [*values, *map(quote, values)])


def named(body: str, path: str, keywords: Collection[str]) -> tuple[str, ...]:
    """Return the keywords that an error body names, itself or by their tags.

    A body that repeats the request, and so names all of them, says nothing about any.
    """
    text = body.replace(path, "").casefold()
    words = set(re.findall(r"\w+", text))
    found = tuple(key for key in dict.fromkeys(keywords) if _names(text, words, key))
    return found if len(found) < len(set(keywords)) or len(found) == 1 else ()


def _names(text: str, words: set[str], keyword: str) -> bool:
    tag = f"{tag_for_keyword(keyword) or 0:08x}"
    return keyword.casefold() in words or tag in words or f"{tag[:4]},{tag[4:]}" in text


def _strings(value: Any, depth: int) -> Iterator[str]:
    """Yield the texts in the telling members of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth:
        for each in value:
            yield from _strings(each, depth - 1)
    elif isinstance(value, dict) and depth:
        for name, each in value.items():
            if name.casefold() in _TELLING:
                yield from _strings(each, depth - 1)
