"""A row that a sink refuses is found and listed; all others are delivered, once."""

from __future__ import annotations

import csv
import re
import threading
from dataclasses import replace

import pytest

from pacsfw.api import ERRORS, Batch, Clock, Sink
from pacsfw.errors import ComponentError, Refused, Retry, StateError
from pacsfw.ledger.cells import encode
from pacsfw.steps.deliver.outbox import Outbox
from pacsfw.steps.deliver.refusals import Courier
from pacsfw.steps.deliver.sources import ErrorRows, InstanceRows
from pacsfw.steps.deliver.writing import Delivery, Writer, Written
from pacsfw_plugins.tables.csv import CsvSink
from pacsfw_plugins.tables.parquet import ParquetSink
from support.guards import guard
from unit.steps.deliver.settled import NOW, TABLE, settle

BAD = 2**70


class Appending(Sink):
    """Refuses some rows, as a file that grows."""

    appends = True
    error: type[Exception] = ValueError

    def __init__(self):
        self.rows, self.failing = [], []

    def deliver(self, batch):
        if self.failing and self.failing.pop(0):
            raise Retry("away")
        if any(row[1] == BAD for row in batch.rows):
            raise self.error("Müller^Anna")
        self.rows += [row[0] for row in batch.rows]

    def position(self):
        return len(self.rows)

    def restore(self, table, position):
        del self.rows[position:]


class Replacing(Appending):
    """The same, as a database."""

    appends = False
    error = Refused

    def __init__(self):
        super().__init__()
        self.keys = {}

    def deliver(self, batch):
        self.rows = []
        super().deliver(batch)
        self.keys[batch.key] = self.rows

    def restore(self, table, position):
        pass


def batch(*counts, key="1"):
    rows = [(str(number), count, f"/{number}.dcm") for number, count in enumerate(counts)]
    return Batch(table=TABLE, key=key, rows=rows)


def files(refused):
    return [row.file for row in refused]


@pytest.mark.parametrize("bad", [(0,), (9,), (3, 4), (0, 5, 9), tuple(range(1, 10))])
def test_the_refused_rows_are_named_and_the_others_are_there_once_in_order(bad):
    counts = [BAD if number in bad else 1 for number in range(10)]
    good = [str(number) for number in range(10) if number not in bad]
    appending, replacing = Appending(), Replacing()

    for sink in (appending, replacing):
        assert files(Courier(guard("sink", sink)).deliver(batch(*counts))) == [
            f"/{n}.dcm" for n in bad
        ]

    assert appending.rows == replacing.keys["1"] == good


def test_a_reason_has_no_text_of_an_error_that_may_quote_a_row():
    (failing,) = Courier(guard("sink", Appending())).deliver(batch(1, BAD))
    (refusing,) = Courier(guard("sink", Replacing())).deliver(batch(1, BAD))

    assert re.fullmatch(r"ValueError at test_refusals\.py:\d+", failing.reason)
    assert refusing.reason == "Müller^Anna"


@pytest.mark.parametrize("away", range(6))
def test_what_was_written_of_a_batch_is_not_there_twice_after_an_interruption(away):
    sink = Appending()
    sink.rows = ["earlier"]
    courier = Courier(guard("sink", sink))
    sink.failing = [False] * away + [True]
    try:
        courier.deliver(batch(1, BAD, 1, 1))
    except Retry:
        courier.deliver(batch(1, BAD, 1, 1))

    assert sink.rows == ["earlier", "0", "2", "3"]


def test_a_fault_that_meets_every_row_is_not_booked_on_rows():
    with pytest.raises(ComponentError, match=r"deliver: ValueError at test_refusals\.py"):
        Courier(guard("sink", Appending())).deliver(batch(*[BAD] * 5))


def test_a_target_that_fails_is_not_taken_for_a_refusal():
    class Full(Appending):
        def deliver(self, batch):
            raise StateError("no space left on device")

    with pytest.raises(StateError, match="no space"):
        Courier(guard("sink", Full())).deliver(batch(1, BAD))


# --- in a collection ----------------------------------------------------------------------------


def store(ledger, study, *counts):
    settle(ledger, study, {f"{study}.{number}": count for number, count in enumerate(counts)})


