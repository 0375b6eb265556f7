"""Errors of a database, without values of patients and passwords."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from pacsfw.errors import Refused, Retry, StateError

_PASSING = ("08", "40", "53", "55P03", "57", "58")
"""Prefixes of the SQLSTATEs (PostgreSQL, appendix A) of transient errors: connections, conflicts
of transactions, lack of resources, a lock, a server that stops or starts, its disk."""

_TOO_LARGE = ("54000",)
"""SQLSTATEs of a value beyond the limits of the server."""

_REFUSED = re.compile(
    r"authentication failed|does not exist|no pg_hba\.conf entry|no password supplied"
    r"|password is required|permission denied"
)
"""Messages of a server that denies access; a retry would not help."""


@contextmanager
def failures(target: str) -> Iterator[None]:
    """Convert errors of SQLAlchemy.

    Raises
    ------
    Retry
        The database cannot be reached at the moment, or is busy.
    StateError
        It refuses the statement.
    Refused
        It refuses a value.
    """
    try:
        yield
    except exc.DBAPIError as err:
        why = _why(err)
        # Without its cause, which may quote values of patients.
        if _passes(err):
            raise Retry(f"{target}: cannot be used at the moment: {why}") from None
        if _is_of_data(err):
            raise Refused(why, target) from None
        raise StateError(f"{target}: {why}") from None
    except exc.TimeoutError:
        raise Retry(f"{target}: cannot be used at the moment: no connection in time") from None
    except exc.SQLAlchemyError as err:
        raise StateError(f"{target}: {type(err).__name__}") from None


def _passes(err: exc.DBAPIError) -> bool:
    state = _state(err)
    if state:
        return state.startswith(_PASSING)
    if not isinstance(err, exc.OperationalError | exc.InterfaceError):
        return err.connection_invalidated
    message = str(err.orig)
    if type(err.orig).__module__.startswith("sqlite3"):
        return "locked" in message or "full" in message or "disk I/O" in message
    return not _REFUSED.search(message)


def _is_of_data(err: exc.DBAPIError) -> bool:
    return isinstance(err, exc.DataError | exc.IntegrityError) or _state(err) in _TOO_LARGE


def _state(err: exc.DBAPIError) -> str:
    return getattr(err.orig, "sqlstate", None) or ""


def _why(err: exc.DBAPIError) -> str:
    """Return the message if it names database objects only, otherwise the kind of error."""
    name = type(err.orig).__name__
    state = _state(err)
    if _is_of_data(err):
        return f"{name} ({state})" if state else name
    lines = str(err.orig).strip().splitlines()
    return lines[-1 if _REFUSED.search(str(err.orig)) else 0] if lines else name
