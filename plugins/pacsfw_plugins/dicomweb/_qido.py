"""QIDO-RS as a query provider (PS3.18 section 10.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pacsfw.api import Clock, Query, QueryProvider, QueryResult, QueryRow, RunContext
from pacsfw.dimse.identifier import UNIQUE_KEYS
from pacsfw.errors import RemoteError
from pacsfw.words import said
from pacsfw_plugins.dicomweb import _said
from pacsfw_plugins.dicomweb._client import NoAnswer, NoService, in_words, server_of
from pacsfw_plugins.dicomweb._qido_dialect import PAGE_LIMIT, Dialect, others
from pacsfw_plugins.dicomweb._qido_http import Connection, Reply
from pacsfw_plugins.dicomweb._qido_paging import WARNED, Pages
from pacsfw_plugins.dicomweb._qido_rows import attribute, encoded, parameters, resource

_NOT_FOUND = 404
_NO_LIMIT = 10**9
_IN_VAIN = 3
"""How often other dialects are tried in a row, if the server understands none of them."""


@dataclass(frozen=True, slots=True)
class Search:
    """A query, the path of the resource to search, and the unique keys in it."""

    path: str
    query: Query
    above: Mapping[str, str]


class Qido(QueryProvider):
    """Requests one page after another until the server has no more rows.

    Parameters
    ----------
    page_size
        Rows to request per page, at least 2: pages overlap by one row.
    total_timeout
        Seconds after which a query is abandoned.
    """

    def __init__(self, page_size: int = 200, total_timeout: float = 3600) -> None:
        self._dialect = Dialect(int(page_size))
        self._largest_page = self._in_vain = 0
        self._knows_keywords = False
        self._total_timeout = total_timeout
        self._clock = Clock()
        self._url = ""
        self._connection: Connection | None = None
        self._decoded: bool | None = None

    def open(self, context: RunContext) -> None:
        """Remember the server; the first query connects.

        Raises
        ------
        ConfigError
            The configuration names no server.
        """
        settings = server_of(context.net, "qido")
        self._clock, self._url = context.clock, settings.url
        self._connection = Connection(settings, context.clock)

    @property
    def advice(self) -> str:
        return "check its log, and whether the credentials in net.dicomweb allow searches"

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def ask(self, query: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
        """Answer one query by one or more requests.

        The status is the last HTTP status, and the evidence has the number of pages. A key with
        special characters is not sent to a server that does not decode percent-encoding. The
        evidence names such keys under ``keys_not_sent``, and there are more rows.

        Raises
        ------
        RemoteError
            No DICOMweb service can be reached, or it refuses the search.
        ValueError
            The level is PATIENT, a unique key above the level has no value, or a keyword
            is unknown.
        """
        path, above = resource(query)
        pages = Pages(UNIQUE_KEYS[query.level][-1], above, emit)
        deadline = self._clock.monotonic() + self._total_timeout
        unsent = encoded(query, above)
        ended, comment = "", ""
        refused: tuple[str, ...] = ()
        try:
            if unsent and self._decodes(deadline):
                unsent = []
            match = {key: value for key, value in query.match.items() if key not in unsent}
            search = Search(path, replace(query, match=match), above)
            ended = self._read(search, pages, deadline)
        except NoAnswer as err:
            at_the_base = err.status == _NOT_FOUND and query.level == "STUDY"
            if not pages.pages and (isinstance(err, NoService) or at_the_base):
                raise RemoteError(f"{self._url}: {err}", comment=err.comment) from None
            pages.status, comment = err.status, err.comment
            refused = tuple(key for key in err.keys if key != PAGE_LIMIT)
            pages.problem = f"{err}, after {pages.pages} pages" if pages.pages else str(err)
        evidence: dict[str, Any] = {"pages": pages.pages, "rows": pages.rows}
        if unsent:
            evidence["keys_not_sent"] = unsent
        if ended and pages.problem == WARNED:
            evidence["warned"] = True
        complete = bool(ended) and not pages.problem
        return QueryResult(
            complete=complete,
            status_text=ended if complete else pages.problem,
            status=pages.status,
            evidence=evidence,
            comment=comment or said(_said.warned(pages.warning), query.match.values()),
            refused_keys=refused,
        )

    def _decodes(self, deadline: float) -> bool:
        """Return whether the server decodes ``%XX`` in a query.

        A server that does not (Orthanc 1.10.1) finds nothing for such a value, and reports no
        error. If neither spelling of a wildcard finds a study, the standard is trusted.
        """
        if self._decoded is None:
            misread = self._finds("*", deadline) and not self._finds("%2A", deadline)
            self._decoded = not misread
        return self._decoded

    def _finds(self, name: str, deadline: float) -> bool:
        key = attribute("PatientName", by_tag=self._dialect.by_tag)
        target = f"studies?{key}={name}&limit=1&offset=0"
        try:
            reply = self._connected().page(target, deadline, self._dialect.accept)
        except NoAnswer as err:
            if isinstance(err, NoService) or err.status is None:
                raise
            return False  # a refused query found nothing
        return bool(reply.rows)

    def _connected(self) -> Connection:
        if self._connection is None:
            raise RemoteError("qido: queried before it was opened")
        return self._connection

    def _read(self, search: Search, pages: Pages, deadline: float) -> str:
        """Read all pages; return how the query ended, or nothing if it is incomplete."""
        max_rows, more = search.query.max_rows, True
        while more:
            if self._clock.monotonic() > deadline:
                raise NoAnswer(f"not done after {self._total_timeout:g} s")
            limit = max(2, max_rows - pages.rows + pages.overlap) if max_rows else _NO_LIMIT
            offset = max(0, pages.rows - pages.overlap)
            more = pages.take(self._page(search, offset, limit, deadline))
            if more and max_rows and pages.rows >= max_rows:
                pages.problem = pages.problem or f"stopped at the limit, after {pages.rows} rows"
                return ""
        return f"{in_words(pages.status or 0)}: {pages.rows} rows in {pages.pages} pages"

    def _page(self, search: Search, offset: int, limit: int, deadline: float) -> Reply:
        """Request a page in the dialect of the server, which the first requests find out."""
        try:
            return self._put(search, self._dialect, offset, limit, deadline)
        except NoAnswer as err:
            refusal = err
        for dialect in self._others(search, refusal, min(limit, self._dialect.page_size)):
            try:
                reply = self._put(search, dialect, offset, limit, deadline)
            except NoAnswer as err:
                if isinstance(err, NoService) or err.status is None:
                    raise
            else:
                self._dialect = dialect
                return reply
        raise refusal

    def _others(self, search: Search, refusal: NoAnswer, limit: int) -> Sequence[Dialect]:
        """Return the dialects to try; none if a key is refused, or no other was understood."""
        named = set(refusal.keys) - {PAGE_LIMIT}
        # A server that names a key by its keyword beside the matching keys has understood these.
        self._knows_keywords |= bool(named) and not named & search.query.match.keys()
        if self._in_vain >= _IN_VAIN or (named and self._knows_keywords):
            return ()
        self._in_vain += 1
        largest = self._largest_page
        return tuple(
            others(
                self._dialect,
                refusal,
                is_understood=bool(largest),
                limit=limit if limit > largest else 0,
            )
        )

    def _put(
        self, search: Search, dialect: Dialect, offset: int, limit: int, deadline: float
    ) -> Reply:
        limit = min(limit, dialect.page_size)
        keys = parameters(search.query, search.above, by_tag=dialect.by_tag)
        target = f"{search.path}?{keys}&limit={limit}&offset={offset}".replace("?&", "?")
        named = (*search.query.match, *search.query.returns, PAGE_LIMIT)
        reply = self._connected().page(target, deadline, dialect.accept, named)
        self._largest_page, self._in_vain = max(self._largest_page, limit), 0
        return reply
