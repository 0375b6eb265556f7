"""The contracts of the kinds: what each method may raise and return."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pacsfw.api import (
    Cohort,
    CohortHeader,
    CohortProblem,
    CohortRow,
    Converter,
    Observer,
    Outcome,
    OutputFile,
    Query,
    QueryProvider,
    QueryResult,
    QueryRow,
    Request,
    Sink,
    Transfer,
)
from pacsfw.dicom.levels import LEVELS
from pacsfw.errors import ConfigError, RemoteError, Retry, Skip, StateError
from pacsfw.plugins.boundary import Boundary
from pacsfw.plugins.guards.checks import (
    are_texts,
    is_a,
    is_count,
    is_encodable,
    is_text,
    kind_of,
    texts_by_text,
)
from pacsfw.plugins.guards.guard import Kind, Rule, ours, ours_each

_BOOL = Rule(returns=is_a(bool))
_TOLERATED = Rule(tolerated=True)
"""Of methods after which nothing of the component is needed."""


def _of_query(args: tuple[Any, ...]) -> str:
    query: Query = args[0]
    return query.match.get("StudyInstanceUID", "")


def _emitting(boundary: Boundary, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Check each row that a query provider emits."""
    query, emit = args
    take = ours(emit)

    def checked(row: QueryRow) -> None:
        if not isinstance(row, QueryRow):
            raise boundary.fault("ask", f"emitted {kind_of(row)}, not QueryRow")
        if wrong := texts_by_text(row.attributes, "an emitted row"):
            raise boundary.fault("ask", wrong)
        take(row)

    return query, checked


def _result(value: Any) -> str:
    if not isinstance(value, QueryResult):
        return f"returned {kind_of(value)}, not QueryResult"
    if not isinstance(value.complete, bool) or not isinstance(value.status, int | None):
        return "returned a QueryResult with a wrong type of complete or status"
    return "" if isinstance(value.status_text, str) else "returned a status_text that is no text"


def _outcome(value: Any) -> str:
    if not isinstance(value, Outcome):
        return f"returned {kind_of(value)}, not Outcome"
    numbers = (value.status, value.completed, value.failed, value.warning)
    if not all(isinstance(each, int | None) for each in numbers):
        return "returned an Outcome with a status or count that is no number"
    return "" if isinstance(value.status_text, str) else "returned a status_text that is no text"


def _expects(value: Any) -> str:
    if value is None:
        return ""
    good = (
        isinstance(value, tuple)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], Mapping)
    )
    return "" if good else f"returned {kind_of(value)}, not None or (name, options)"


def _level(value: Any) -> str:
    return "" if value in LEVELS else "is not a Query/Retrieve level"


def _listed(row: Any) -> str:
    if not isinstance(row, tuple) or len(row) != 2 or not isinstance(row[0], str):
        return f"yielded {kind_of(row)}, not (location, row)"
    return texts_by_text(row[1], "a row")


def _cohort_item(item: Any) -> str:
    if isinstance(item, CohortProblem):
        return is_text(item.where) or is_text(item.why)
    if isinstance(item, CohortHeader):
        return is_text(item.where) or are_texts(item.columns)
    if not isinstance(item, CohortRow):
        return f"yielded {kind_of(item)}, not CohortRow"
    if isinstance(item.cells, str) or not isinstance(item.cells, Sequence):
        return f"yielded a row whose cells are {kind_of(item.cells)}, not a sequence of pairs"
    for pair in item.cells:
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            return "yielded a row with something that is not (column, value)"
        if not is_encodable(f"{pair[0]}{pair[1] if isinstance(pair[1], str) else ''}"):
            return "yielded a text that UTF-8 cannot represent"
    return is_text(item.where)


def _second_is_ours(_: Boundary, args: tuple[Any, ...]) -> tuple[Any, ...]:
    first, second, *rest = args
    return first, ours_each(second), *rest


def _of_request(args: tuple[Any, ...]) -> str:
    request: Request = args[0]
    return request.study_uid


def _of_files(args: tuple[Any, ...]) -> str:
    files = args[0]
    return str(files[0].study_uid) if files else ""


KINDS: Mapping[str, Kind] = {
    "cohort": Kind(Cohort, (RemoteError, ConfigError), {"rows": Rule(each=_cohort_item)}),
    "query": Kind(
        QueryProvider,
        (RemoteError,),
        {
            "ask": Rule(returns=_result, takes=_emitting, item=_of_query),
            "requires_patient_id": _BOOL,
            "is_unlimited": _BOOL,
            "advice": Rule(returns=is_text),
            "release": _TOLERATED,
            "close": _TOLERATED,
        },
    ),
    "transfer": Kind(
        Transfer,
        (RemoteError,),
        {
            "fetch": Rule(returns=_outcome, item=_of_request),
            "expects": Rule(returns=_expects),
            "first_level": Rule(returns=_level),
            "cancel": _TOLERATED,
            "close": _TOLERATED,
        },
    ),
    "sink": Kind(
        Sink,
        (StateError, ConfigError, Retry),
        {
            "has": _BOOL,
            "deliver": Rule(item=lambda args: args[0].key),
            "rewrite": Rule(takes=_second_is_ours),
            "holds": Rule(takes=_second_is_ours, returns=is_a(bool)),
            "position": Rule(returns=is_count),
            "mark": Rule(returns=is_text),
            "read": Rule(each=_listed),
            "attributes": Rule(returns=are_texts),
            "appends": _BOOL,
            "rewrites": _BOOL,
            "compares": _BOOL,
            "lists": _BOOL,
        },
    ),
    "converter": Kind(
        Converter,
        (Skip, Retry),
        {"convert": Rule(each=is_a(OutputFile), item=_of_files), "close": _TOLERATED},
    ),
    "observer": Kind(Observer),
}
"""The kinds whose components are objects with several methods."""

CALLABLES: Mapping[str, tuple[type[BaseException], ...]] = {"layout": (Skip,)}
"""The kinds whose components are plain callables, and what these may raise.

Tag callbacks are called for each cell: `pacsfw.steps.tags` guards them.
"""


def no_such_object(kind: str, built: Any) -> str:
    """Return why an object cannot be a component of a kind, empty if it can."""
    if kind in KINDS:
        base = KINDS[kind].base
        if isinstance(built, base):
            return ""
        return f"its factory made {kind_of(built)}, which does not derive from {base.__name__}"
    return "" if callable(built) else f"its factory made {kind_of(built)}, which is not callable"


def guarded(kind: str, built: Any, boundary: Boundary) -> Any:
    """Return an object that calls ``built`` through its boundary."""
    if kind in KINDS:
        boundary.passing = KINDS[kind].passing
        return KINDS[kind].guard(built, boundary)
    if kind in CALLABLES:
        boundary.passing = CALLABLES[kind]
        return _guarded_callable(built, boundary)
    return built


def _guarded_callable(function: Callable[..., Any], boundary: Boundary) -> Callable[..., Any]:
    call = boundary.call

    def guard(*args: Any) -> Any:
        return call("call", function, *args)

    if not isinstance(function, type):
        for name in ("open", "close", "check"):  # `pacsfw.plugins.opening` guards these
            if hasattr(function, name):
                setattr(guard, name, getattr(function, name))
    return guard
