"""Query a PACS through a query provider, with the keys that the PACS accepts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self

from pacsfw.api import Query, QueryProvider, QueryResult, QueryRow
from pacsfw.plugins.refused_keys import RefusedKeys, is_refusal

_TEST_ROWS = 2
"""Rows after which a query that only tests keys is stopped."""


class PacsQuery:
    """An open query provider, for one thread; a context manager that closes it.

    Parameters
    ----------
    component
        Its name, distribution and version.
    refused
        The keys that the PACS refuses, shared with other threads; by default none are known.
    """

    def __init__(
        self, provider: QueryProvider, component: str, refused: RefusedKeys | None = None
    ) -> None:
        self._provider, self.component = provider, component
        self._refused = refused or RefusedKeys()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def requires_patient_id(self) -> bool:
        """Whether every query below PATIENT level must name a patient; may connect."""
        return self._provider.requires_patient_id

    @property
    def is_unlimited(self) -> bool:
        """Whether no limit of rows exists: then a complete query result needs no proof."""
        return self._provider.is_unlimited

    @property
    def advice(self) -> str:
        """What to check if queries are refused or not answered."""
        return self._provider.advice

    def put(self, query: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
        """Send a query, without the keys that the PACS refuses; pass its rows to ``emit``.

        Raises
        ------
        RemoteError
            The query could not be sent.
        ComponentError
            The provider failed.
        """
        asked = self._refused.without(query)
        result, rows = self._send(asked, emit)
        if rows or not self._refused.may_blame(asked, result):
            if rows or result.complete:
                self._refused.accept(asked)
            return result

        def works(returns: Sequence[str]) -> bool:
            fewer = replace(asked, returns=tuple(returns), max_rows=_TEST_ROWS)
            tested, found = self._send(fewer, lambda _: None)
            return bool(found) or not (is_refusal(tested) or tested.status is None)

        fewer = self._refused.find_out(asked, result, works)
        return result if fewer == asked else self._send(fewer, emit)[0]

    def _send(self, query: Query, emit: Callable[[QueryRow], None]) -> tuple[QueryResult, int]:
        """Send a query; return its result and the number of rows."""
        rows = 0

        def counted(found: QueryRow) -> None:
            nonlocal rows
            rows += 1
            emit(found)

        return self._provider.ask(query, counted), rows

    def ask(self, query: Query) -> tuple[QueryResult, list[QueryRow]]:
        """Send a query, and return its result and all rows."""
        rows: list[QueryRow] = []
        return self.put(query, rows.append), rows

    def release(self) -> None:
        """Release connections until the next query."""
        self._provider.release()

    def close(self) -> None:
        """Close the provider."""
        self._provider.close()
