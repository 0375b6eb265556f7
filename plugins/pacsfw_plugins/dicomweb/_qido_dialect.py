"""What a server understands of QIDO-RS: media types, names of keys, sizes of pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pacsfw_plugins.dicomweb._client import NoAnswer
from pacsfw_plugins.dicomweb._qido_http import ACCEPT

PAGE_LIMIT = "limit"
"""The parameter of a page's size, as an error names it."""

_SMALLER = (100, 50, 20, 10)
_OF_ACCEPT = {400, 406, 415}
_OF_NAMES = {400, 422, 500, 501}
_OF_SIZE = {400, 422}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to write a search: Accept header, names of attributes, rows per page."""

    page_size: int
    accept: str = ACCEPT[0]
    by_tag: bool = False


def others(
    dialect: Dialect, refusal: NoAnswer, *, is_understood: bool, limit: int
) -> Iterator[Dialect]:
    """Yield the dialects to try after a refusal, the likeliest first.

    Parameters
    ----------
    is_understood
        A search in this dialect was answered before, with smaller pages at least.
    limit
        Rows requested; 0 if pages of this size were answered before.
    """
    smaller = [replace(dialect, page_size=size) for size in _SMALLER if size < limit]
    is_of_size = refusal.status in _OF_SIZE and bool(smaller)
    if is_of_size and PAGE_LIMIT in refusal.keys:
        yield from smaller
        return
    if not is_understood:
        if refusal.status in _OF_NAMES and not dialect.by_tag:
            yield replace(dialect, by_tag=True)
        if refusal.status in _OF_ACCEPT:
            yield from (replace(dialect, accept=each) for each in ACCEPT if each != dialect.accept)
    if is_of_size and not refusal.keys:
        yield from smaller
