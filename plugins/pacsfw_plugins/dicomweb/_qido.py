"""QIDO-RS as a query provider (PS3.18 section 10.6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pacsfw.api import Clock, Query, QueryProvider, QueryResult, QueryRow, RunContext
from pacsfw.dimse.identifier import UNIQUE_KEYS
from pacsfw.errors import RemoteError
from pacsfw_plugins.dicomweb._client import NoAnswer, NoService, in_words, server_of
from pacsfw_plugins.dicomweb._qido_http import Connection, Reply
from pacsfw_plugins.dicomweb._qido_paging import WARNED, Pages
from pacsfw_plugins.dicomweb._qido_rows import encoded, parameters, resource

_NOT_FOUND = 404


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
        self._page_size = int(page_size)
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
        try:
            if unsent and self._decodes(deadline):
                unsent = []
            match = {key: value for key, value in query.match.items() if key not in unsent}
            target = f"{path}?{parameters(replace(query, match=match), above)}"
            ended = self._read(target, pages, query.max_rows, deadline)
        except NoAnswer as err:
            at_the_base = err.status == _NOT_FOUND and query.level == "STUDY"
            if not pages.pages and (isinstance(err, NoService) or at_the_base):
                raise RemoteError(f"{self._url}: {err}") from None
            pages.status = err.status
            pages.problem = f"{err}, after {pages.pages} pages" if pages.pages else str(err)
            ended = ""
        evidence: dict[str, Any] = {"pages": pages.pages, "rows": pages.rows}
        if unsent:
            evidence["keys_not_sent"] = unsent
        if ended and pages.problem == WARNED:
            evidence["warned"] = True
        complete = bool(ended) and not pages.problem
        text = ended if complete else pages.problem
        return QueryResult(
            complete=complete, status_text=text, status=pages.status, evidence=evidence
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
        try:
            reply = self._get(f"studies?PatientName={name}&limit=1&offset=0", deadline)
        except NoAnswer as err:
            if isinstance(err, NoService) or err.status is None:
                raise
            return False  # a refused query found nothing
        return bool(reply.rows)

    def _get(self, target: str, deadline: float) -> Reply:
        if self._connection is None:
            raise RemoteError("qido: queried before it was opened")
        return self._connection.page(target, deadline)

    def _read(self, target: str, pages: Pages, max_rows: int, deadline: float) -> str:
        """Read all pages; return how the query ended, or nothing if it is incomplete."""
        more = True
        while more:
            if self._clock.monotonic() > deadline:
                raise NoAnswer(f"not done after {self._total_timeout:g} s")
            limit = self._page_size
            if max_rows:
                limit = min(limit, max(2, max_rows - pages.rows + pages.overlap))
            window = f"&limit={limit}&offset={max(0, pages.rows - pages.overlap)}"
            more = pages.take(self._get((target + window).replace("?&", "?"), deadline))
            if more and max_rows and pages.rows >= max_rows:
                pages.problem = pages.problem or f"stopped at the limit, after {pages.rows} rows"
                return ""
        return f"{in_words(pages.status or 0)}: {pages.rows} rows in {pages.pages} pages"
