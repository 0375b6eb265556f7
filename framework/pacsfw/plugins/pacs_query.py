"""Query a PACS through a query provider; convert its exceptions to pacsfw's errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from pacsfw.api import Query, QueryProvider, QueryResult, QueryRow
from pacsfw.errors import ComponentError, PacsfwError


class PacsQuery:
    """An open query provider, for one thread; a context manager that closes it.

    ``component`` is its name, distribution and version.
    """

    def __init__(self, provider: QueryProvider, component: str) -> None:
        self._provider, self.component = provider, component

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
        """Send a query; pass its rows to ``emit`` as they arrive.

        Raises
        ------
        RemoteError
            The query could not be sent.
        ComponentError
            The provider failed.
        """
        try:
            return self._provider.ask(query, emit)
        except PacsfwError:
            raise
        except Exception as err:  # noqa: BLE001 - plugin boundary; its text may quote a patient
            raise ComponentError(f"query {self.component} failed: {type(err).__name__}") from None

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
