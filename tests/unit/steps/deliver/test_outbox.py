"""Delivery to sinks: nothing twice, nothing forgotten, whatever happens in between."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest

from pacsfw.api import Clock, Column, Sink, Table
from pacsfw.dicom.cell_errors import CellError
from pacsfw.errors import Retry, StateError
from pacsfw.ledger.cells import encode
from pacsfw.ledger.instances import Instance
from pacsfw.steps.deliver.outbox import Outbox
from pacsfw.steps.deliver.sources import PATH_COLUMN, ErrorRows, InstanceRows
from pacsfw_plugins.tables.csv import CsvSink
from support.guards import guard
from unit.steps.deliver.settled import NOW, TABLE, settle


@pytest.fixture
def deliver(ledger, context, tmp_path):
    """Opens an outbox for the table, lets the test work, closes it, and gives the rows."""
    path = tmp_path / "table.csv"

    def deliver(work=lambda outbox: None, *, reparse=False, table=TABLE):
        rows = InstanceRows(table, ledger, tmp_path / "archive")
        outbox = Outbox(str(path), guard("sink", CsvSink(str(path))), rows, ledger)
        outbox.open(context, reparse=reparse)
        try:
            work(outbox)
        finally:
            outbox.close()
        assert outbox.problem == ""
        with path.open(newline="") as file:
            return [row["uid"] for row in csv.DictReader(file)]

    deliver.path = path
    return deliver


def store(ledger, study, *uids, count=1):
    settle(ledger, study, dict.fromkeys(uids, count), f"{study}/")


def test_what_is_settled_during_the_run_is_delivered(ledger, deliver):
    def work(outbox):
        store(ledger, "1", "1.1", "1.2")
        outbox.settled("1")

    assert deliver(work) == ["1.1", "1.2"]
    assert deliver() == ["1.1", "1.2"]


def test_what_was_settled_before_is_delivered_at_the_start(ledger, deliver):
    store(ledger, "1", "1.1")

    assert deliver() == ["1.1"]


def test_the_path_is_the_last_column_and_absolute(ledger, deliver, tmp_path):
    store(ledger, "1", "1.1")
    deliver()

    assert deliver.path.read_text().splitlines()[1] == f"1.1,1,{tmp_path}/archive/1/1.1.dcm"


def test_a_row_that_was_written_but_not_committed_is_written_once(ledger, deliver):
    store(ledger, "1", "1.1")
    deliver()
    with deliver.path.open("a") as file:
        file.write("1.2,1,half a ro")
    store(ledger, "2", "2.1")

    assert deliver() == ["1.1", "2.1"]


def test_a_study_that_changed_is_replaced_in_its_place(ledger, deliver):
    store(ledger, "1", "1.1")
    store(ledger, "2", "2.1")
    deliver()

    def grow(outbox):
        store(ledger, "1", "1.1", "1.2")
        outbox.settled("1")

    assert deliver(grow) == ["1.1", "1.2", "2.1"]


def test_a_rewrite_that_was_interrupted_is_done_at_the_next_end(ledger, deliver):
    store(ledger, "1", "1.1")
    deliver()
    store(ledger, "1", "1.1", "1.2")
    ledger.deliveries.mark_dirty(str(deliver.path))
    deliver.path.write_text("whatever a crash left")

    assert deliver() == ["1.1", "1.2"]


def test_a_table_that_was_removed_is_written_anew(ledger, deliver):
    store(ledger, "1", "1.1")
    deliver()
    deliver.path.unlink()

    assert deliver() == ["1.1"]


def test_new_columns_wait_until_the_rows_are_read_anew(ledger, deliver):
    store(ledger, "1", "1.1")
    deliver()
    table = Table("instances", (Column("uid"), Column(PATH_COLUMN)))

    assert deliver(reparse=True, table=table) == ["1.1"]  # held back: still the old table
    assert "count" in deliver.path.read_text()

    def reread(outbox):
        ledger.instances.record(
            Instance(**{
                **{name: getattr(ledger.instances.of_study("1")[0], name) for name in (
                    "sop_uid", "digest", "study_uid", "series_uid", "sop_class", "syntax",
                    "size", "path", "state")},
                "row": encode(["anew"]),
            }),
            NOW,
        )  # fmt: skip
        outbox.refresh()

    assert deliver(reread, reparse=True, table=table) == ["anew"]
    assert "count" not in deliver.path.read_text()


def test_an_edited_table_is_refused_at_the_start(ledger, deliver):
    store(ledger, "1", "1.1")
    deliver()
    deliver.path.write_text("short\n")

    with pytest.raises(StateError, match=r"table\.csv"):
        deliver()


class Broken(Sink):
    """Fails at the second batch, quoting a patient."""

    def __init__(self):
        self.keys = []

    def deliver(self, batch):
        if self.keys:
            raise ValueError("Müller^Anna")
        self.keys.append(batch.key)


def test_a_sink_that_fails_is_named_and_keeps_its_rows_due(ledger, context, tmp_path, caplog):
    for study in ("1", "2", "3"):
        store(ledger, study, f"{study}.1")
    outbox = Outbox(
        "broken", guard("sink", Broken()), InstanceRows(TABLE, ledger, tmp_path), ledger
    )
    outbox.open(context, reparse=False)
    outbox.close()

    [(table, reason, number)] = ledger.deliveries.refusals()
    assert (table, reason.partition(" at ")[0], number) == ("broken", "ValueError", 2)
    assert ledger.deliveries.due("broken") == ["2", "3"]
    assert "Müller" not in caplog.text


def test_a_study_that_is_asked_for_again_keeps_its_rows_in_a_rewrite(ledger, deliver):
    store(ledger, "1", "1.1")
    store(ledger, "2", "2.1")
    deliver()
    ledger.studies.requested("2", NOW)
    ledger.deliveries.mark_dirty(str(deliver.path))

    assert deliver() == ["1.1", "2.1"]


class Clinging(Sink):
    """Takes everything and fails when it is closed, quoting a patient."""

    def deliver(self, batch):
        pass

    def close(self):
        raise ValueError("Müller^Anna")


def test_a_sink_that_fails_to_close_does_not_keep_the_others_from_closing(
    ledger, context, tmp_path, caplog
):
    outbox = Outbox(
        "clinging", guard("sink", Clinging()), InstanceRows(TABLE, ledger, tmp_path), ledger
    )
    outbox.open(context, reparse=False)
    outbox.close()

    assert outbox.problem.startswith("close: ValueError at test_outbox.py")
    assert "Müller" not in caplog.text


class Away(Sink):
    """Cannot be reached for a number of attempts."""

    def __init__(self, attempts):
        self.attempts, self.delivered, self.opened = attempts, [], 0

    def has(self, table):
        self.opened += 1
        self._reach()
        return True

    def deliver(self, batch):
        self._reach()
        self.delivered.append(batch.key)

    def _reach(self):
        if self.attempts:
            self.attempts -= 1
            raise Retry("no route to the database")


class Impatient(Clock):
    """Waits for nothing, and keeps what it should have waited."""

    def __init__(self):
        self.waited = []

    def wait(self, event, seconds):
        self.waited.append(seconds)
        return event.wait(0.001)


@pytest.fixture
def impatient(context):
    return replace(context, clock=Impatient())


def outbox_to(sink, ledger, tmp_path):
    return Outbox("away", guard("sink", sink), InstanceRows(TABLE, ledger, tmp_path), ledger)


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_sink_that_is_away_for_a_while_gets_everything_in_the_end(
    ledger, impatient, tmp_path, attempts
):
    store(ledger, "1", "1.1")
    store(ledger, "2", "2.1")
    sink = Away(attempts)
    outbox = outbox_to(sink, ledger, tmp_path)
    outbox.open(impatient, reparse=False)
    outbox.close()

    assert sorted(sink.delivered) == ["1", "2"]
    assert outbox.problem == ""
    assert ledger.deliveries.due("away") == []


def test_a_sink_that_stays_away_is_a_problem_with_its_reason_and_is_served_next_time(
    ledger, impatient, tmp_path, caplog
):
    store(ledger, "1", "1.1")
    outbox = outbox_to(Away(10_000), ledger, tmp_path)
    outbox.open(impatient, reparse=False)
    outbox.close()

    assert outbox.problem == "no route to the database; the next run delivers its rows"
    assert impatient.clock.waited[-4:] == [1, 2, 4, 8]
    assert caplog.text.count("no route to the database") == 2  # at the start, and once trying
    again = Away(0)
    outbox = outbox_to(again, ledger, tmp_path)
    outbox.open(impatient, reparse=False)
    outbox.close()
    assert again.delivered == ["1"]


class Forgetful(Sink):
    """Has lost its table, and cannot write it in one go."""

    def __init__(self):
        self.delivered = []

    def has(self, table):
        return False

    def deliver(self, batch):
        self.delivered.append(batch.key)


def test_a_sink_that_cannot_rewrite_is_given_every_batch_again(ledger, context, tmp_path):
    store(ledger, "1", "1.1")
    for _ in range(2):
        sink = Forgetful()
        outbox = outbox_to(sink, ledger, tmp_path)
        outbox.open(context, reparse=False)
        outbox.close()
        assert sink.delivered == ["1"]


def quarantine(ledger, study, digest):
    ledger.instances.record(
        Instance(
            sop_uid=digest,
            digest=digest,
            study_uid=study,
            series_uid="",
            sop_class="c",
            syntax="t",
            size=1,
            path=f"quarantine/{digest}.dcm",
            state="quarantined",
            reason="it has no StudyInstanceUID",
        ),
        NOW,
    )


def test_each_failure_is_a_row_of_the_errors_table(ledger, context, tmp_path):
    store(ledger, "1", "1.1")
    known = ledger.instances.of_study("1")[0]
    error = CellError(
        column="uid",
        tag="PatientID",
        stage="callback",
        plugin="'f' (from x 1.0)",
        reason="ValueError at x:1",
    )
    ledger.instances.record(replace(known, row=encode([None, 1]), errors=[error]), NOW)
    store(ledger, "2", "2.1")
    quarantine(ledger, "2", "d2")
    quarantine(ledger, "", "d3")
    path = tmp_path / "errors.csv"
    rows = ErrorRows(ledger, tmp_path / "archive", tmp_path / "state")

    def deliver():
        outbox = Outbox(str(path), guard("sink", CsvSink(str(path))), rows, ledger)
        outbox.open(context, reparse=False)
        outbox.close()
        assert outbox.problem == ""
        with path.open(newline="") as file:
            return [tuple(row.values()) for row in csv.DictReader(file)]

    state, why = tmp_path / "state" / "quarantine", "it has no StudyInstanceUID"
    of_cell = ("uid", "PatientID", "callback", "ValueError at x:1", "'f' (from x 1.0)")
    expected = [
        (f"{state}/d3.dcm", "", "", "file", why, ""),
        (f"{tmp_path}/archive/1/1.1.dcm", *of_cell),
        (f"{state}/d2.dcm", "", "", "file", why, ""),
    ]
    assert deliver() == expected
    assert deliver() == expected
    quarantine(ledger, "", "d4")
    assert deliver() == [expected[0], (f"{state}/d4.dcm", "", "", "file", why, ""), *expected[1:]]
