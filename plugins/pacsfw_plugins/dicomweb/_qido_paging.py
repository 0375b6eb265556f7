"""Join pages to one query result, and detect whether rows can be missing.

Two pages overlap by one row. If this row differs, the list has changed between the two
requests, and a row may be missing (PS3.18 section 8.3.4.4.1 promises the same order only
while the set of matches stays the same).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from pacsfw.api import QueryRow
from pacsfw_plugins.dicomweb._client import in_words
from pacsfw_plugins.dicomweb._qido_http import Reply
from pacsfw_plugins.dicomweb._qido_rows import Malformed, texts

_MORE = re.compile(r"299 [^,]*?There are (\d{1,9} )?additional results that can be requested", re.I)
"""By which the standard announces a further page (PS3.18 section 8.3.4.4.1)."""

WARNED = "the server warns (Warning: 299) that it did not follow the query"

_WARNS = re.compile(r"(?:^|[\s,])299 ")


class Pages:
    """The pages of one query so far.

    Parameters
    ----------
    own_key
        The unique key of the level; every row must have it.
    above
        The unique keys in the path of the resource, which are added to rows without them.
    emit
        Called with each row.
    """

    def __init__(
        self, own_key: str, above: Mapping[str, str], emit: Callable[[QueryRow], None]
    ) -> None:
        self._own_key, self._above, self._emit = own_key, above, emit
        self.rows = 0
        """The number of rows read from the list of the server."""
        self.pages = 0
        self.status: int | None = None
        self.problem = ""
        """The first reason why the query result is incomplete."""
        self.warning = ""
        """The ``Warning`` header, if the server did not follow the query."""
        self._announced = 0
        self._widest = 0
        self._first = self._last = ""
        self._seen: set[bytes] = set()

    @property
    def overlap(self) -> int:
        """The number of rows that the next page shares with the last one.

        It is 0 if every page had one row: otherwise a server that returns one row per page
        would return the same row forever.
        """
        return 1 if self._widest > 1 else 0

    def take(self, reply: Reply) -> bool:
        """Add a page requested at ``rows - overlap``; return whether to request another."""
        self.pages += 1
        self.status = reply.status
        page = [self._read(row) for row in reply.rows]
        if self.rows and not self._continues(page):
            return False
        fresh = page[self.overlap :] if self.rows else page
        if fresh:
            self._keep(fresh)
            self._widest = max(self._widest, len(page))
        self._check_warnings(reply)
        if not fresh and self.rows < self._announced:
            self._fail("the server announced more rows than it returned")
        return bool(fresh)

    def _continues(self, page: list[dict[str, str]]) -> bool:
        """Return whether a page continues the page before."""
        head = page[0].get(self._own_key, "") if page else None
        if self.overlap and head == self._last:
            return True
        if head == self._first:
            self._fail("the server ignores 'offset': it returned the same page again")
            return False
        if self.overlap:
            self._fail("the list of the server, or its order, changed between two pages")
        return not self.overlap

    def _check_warnings(self, reply: Reply) -> None:
        if reply.status == HTTPStatus.PARTIAL_CONTENT:
            self._fail(f"{in_words(reply.status)}: the server returned only a part")
        for more in _MORE.finditer(reply.warning):
            self._announced = max(self._announced, self.rows + int(more[1] or 1))
        if _WARNS.search(_MORE.sub("", reply.warning)):
            self.warning = self.warning or reply.warning
            self._fail(WARNED)

    def _read(self, row: Any) -> dict[str, str]:
        try:
            found = texts(row)
        except Malformed:
            self._fail("a row could not be decoded")
            return {}
        if not found.get(self._own_key):
            self._fail(f"a row had no {self._own_key}")
            return {}
        return {**self._above, **found}

    def _keep(self, page: list[dict[str, str]]) -> None:
        """Emit each row once.

        Two different rows with the same UID are two entries of the PACS. Two equal rows are one
        entry: within a page the server repeats itself, in two pages the list has changed.
        """
        here: set[bytes] = set()
        for found in filter(None, page):
            digest = hashlib.blake2b(repr(sorted(found.items())).encode(), digest_size=16).digest()
            if digest in self._seen:
                self._fail("a row came twice: the order of the server's list is not stable")
            elif digest not in here:
                here.add(digest)
                self._emit(QueryRow(found))
        self._seen |= here
        self._first = self._first if self.rows else page[0].get(self._own_key, "")
        self._last = page[-1].get(self._own_key, "")
        self.rows += len(page)

    def _fail(self, why: str) -> None:
        self.problem = self.problem or why
