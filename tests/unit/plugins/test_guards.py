"""The guards of all kinds: no member is forgotten, faults are named, results are checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacsfw.api import (
    Batch,
    Query,
    QueryResult,
    QueryRow,
    Request,
    Sink,
    Stored,
    Table,
)
from pacsfw.errors import ComponentError, ConfigError, RemoteError, Retry, Skip, StateError
from pacsfw.plugins.guards.kinds import KINDS, no_such_object
from support import misbehaving
from support.guards import guard, plain

UID = "1.2.3"
QUERY = Query(level="STUDY", match={"StudyInstanceUID": UID})
BATCH = Batch(table=Table("instances", ()), key=UID, rows=())
FILE = Stored(
    path=Path("x"), sop_uid="1", sop_class="1", study_uid=UID, series_uid="1", syntax="1", size=0,
    digest="",
)  # fmt: skip
CALLS: dict[str, tuple[str, type[Any], Callable[[Any], Any]]] = {
    "query.open": ("query", misbehaving.Query, lambda it: it.open(None)),
    "query.ask": ("query", misbehaving.Query, lambda it: it.ask(QUERY, print)),
    "transfer.open": ("transfer", misbehaving.Fetching, lambda it: it.open(None)),
    "transfer.expects": ("transfer", misbehaving.Fetching, lambda it: it.expects()),
    "transfer.fetch": (
        *("transfer", misbehaving.Fetching),
        lambda it: it.fetch(Request(study_uid=UID), None),
    ),
    "sink.open": ("sink", misbehaving.Delivering, lambda it: it.open(None)),
    "sink.has": ("sink", misbehaving.Delivering, lambda it: it.has("instances")),
    "sink.begin": ("sink", misbehaving.Delivering, lambda it: it.begin(BATCH.table)),
    "sink.deliver": ("sink", misbehaving.Delivering, lambda it: it.deliver(BATCH)),
    "sink.position": ("sink", misbehaving.Delivering, lambda it: it.position()),
    "sink.mark": ("sink", misbehaving.Delivering, lambda it: it.mark(BATCH.table, 0)),
    "sink.close": ("sink", misbehaving.Delivering, lambda it: it.close()),
    "converter.open": ("converter", misbehaving.Converting, lambda it: it.open(None)),
    "converter.convert": (
        *("converter", misbehaving.Converting),
        lambda it: list(it.convert([FILE], Path())),
    ),
    "observer.open": ("observer", misbehaving.Observing, lambda it: it.open(None)),
    "observer.notify": ("observer", misbehaving.Observing, lambda it: it.notify(None)),
    "observer.close": ("observer", misbehaving.Observing, lambda it: it.close()),
    "layout.call": (
        *("layout", misbehaving.layout),
        lambda it: it(type("Header", (), {"StudyInstanceUID": UID, "SOPInstanceUID": "1"})),
    ),
}
RETURNING = [
    ("query.ask", "none"), ("query.ask", "tuple"), ("query.ask", "text"),
    ("transfer.expects", "text"), ("transfer.expects", "tuple"), ("transfer.expects", "number"),
    ("transfer.fetch", "none"), ("transfer.fetch", "tuple"),
    ("sink.has", "none"), ("sink.has", "text"), ("sink.position", "none"),
    ("sink.position", "text"), ("sink.mark", "none"), ("sink.mark", "number"),
    ("converter.convert", "none"), ("converter.convert", "number"), ("converter.convert", "tuple"),
]  # fmt: skip
RAISING = ("raise", "exit", "panic", "interrupt")


@pytest.fixture(autouse=True)
def _own_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run has a handler of its own for SIGINT, so KeyboardInterrupt is not the user's."""
    monkeypatch.setattr("signal.getsignal", lambda _: None)


def called(place: str, how: str) -> Any:
    kind, factory, call = CALLS[place]
    method = place.partition(".")[2]
    return call(guard(kind, factory(how=how, at=method)))


@pytest.mark.parametrize("how", RAISING)
@pytest.mark.parametrize("place", CALLS)
def test_what_a_method_raises_is_named_and_not_quoted(place: str, how: str) -> None:
    with pytest.raises(ComponentError) as caught:
        called(place, how)

    kind, _, method = place.partition(".")
    fault = caught.value.fault
    assert (fault.kind, fault.component, fault.method) == (kind, "'it' (from x 1.0)", method)
    assert misbehaving.SECRET not in str(caught.value)
    assert fault.item == (UID if method in ("ask", "fetch", "deliver", "convert") else "")
    assert "misbehaving.py:" in fault.reason or how == "exit"


@pytest.mark.parametrize(("place", "how"), RETURNING)
def test_what_a_method_must_not_return_is_named(place: str, how: str) -> None:
    with pytest.raises(ComponentError, match=r"(returned|not) .*(returned|not|not a)"):
        called(place, how)