@pytest.fixture
def run(ledger, context, tmp_path):
    """Delivers to a sink and to its table of errors; returns the problem and the listed files."""

    def run(sink):
        errors = Outbox(
            "errors",
            CsvSink(str(tmp_path / "errors.csv")),
            ErrorRows(ledger, tmp_path / "archive", tmp_path / "state"),
            ledger,
        )
        rows = InstanceRows(TABLE, ledger, tmp_path / "archive")
        outbox = Outbox("table", guard("sink", sink), rows, ledger, component="'it' (from x 1.0)")
        outbox.listeners = [errors]
        for each in (outbox, errors):
            each.open(context, reparse=False)
        outbox.close()
        errors.close()
        assert errors.problem == ""
        with (tmp_path / "errors.csv").open(newline="") as file:
            listed = list(csv.DictReader(file))
        assert {row["stage"] for row in listed} <= {"table"}
        return outbox.problem, [row["file"].rpartition("/")[2] for row in listed]

    return run


@pytest.mark.parametrize("kind", [Appending, Replacing])
def test_a_refused_row_is_listed_and_the_other_studies_are_delivered(ledger, run, kind):
    store(ledger, "1", 1)
    store(ledger, "2", 1, BAD, 1)
    store(ledger, "3", 1)
    sink = kind()

    assert run(sink) == ("", ["2.1.dcm"])

    rows = sink.rows if kind is Appending else [row for rows in sink.keys.values() for row in rows]
    assert rows == ["1.0", "2.0", "2.2", "3.0"]
    [(table, reason, number)] = ledger.deliveries.refusals()
    why = "ValueError" if kind is Appending else "Müller^Anna"
    assert (table, reason.partition(" at ")[0], number) == ("table", why, 1)
    if kind is Replacing:  # what it cannot store is not tried again, but where it fails
        assert run(kind()) == ("", ["2.1.dcm"])


@pytest.mark.parametrize("place", ["1", "2", "3"])
def test_a_study_refused_as_a_whole_is_listed_if_the_sink_accepts_another(ledger, run, place):
    for study in ("1", "2", "3"):
        store(ledger, study, *([BAD, BAD] if study == place else [1]))

    assert run(Appending()) == ("", [f"{place}.0.dcm", f"{place}.1.dcm"])


def test_a_sink_that_accepts_nothing_is_at_fault_itself(ledger, run):
    store(ledger, "1", BAD, BAD)

    problem, listed = run(Appending())

    assert problem.startswith("deliver: ValueError at test_refusals.py")
    assert listed == []


def test_what_is_mended_is_no_longer_listed(ledger, run):
    store(ledger, "1", 1, BAD)
    assert run(Replacing()) == ("", ["1.1.dcm"])
    [_, bad] = ledger.instances.of_study("1")
    ledger.instances.record(replace(bad, row=encode(["1.1", 5])), NOW)

    assert run(Replacing()) == ("", [])
    assert ledger.deliveries.refusals() == []


def test_a_sink_that_is_no_longer_in_the_configuration_refuses_nothing(ledger, run):
    store(ledger, "1", 1, BAD)
    run(Replacing())
    ledger.deliveries.forget_refusals_except({"another"})

    assert run(Replacing()) == ("", [])


def test_a_rewrite_leaves_out_refused_rows(ledger, run, tmp_path):
    path = tmp_path / "table.parquet"
    store(ledger, "1", 1, BAD)
    store(ledger, "2", 1)
    assert run(ParquetSink(str(path))) == ("", ["1.1.dcm"])
    ledger.deliveries.mark_dirty("table")

    assert run(ParquetSink(str(path))) == ("", ["1.1.dcm"])

    assert [row["uid"] for _, row in ParquetSink(str(path)).read()] == ["1.0", "2.0"]
    assert ledger.deliveries.refusals() == [("table", "column 'count': OverflowError", 1)]


def test_a_parse_lists_what_a_table_refuses(tmp_path):
    table = Written("t.parquet", ParquetSink(str(tmp_path / "t.parquet")), TABLE, "'it'")
    errors = Written("e.csv", CsvSink(str(tmp_path / "e.csv")), ERRORS)
    for each in (table, errors):
        each.sink.begin(each.table)
    kept = []
    with Writer(lambda *each: kept.append(each), Clock(), threading.Event()) as writer:
        none = Batch(table=ERRORS, key="1", rows=[])
        writer.put(Delivery([(table, batch(1, BAD, 1)), (errors, none)], "state"))

    [(state, [(by, row)])] = kept
    assert (state, by, row.file) == ("state", table, "/1.dcm")
    assert [row["uid"] for _, row in table.sink.read()] == ["0", "2"]
    [(_, listed)] = errors.sink.read()
    assert list(listed.values()) == [
        *("/1.dcm", "", "", "table"),
        "not in the table t.parquet: column 'count': OverflowError",
        "'it'",
    ]
