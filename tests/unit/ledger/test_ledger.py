"""The ledger: what it keeps, who may write it, and what it refuses."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from pacsfw.api import Query, QueryResult, Verdict
from pacsfw.dicom.cell_errors import CellError
from pacsfw.errors import StateError
from pacsfw.ledger import open_existing, open_ledger
from pacsfw.ledger.cells import NO_CELLS, decode, encode
from pacsfw.ledger.deliveries import Begun
from pacsfw.ledger.schema import STEPS
from unit.ledger.records import COMPLETE, NOW, instance, settle


def test_the_same_object_again_is_no_news(ledger):
    ledger.studies.add("1.2", {}, "find")

    assert ledger.instances.record(instance(), NOW)
    assert not ledger.instances.record(instance(), NOW)
    assert ledger.instances.record(instance(row=encode(["b", 1, None])), NOW)
    assert ledger.instances.totals() == (1, 10)


def test_quarantined_objects_are_not_stored(ledger):
    ledger.instances.record(instance("1.1"), NOW)
    ledger.instances.record(instance("1.2", state="quarantined", reason="broken"), NOW)

    assert ledger.instances.stored_uids("1.2") == {"1.1"}
    assert ledger.instances.quarantined_uids("1.2") == {"1.2"}
    assert ledger.instances.quarantine_reasons() == {"broken": 1}


def test_an_object_that_was_quarantined_and_then_stored_counts_as_stored(ledger):
    ledger.instances.record(instance("1.1", digest="bad", state="quarantined"), NOW)
    ledger.instances.record(instance("1.1"), NOW)

    assert ledger.instances.quarantined_uids("1.2") == frozenset()


def test_errors_of_cells_are_counted_and_replaced_with_their_row(ledger):
    error = CellError("c", "PatientAge", "callback", "r", "int")
    ledger.instances.record(instance(errors=(error,)), NOW)
    assert ledger.instances.cell_errors() == {("c", "r"): 1}

    ledger.instances.record(instance(row=encode(["now", 1, None])), NOW)
    assert ledger.instances.cell_errors() == {}


def test_a_forgotten_object_is_not_stored(ledger):
    ledger.instances.record(instance(), NOW)
    ledger.instances.forget(instance())

    assert not ledger.instances.any_stored()


def test_stored_yields_every_object_in_pieces(ledger):
    with ledger.transaction():
        for number in range(1201):
            ledger.instances.record(instance(f"1.{number}"), NOW)

    found = list(ledger.instances.stored(0, ledger.instances.last_number()))
    assert len({instance.sop_uid for _, instance in found}) == 1201
    number = found[1000][0]
    assert list(ledger.instances.stored(number - 1, number)) == [found[1000]]


def test_a_settled_study_is_due_until_its_version_is_delivered(ledger):
    ledger.studies.add("1.2", {}, "find")
    ledger.instances.record(instance(), NOW)
    assert ledger.deliveries.due("csv") == []

    settle(ledger, "1.2")
    assert ledger.deliveries.due("csv") == ["1.2"]

    study = ledger.studies.get("1.2")
    assert study is not None
    ledger.deliveries.commit("csv", "1.2", study.version, 100)
    assert ledger.deliveries.due("csv") == []
    assert ledger.deliveries.begun("csv") == Begun(position=100)

    settle(ledger, "1.2")
    assert ledger.deliveries.due("csv") == []
    ledger.instances.record(instance("1.9"), NOW)
    assert ledger.deliveries.due("csv") == ["1.2"]


def test_a_dirty_sink_has_no_position_until_it_is_rewritten(ledger):
    ledger.deliveries.mark_dirty("csv")
    assert ledger.deliveries.begun("csv").dirty

    ledger.deliveries.rewritten("csv", [("1.2", 4)], Begun(position=77))
    assert ledger.deliveries.begun("csv") == Begun(position=77)
    assert ledger.deliveries.version("csv", "1.2") == 4


def test_questions_are_kept_with_their_answers(ledger):
    asked = Query(level="STUDY", match={"StudyDate": "20200101"})
    answer = QueryResult(complete=False, status_text="A700: out of resources", status=0xA700)

    ledger.questions.record(7, "q", asked, answer, rows=3, seconds=0.5, at=NOW)

    with ledger._database.reading() as connection:
        (row,) = connection.execute("SELECT * FROM questions").fetchall()
    assert dict(row) == {
        "id": 1,
        "search": 7,
        "query": "q",
        "level": "STUDY",
        "slice": '{"StudyDate": "20200101"}',
        "whole": 0,
        "status": 0xA700,
        "ended": "A700: out of resources",
        "rows": 3,
        "seconds": 0.5,
        "asked_at": NOW.isoformat(),
    }


def test_questions_are_counted_by_level_for_each_search(ledger):
    whole = QueryResult(complete=True, status_text="0000: Success", status=0)
    for search, level in ((1, "STUDY"), (1, "STUDY"), (1, "SERIES"), (2, "STUDY")):
        asked = Query(level=level, match={})
        ledger.questions.record(search, "q", asked, whole, rows=0, seconds=0.1, at=NOW)

    assert ledger.questions.counts(1) == {"STUDY": 2, "SERIES": 1}
    assert ledger.questions.counts(3) == {}


def test_several_changes_together_are_all_or_nothing(ledger):
    def add_and_fail():
        with ledger.transaction():
            ledger.studies.add("1.2", {}, "find")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        add_and_fail()

    assert ledger.studies.get("1.2") is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "ä"),
        ("int", 7),
        ("float", 1.5),
        ("bool", True),
        ("date", date(2020, 2, 29)),
        ("time", time(23, 59, 59, 999999)),
        ("datetime", datetime(2020, 1, 1, 12, 0, 0, 1, tzinfo=UTC)),
        ("datetime", datetime(2020, 1, 1)),
        ("duration", timedelta(hours=23, microseconds=1)),
        ("json", {"a": [1, None]}),
        ("date", None),
    ],
)
def test_cells_survive_the_ledger(kind, value):
    assert decode([kind], encode([value])) == [value]


def test_a_row_that_could_not_be_read_has_empty_cells():
    assert decode(["text", "date"], NO_CELLS) == [None, None]


def test_a_second_driver_is_refused_and_told_who_has_it(ledger, tmp_path):
    with pytest.raises(StateError, match=rf"in use by another pacsfw \(process {os.getpid()}\)"):
        open_ledger(tmp_path / "state")


def test_a_reader_may_look_while_a_driver_works(ledger, tmp_path):
    ledger.studies.add("1.2", {}, "find")

    reader = open_existing(tmp_path / "state")

    assert reader is not None
    assert reader.studies.get("1.2") is not None
    with pytest.raises(sqlite3.OperationalError):
        reader.set_value("a", "b")
    reader.close()


def test_where_there_is_no_ledger_a_reader_gets_none(tmp_path):
    assert open_existing(tmp_path) is None


def test_a_newer_ledger_is_refused(tmp_path):
    open_ledger(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(StateError, match="written by a newer pacsfw"):
        open_ledger(tmp_path)


def test_a_damaged_ledger_is_named(tmp_path):
    (tmp_path / "ledger.sqlite").write_bytes(b"not a database at all, not in the least" * 50)

    with pytest.raises(StateError, match=r"ledger\.sqlite: not a usable ledger"):
        open_ledger(tmp_path)


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StateError, match="cannot be used as state folder"):
        open_ledger(tmp_path / "file" / "state")


def test_the_ledger_is_private(tmp_path):
    open_ledger(tmp_path / "state").close()

    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "ledger.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_killed_driver_leaves_what_it_committed_and_no_lock(tmp_path):
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from pacsfw.ledger import open_ledger\n"
        "ledger = open_ledger(Path(sys.argv[1]))\n"
        "ledger.studies.add('1.2', {}, 'find')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)])
    assert done.returncode == -signal.SIGKILL

    ledger = open_ledger(Path(tmp_path))
    assert ledger.studies.get("1.2") is not None
    ledger.close()


def test_a_commit_that_fails_does_not_swallow_what_follows(ledger, tmp_path):
    ledger.studies.add("1.2", {}, "find")

    def fail_to_commit():
        with ledger._database.transaction() as connection:
            connection.execute("PRAGMA defer_foreign_keys = ON")
            connection.execute("INSERT INTO tag_errors VALUES (99, 'c', 't', 's', '', 'r')")

    with pytest.raises(sqlite3.IntegrityError):
        fail_to_commit()

    ledger.studies.add("1.3", {}, "find")

    reader = open_existing(tmp_path / "state")
    assert reader is not None
    assert reader.studies.get("1.3") is not None
    reader.close()


def test_stored_ends_although_every_row_is_recorded_anew(ledger):
    with ledger.transaction():
        for number in range(700):
            ledger.instances.record(instance(f"1.{number}"), NOW)

    met = []
    for number, found in ledger.instances.stored(0, ledger.instances.last_number()):
        met.append(found.sop_uid)
        assert len(met) <= 700
        ledger.instances.record(instance(found.sop_uid, row=encode([number, 1, "anew"])), NOW)

    assert len(set(met)) == 700


def test_a_path_holds_one_object(ledger):
    ledger.instances.record(instance("1.1", digest="in one encoding"), NOW)
    ledger.instances.record(instance("1.1", digest="in another"), NOW)

    assert [found.digest for found in ledger.instances.of_study("1.2")] == ["in another"]


def test_a_dirty_sink_is_dirty_after_a_power_cut_too(ledger, tmp_path):
    ledger.deliveries.commit("csv", "1.2", 1, 100)

    ledger.deliveries.mark_dirty("csv")

    # What is only in the write-ahead log has not been synced.
    (tmp_path / "cut").mkdir()
    shutil.copy(tmp_path / "state" / "ledger.sqlite", tmp_path / "cut")
    survived = open_existing(tmp_path / "cut")
    assert survived is not None
    assert survived.deliveries.begun("csv").dirty
    survived.close()


def test_an_instance_that_is_attributed_to_another_study_moves_there(ledger):
    for uid in ("1.2", "1.7"):
        ledger.studies.add(uid, {}, "find")
    ledger.instances.record(instance(study_uid="1.7"), NOW)

    assert ledger.instances.record(instance(study_uid="1.2", named_study="1.7"), NOW)

    assert ledger.instances.stored_uids("1.2") == {"1.2.3"}
    assert ledger.instances.stored_uids("1.7") == frozenset()
    assert ledger.instances.misnamed() == 1
    assert {ledger.studies.get(uid).version for uid in ("1.2", "1.7")} == {1, 2}


def test_a_late_copy_stays_in_the_study_that_lists_the_instance(ledger):
    ledger.instances.record(instance(study_uid="1.2", named_study="1.7"), NOW)

    assert not ledger.instances.record(instance(study_uid="1.7"), NOW)

    assert ledger.instances.stored_uids("1.2") == {"1.2.3"}


PACS = {"calling_ae": "PACS", "address": "192.0.2.1"}
OTHER = {"calling_ae": "OTHER", "address": "192.0.2.1"}
FETCHED = {"calling_ae": "PACS", "address": ""}


@pytest.mark.parametrize(
    ("first", "second", "disputed"),
    [
        ({"state": "stored", **PACS}, {"state": "version", **PACS}, False),
        ({"state": "stored", **PACS}, {"state": "version", **OTHER}, True),
        ({"state": "stored", **FETCHED}, {"state": "version", **PACS}, False),
        ({"state": "stored", **FETCHED}, {"state": "held", **OTHER}, True),
        ({"state": "held", **OTHER}, {"state": "held", **OTHER}, True),
        ({"state": "stored", **PACS}, {"state": "quarantined", **OTHER}, False),
    ],
)
def test_other_content_is_disputed_if_it_is_of_another_sender_or_of_one_not_known(
    ledger, first, second, disputed
):
    for number, facts in enumerate((first, second)):
        ledger.instances.record(instance(digest=str(number), path=str(number), **facts), NOW)
    ledger.instances.record(instance("1.2.4", **PACS), NOW)

    assert ledger.senders.disputed("1.2") == ({"1.2.3"} if disputed else frozenset())
    assert ledger.senders.disputes() == int(disputed)


def test_what_is_held_is_neither_stored_nor_in_quarantine(ledger):
    ledger.instances.record(instance(state="held", **OTHER), NOW)

    assert ledger.instances.held_uids("1.2") == {"1.2.3"}
    assert ledger.instances.stored_uids("1.2") == frozenset()
    assert ledger.instances.quarantined_uids("1.2") == frozenset()
    assert ledger.senders.held_by_sender() == {("OTHER", "192.0.2.1"): 1}


def test_a_sender_is_learnt_once_and_for_later_runs(ledger):
    for _ in range(2):
        ledger.senders.learn("OTHER", "192.0.2.1", "Move Originator", NOW)

    assert ledger.senders.learnt() == {("OTHER", "192.0.2.1")}


def test_selected_studies_that_lack_instances_are_known_with_them(ledger):
    short = Verdict(state="short", expected=2, stored=1, missing=("1.2.4",))
    for uid, verdict in (("1.2", short), ("1.3", short), ("1.4", COMPLETE)):
        ledger.studies.add(uid, {}, "find", selected=uid != "1.3")
        settle(ledger, uid, verdict)

    assert list(ledger.studies.lacking()) == [("1.2", ["1.2.4"])]


LEFT_OUT = {
    "state": "left-out", "path": "", "row": NO_CELLS, "rule": "r1", "component": "'x' (from d 1)",
    "reason": "layout 'x' (from d 1): no SR",
}  # fmt: skip


def test_what_was_left_out_is_neither_stored_nor_a_failure(ledger):
    ledger.studies.add("1.2", {}, "find")

    assert ledger.instances.record(instance(**LEFT_OUT), NOW)
    assert not ledger.instances.record(instance(**LEFT_OUT), NOW)

    assert ledger.instances.stored_uids("1.2") == frozenset()
    assert ledger.instances.arrived_uids("1.2") == {"1.2.3"}
    assert ledger.instances.faults("1.2") == []
    assert not ledger.instances.any_fault()
    assert ledger.instances.kept_of_study("1.2") == []
    assert list(ledger.faults.by_component()) == []
    assert ledger.left_out.by_series("1.2") == {"1.2.1": {"1.2.3"}}
    assert ledger.left_out.reasons() == {"layout 'x' (from d 1): no SR": 1}


@pytest.mark.parametrize("other", ["quarantined", "held"])
def test_a_copy_that_failed_before_is_not_missed_if_another_was_left_out(ledger, other):
    ledger.instances.record(instance(digest="bad", state=other), NOW)
    ledger.instances.record(instance(**LEFT_OUT), NOW)

    assert ledger.instances.quarantined_uids("1.2") == frozenset()
    assert ledger.instances.held_uids("1.2") == frozenset()


@pytest.mark.parametrize("digest", ["same", "other"])
def test_what_is_stored_is_not_left_out(ledger, digest):
    ledger.instances.record(instance(**LEFT_OUT, digest="same"), NOW)
    ledger.instances.record(instance(digest=digest), NOW)

    assert ledger.instances.stored_uids("1.2") == {"1.2.3"}
    assert ledger.left_out.of_study("1.2") == []
    assert ledger.left_out.reasons() == {}
    assert ledger.left_out.take_back(["r2"]) == {}


def test_what_another_rule_left_out_is_taken_back(ledger):
    ledger.instances.record(instance("1.1", **LEFT_OUT), NOW)
    ledger.instances.record(instance("1.2", **(LEFT_OUT | {"rule": "r2"})), NOW)

    assert ledger.left_out.take_back(["r1", "r2"]) == {}
    assert ledger.left_out.take_back(["r2"]) == {"1.2": {"1.1"}}
    assert ledger.left_out.take_back(["r2"]) == {}
    assert [each.sop_uid for each in ledger.left_out.of_study("1.2")] == ["1.2"]


def test_the_number_left_out_is_part_of_the_verdict(ledger):
    ledger.studies.add("1.2", {}, "find", selected=True)
    for number in (1, 2, 2):
        settle(ledger, "1.2", replace(COMPLETE, left_out=number))

    study = ledger.studies.get("1.2")
    assert (study.verdict.left_out, study.version) == (2, 2)
    assert [each.left_out for each in ledger.results.all()] == [2]


def test_what_a_layout_skipped_in_an_older_ledger_is_asked_for_again(tmp_path):
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as old:
        for step in STEPS[:7]:
            old.executescript(step)
        old.executescript(
            """
            PRAGMA user_version = 7;
            INSERT INTO studies (study_uid, patient_id, attributes, origin, listed, selected,
                                 state, verdict, given_up)
                VALUES ('1', 'p', '{}', 'find', 1, 1, 'settled', 'short', 1),
                       ('2', 'p', '{}', 'find', 1, 1, 'settled', 'short', 1);
            INSERT INTO trials VALUES ('1', '1.1', 3, 'r', ''), ('2', '2.1', 3, 'r', '');
            INSERT INTO instances (sop_uid, digest, study_uid, series_uid, sop_class, syntax, size,
                                   path, state, reason, calling_ae, received_at, row)
                VALUES ('1.1', 'd', '1', '', '', '', 1, 'quarantine/d.dcm', 'quarantined',
                        'skipped by layout ''x'' (from d 1.0): no SR', '', '2026-01-01', '[]'),
                       ('2.1', 'e', '2', '', '', '', 1, 'quarantine/e.dcm', 'quarantined',
                        'layout ''x'' (from d 1.0) failed: KeyError', '', '2026-01-01', '[]');
            """
        )

    ledger = open_ledger(tmp_path)

    assert ledger.studies.unfinished() == ["1"]
    assert ledger.evidence.given_up("1") == frozenset()
    assert ledger.evidence.given_up("2") == {"2.1"}
    [fault] = ledger.faults.by_component()
    assert (fault.component, fault.reason) == ("'x' (from d 1.0)", "failed: KeyError")
    ledger.close()