@pytest.mark.parametrize("kind", KINDS)
def test_no_member_of_the_base_class_is_forgotten(kind: str) -> None:
    base, guards = KINDS[kind].base, type(guard(kind, plain(kind)))
    public = [name for name in dir(base) if not name.startswith("_")]

    assert [name for name in public if name not in vars(guards)] == []


@pytest.mark.parametrize("place", ["query.close", "transfer.close", "transfer.cancel"])
def test_nothing_depends_on_a_farewell_but_it_is_counted(place: str) -> None:
    kind, _, method = place.partition(".")
    made = CALLS[f"{kind}.open"][1](how="raise", at=method)
    made.cancel = lambda: made.do("cancel")
    guarded = guard(kind, made)

    assert getattr(guarded, method)() is None
    assert [fault.method for fault in guarded._boundary.log.counts()] == [method]


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ({"StudyInstanceUID": UID}, "emitted dict, not QueryRow"),
        (QueryRow({"StudyDate": 20200101}), "maps str to int, not text to text"),
        (QueryRow({"PatientName": "\udcff"}), "has a text that UTF-8 cannot represent"),
        (QueryRow([("StudyDate", "")]), "an emitted row is list, not a mapping"),
    ],
)
def test_each_row_of_a_query_is_checked(row: Any, wrong: str) -> None:
    taken: list[QueryRow] = []
    provider = guard("query", misbehaving.Query(at="emit", how=row))

    with pytest.raises(ComponentError, match=wrong):
        provider.ask(QUERY, taken.append)
    assert taken == []


def test_our_own_errors_are_not_booked_on_the_component_that_calls_us() -> None:
    def emit(_: QueryRow) -> None:
        raise OSError("no space left on device")

    provider = guard("query", misbehaving.Query(at="emit", how=QueryRow({})))
    with pytest.raises(OSError, match="no space"):
        provider.ask(QUERY, emit)

    class Rewriting(misbehaving.Delivering):
        def rewrite(self, table: Any, batches: Any) -> None:
            list(batches)

    def batches() -> Any:
        yield BATCH
        raise OSError("the ledger cannot be read")

    sink = guard("sink", Rewriting())
    with pytest.raises(OSError, match="ledger"):
        sink.rewrite(BATCH.table, batches())
    assert not sink._boundary.log.counts()


def test_what_a_kind_may_raise_passes() -> None:
    def raising(err: Exception) -> Callable[..., Any]:
        def method(*_: Any) -> Any:
            raise err

        return method

    allowed = [
        ("query", "ask", RemoteError("gone")),
        ("transfer", "fetch", RemoteError("gone")),
        ("sink", "deliver", Retry("later")),
        ("sink", "deliver", StateError("damaged")),
        ("converter", "convert", Skip("not meant for it")),
        ("converter", "convert", Retry("later")),
        ("query", "open", ConfigError("net.called_node is missing")),
    ]
    for kind, method, err in allowed:
        made = CALLS[f"{kind}.open"][1]()
        setattr(made, method, raising(err))
        with pytest.raises(type(err)):
            CALLS[f"{kind}.{method}"][2](guard(kind, made))
    faulty = misbehaving.Query()
    faulty.ask = raising(Retry("later"))
    with pytest.raises(ComponentError, match="ask: raised Retry, which its kind cannot"):
        guard("query", faulty).ask(QUERY, print)


def test_rows_of_a_study_list_are_checked_as_they_are_read() -> None:
    class Listing(misbehaving.Delivering):
        def read(self) -> Any:
            yield "line 1", {"StudyInstanceUID": UID}
            yield "line 2", {"StudyInstanceUID": 7}

    rows = guard("sink", Listing()).read()
    assert next(rows) == ("line 1", {"StudyInstanceUID": UID})
    with pytest.raises(ComponentError, match="read: a row maps str to int"):
        next(rows)


def test_what_a_sink_can_do_is_seen_through_its_guard() -> None:
    class Able(misbehaving.Delivering):
        appends = True
        attributes = ("Rows",)

        def read(self) -> Any:
            return iter(())

        def rewrite(self, table: Any, batches: Any) -> None:
            pass

        def holds(self, table: Any, batches: Any, position: int) -> bool:
            return True

    able, unable = guard("sink", Able()), guard("sink", misbehaving.Delivering())
    facts = ("appends", "attributes", "lists", "rewrites", "compares")
    assert [getattr(able, fact) for fact in facts] == [True, ("Rows",), True, True, True]
    assert [getattr(unable, fact) for fact in facts] == [False, (), False, False, False]
    assert isinstance(able, Sink)


def test_a_good_result_is_returned_as_it_is() -> None:
    result = guard("query", misbehaving.Query()).ask(QUERY, print)
    assert result == QueryResult(complete=True, status_text="read to the end")


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_of_no_known_class_is_refused(kind: str) -> None:
    assert "does not derive from" in no_such_object(kind, misbehaving.Strange())
    assert no_such_object(kind, plain(kind)) == ""
    assert no_such_object("layout", 7) == "its factory made int, which is not callable"
