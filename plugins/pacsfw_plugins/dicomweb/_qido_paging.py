"""Pages put together to one answer, with an eye on whether any row can be missing.

Two pages overlap by one row: if it is not the same one, the list has moved between the two
requests and a row may have slipped through (PS3.18 section 8.3.4.4.1 promises the same
order only while the set of matches stays the same).
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
"""The standard's word for: ask for the next page (PS3.18 section 8.3.4.4.1)."""

_WARNS = re.compile(r"(?:^|[\s,])299 ")


class Pages:
    """What has come in answer to one question so far.

    Parameters
    ----------
    own_key
        The unique key of the level; every row must have it.
    above
        The unique keys that the resource names; rows that do not repeat them get them.
    emit
        Takes the rows.
    """

    def __init__(
        self, own_key: str, above: Mapping[str, str], emit: Callable[[QueryRow], None]
    ) -> None:
        self._own_key, self._above, self._emit = own_key, above, emit
        self.rows = 0
        """How many rows of the server's list have been read, from its beginning."""
        self.pages = 0
        self.status: int | None = None
        self.problem = ""
        """Why the answer is not whole; the first reason counts."""
        self._announced = 0
        self._widest = 0
        self._first = self._last = ""
        self._seen: set[bytes] = set()

    @property
    def overlap(self) -> int:
        """How many rows the next page has in common with the last one.

        None where every page had one row: a server that gives one at a time would get no
        further.
        """
        return 1 if self._widest > 1 else 0

    def take(self, reply: Reply) -> bool:
        """Take a page that was asked for at ``rows - overlap``; tell whether to ask on."""
        self.pages += 1
        self.status = reply.status
        page = [self._read(row) for row in reply.rows]
        if self.rows and not self._continues(page):
            return False
        fresh = page[self.overlap :] if self.rows else page
        if fresh:
            self._keep(fresh)
            self._widest = max(self._widest, len(page))
        self._heed(reply)
        if not fresh and self.rows < self._announced:
            self._fail("the server announced more rows than it gave")
        return bool(fresh)

    def _continues(self, page: list[dict[str, str]]) -> bool:
        """Tell whether a page follows the one before it in the same list."""
        head = page[0].get(self._own_key, "") if page else None
        if self.overlap and head == self._last:
            return True
        if head == self._first:
            self._fail("the server ignores 'offset': it gives the same page again")
            return False
        if self.overlap:
            self._fail("the list of the server changed, or its order, between two pages")
        return not self.overlap

    def _heed(self, reply: Reply) -> None:
        """Look at what the server says about the page."""
        if reply.status == HTTPStatus.PARTIAL_CONTENT:
            self._fail(f"{in_words(reply.status)}: the server says that this is not all")
        for more in _MORE.finditer(reply.warning):
            self._announced = max(self._announced, self.rows + int(more[1] or 1))
        if _WARNS.search(_MORE.sub("", reply.warning)):
            self._fail("the server warns (Warning: 299) that something was not as asked")

    def _read(self, row: Any) -> dict[str, str]:
        try:
            found = texts(row)
        except Malformed:
            self._fail("an answer could not be decoded")
            return {}
        if not found.get(self._own_key):
            self._fail(f"an answer had no {self._own_key}")
            return {}
        return {**self._above, **found}

    def _keep(self, page: list[dict[str, str]]) -> None:
        """Emit rows, each once.

        Two rows of the same UID that differ are two entries of the archive. Two that do
        not are one: in one page a weakness of the server, in two a list that has moved.
        """
        here: set[bytes] = set()
        for found in filter(None, page):
            digest = hashlib.blake2b(repr(sorted(found.items())).encode(), digest_size=16).digest()
            if digest in self._seen:
                self._fail("a row came again: the order of the server's list is not stable")
            elif digest not in here:
                here.add(digest)
                self._emit(QueryRow(found))
        self._seen |= here
        self._first = self._first if self.rows else page[0].get(self._own_key, "")
        self._last = page[-1].get(self._own_key, "")
        self.rows += len(page)

    def _fail(self, why: str) -> None:
        self.problem = self.problem or why
