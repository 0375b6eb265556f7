"""Asking a PACS through a query provider; what the provider raises becomes our error."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from pacsfw.api import Query, QueryProvider, QueryResult, QueryRow
from pacsfw.errors import ComponentError, PacsfwError


class PacsQuery:
    """An open query provider. Used by one thread; a context manager that closes it.

    Parameters
    ----------
    provider
        Open already.
    component
        Its name, distribution and version.
    """

    def __init__(self, provider: QueryProvider, component: str) -> None:
        self._provider, self.component = provider, component

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def requires_patient_id(self) -> bool:
        """Whether every query below PATIENT level must name a patient; may connect."""
        return self._provider.requires_patient_id

    def put(self, query: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
        """Put a query; its rows stream through ``emit``.

        Raises
        ------
        RemoteError
            The PACS could not be asked at all.
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
        """Put a query with few rows, and return them all."""
        rows: list[QueryRow] = []
        return self.put(query, rows.append), rows

    def release(self) -> None:
        """Give back connections while nothing is asked."""
        self._provider.release()

    def close(self) -> None:
        """End it."""
        self._provider.close()
