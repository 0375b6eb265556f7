"""Read the rows of a database. No message repeats a value or a password."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from pacsfw.api import Cohort, CohortHeader, CohortProblem, CohortRow
from pacsfw.errors import ConfigError, RemoteError
from pacsfw_plugins.cohorts._values import row_of


class SqlCohort(Cohort):
    """The rows of a query; the transaction is rolled back, so it changes nothing.

    Raises
    ------
    ValueError
        The URL cannot be read, or the driver of its database is not installed.
    """

    def __init__(self, url: str, query: str, parameters: Mapping[str, Any] = {}) -> None:
        try:
            self._engine = create_engine(url, hide_parameters=True)
            self._shown = make_url(url).render_as_string(hide_password=True)
        except (ArgumentError, NoSuchModuleError, ImportError) as err:
            why = type(err).__name__
            raise ValueError(f"the URL of a database cannot be used: {why}") from None
        self._query, self._parameters = query, dict(parameters)

    def rows(self) -> Iterator[CohortRow | CohortHeader | CohortProblem]:
        """Yield the rows in the order of the query.

        Raises
        ------
        ConfigError
            The query is wrong.
        RemoteError
            The database cannot be reached.
        """
        try:
            with self._engine.connect() as connection:
                result = connection.execute(text(self._query), self._parameters)
                names = list(result.keys())
                yield CohortHeader("the query", names)
                for number, row in enumerate(result, start=1):
                    yield row_of(f"row {number} of the query", names, row)
                connection.rollback()
        except DBAPIError as err:
            why = type(err.orig).__name__
            if err.connection_invalidated or not _is_of_the_query(err):
                raise RemoteError(f"find.cohort: {self._shown}: {why}") from None
            raise ConfigError(f"find.cohort: {self._shown}: the query fails: {why}") from None
        except SQLAlchemyError as err:
            name = type(err).__name__
            raise ConfigError(f"find.cohort: {self._shown}: the query fails: {name}") from None

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def _is_of_the_query(err: DBAPIError) -> bool:
    """Return whether the database understood us and refuses the query."""
    if err.statement is None:  # there was no connection
        return False
    return type(err).__name__ in ("ProgrammingError", "DataError", "NotSupportedError") or (
        "sqlite3" in type(err.orig).__module__
    )
