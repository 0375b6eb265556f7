"""Where a collection stands, read off its ledger and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pacsfw.api import Verdict
from pacsfw.collection.status import finished, forecast_of, summarize, summarize_rows
from pacsfw.config import Config
from pacsfw.dicom.cell_errors import CellError
from pacsfw.ledger import Ledger
from pacsfw.ledger.conversions import Conversion
from pacsfw.ledger.evidence import TRIALS, WHOLE_STUDY
from pacsfw.ledger.searches import Search
from pacsfw.report.summary import Summary
from pacsfw.testing import Study, make_studies
from support.stored import NOW, complete, configured_run, own_storage, store
from unit.ledger.records import instance

FIND = "find: {start_date: 20200101, end_date: 20201231}\n"
TAGS = "tags: [{tag_name: Modality}]\n"


@pytest.fixture
def study() -> Study:
    [study] = make_studies(1, modalities=(("CT",),), instances=2)
    return study


@pytest.fixture
def config_of(ledger: Ledger, tmp_path: Path) -> Callable[[str], Config]:
    def config_of(sections: str = "") -> Config:
        return configured_run(ledger, tmp_path, sections).config

    return config_of


@pytest.fixture
def summary_of(ledger: Ledger, config_of: Callable[[str], Config]) -> Callable[[str], Summary]:
    """The summary of a configuration with these sections."""

    def summary_of(sections: str = "") -> Summary:
        config = config_of(sections)
        return summarize(config, config.need_storage(), ledger)

    return summary_of


def search(ledger: Ledger, *studies: Study, finish: bool = True) -> Search:
    begun = ledger.searches.begin("query", NOW)
    answers = []
    for number, study in enumerate(studies):
        attributes = {"PatientID": study.patient_id}
        ledger.studies.add(study.uid, attributes, "find", selected=True)
        answers.append((number, study.uid))
    ledger.searches.answered(begun.id, answers)
    if finish:
        ledger.searches.finish(begun, NOW)
    return begun


def failing(ledger: Ledger, folder: Path, study: Study, column: str, reason: str) -> None:
    error = CellError(column, "", "decode", reason, "")
    store(ledger, own_storage(folder), study, errors=(error,))


def test_a_collection_that_has_not_begun_is_empty(summary_of, tmp_path):
    summary = summary_of(TAGS)

    assert (summary.found, summary.verdicts, summary.instances) == (0, {}, 0)
    assert (summary.study_list, list(summary.tables), list(summary.error_tables)) == ("", [], [])
    assert (list(summary.problems), list(summary.notes)) == ([], [])
    assert summary.archive == str(tmp_path / "archive")


def test_studies_and_objects_are_counted_by_what_became_of_them(
    ledger, summary_of, tmp_path, study
):
    [other] = make_studies(1, seed=7)
    search(ledger, study, other)
    stored = store(ledger, own_storage(tmp_path), study)
    complete(ledger, study)
    ledger.studies.settle(other.uid, Verdict(state="failed", reason="no answer"), NOW, {})

    summary = summary_of()

    assert (summary.found, summary.verdicts) == (2, {"complete": 1, "failed": 1})
    assert list(summary.reasons) == [("failed", "no answer", 1)]
    assert (summary.instances, summary.size) == (2, sum(one.size for one in stored))


def test_a_search_that_has_not_ended_proves_nothing(ledger, summary_of, study):
    search(ledger, study, finish=False)

    assert summary_of().unproven == [("the complete search", "it has not ended")]


def test_what_the_search_remarked_is_told(ledger, summary_of, study):
    begun = search(ledger, study)
    ledger.searches.remark(begun.id, problems=["a problem"], notes=["a note"])

    summary = summary_of()

    assert (list(summary.problems), list(summary.notes)) == (["a problem"], ["a note"])


@pytest.mark.parametrize(("level", "problems"), [("STUDY", 0), ("PATIENT", 1)])
def test_a_list_of_patients_cannot_name_a_study_without_one(
    ledger, summary_of, study, level, problems
):
    search(ledger, replace(study, patient_id=""))

    summary = summary_of(FIND.replace("{", f"{{query_level: {level}, "))

    assert [one.split(":")[0] for one in summary.problems] == [
        "studies without a PatientID, not listed"
    ] * problems


def test_only_tables_that_exist_are_named(ledger, summary_of, tmp_path):
    more = tmp_path / "more.csv"
    sections = f"{TAGS}sinks: [{{use: csv, with: {{path: {more}}}}}]\n"
    for name in ("resources.csv", "resources_meta.csv"):
        (tmp_path / name).touch()

    summary = summary_of(sections)
    assert list(summary.tables) == [str(tmp_path / "resources_meta.csv")]
    assert summary.study_list == str(tmp_path / "resources.csv")

    more.touch()
    assert list(summary_of(sections).tables) == [str(tmp_path / "resources_meta.csv"), str(more)]


def test_without_tags_there_is_no_table_of_objects(summary_of, tmp_path):
    (tmp_path / "resources_meta.csv").touch()

    assert list(summary_of().tables) == []


def test_tables_of_errors_are_named_where_there_are_errors(ledger, summary_of, tmp_path, study):
    errors = tmp_path / "resources_meta_errors.csv"
    for path in (tmp_path / "resources_meta.csv", errors):
        path.touch()
    assert list(summary_of(TAGS).error_tables) == []

    failing(ledger, tmp_path, study, "Modality", "no value")

    summary = summary_of(TAGS)
    assert list(summary.error_tables) == [str(errors)]
    assert summary.cell_errors == {("Modality", "no value"): 2}


def test_a_password_of_a_database_is_not_shown(ledger, config_of, tmp_path):
    config = config_of(TAGS)
    url = "postgresql+psycopg://me:secret@127.0.0.1/x"
    storage = replace(own_storage(tmp_path), resources=url, resources_meta=url)

    summary = summarize(config, storage, ledger)

    assert summary.study_list == "postgresql+psycopg://me@127.0.0.1/x"
    assert list(summary.tables) == ["postgresql+psycopg://me@127.0.0.1/x"]


def test_what_is_kept_though_the_pacs_would_not_send_it_is_noted(
    ledger, summary_of, tmp_path, study
):
    first, second = store(ledger, own_storage(tmp_path), study)
    version = replace(first, digest="other", path="versions/x.dcm", state="version")
    ledger.instances.record(version, NOW)
    ledger.evidence.flag(study.uid, [first.sop_uid], "vanished", NOW)
    ledger.evidence.flag(study.uid, [first.sop_uid, second.sop_uid], "rejected", NOW)
    ledger.studies.add("1.2.3", {}, "unsolicited")

    assert list(summary_of().notes) == [
        "unsolicited studies, whose instances are kept: 1",
        "instances that the PACS no longer lists: 1; kept",
        f"other content of stored instances: 1; kept in {tmp_path / 'state' / 'versions'}",
        "instances that a rejection note names: 2; kept",
    ]


def test_a_study_that_is_given_up_says_how_to_ask_once_more(ledger, summary_of, study):
    ledger.studies.add(study.uid, {}, "list", selected=True)
    for run in range(TRIALS):
        assert list(summary_of().notes) == []
        ledger.evidence.tried(study.uid, [WHOLE_STUDY], f"run-{run}", NOW + timedelta(days=run))
        ledger.evidence.settle_trials(study.uid, [WHOLE_STUDY])

    [note] = summary_of().notes
    assert "`pacsfw move --retry-given-up`" in note
    assert f"after {TRIALS} days in vain: 1" in note


def convert(ledger: Ledger, study: Study, state: str, reason: str = "") -> None:
    item = Conversion(
        converter="jsonmeta", item=f"item {state}", study_uid=study.uid, fingerprint="f",
        state=state, reason=reason, component="jsonmeta",
    )  # fmt: skip
    ledger.conversions.record(item, [], NOW)


def test_conversions_are_counted_with_what_is_due(ledger, summary_of, tmp_path, study):
    store(ledger, own_storage(tmp_path), study)
    complete(ledger, study)
    convert(ledger, study, "done")
    convert(ledger, study, "failed", "no pixels")

    summary = summary_of("convert: [jsonmeta]\n")

    counts = summary.converted["jsonmeta"]
    assert (counts["done"], counts["failed"], counts["due"]) == (1, 1, 1)
    assert list(summary.conversion_reasons) == [("jsonmeta", "failed", "no pixels", 1)]


def test_observers_are_told_numbers_of_the_end(ledger, summary_of, tmp_path, study):
    search(ledger, study)
    [first, _] = store(ledger, own_storage(tmp_path), study)
    complete(ledger, study)
    held = replace(first, digest="x", path="quarantine/x.dcm", state="quarantined", reason="why")
    ledger.instances.record(held, NOW)
    convert(ledger, study, "skipped", "no image")

    told = finished(summary_of("convert: [jsonmeta]\n"), {"1.2": "short"}, NOW, 1)

    assert (told.at, told.exit_code, told.found, told.counts) == (NOW, 1, 1, {"complete": 1})
    assert (told.instances, told.quarantined, told.problems) == (2, 1, 0)
    assert told.converted == {"done": 0, "skipped": 1, "failed": 0, "due": 1}


def test_where_nothing_is_converted_observers_are_told_nothing_of_it(summary_of):
    assert finished(summary_of(), {}, NOW, 0).converted == {}


def test_a_forecast_needs_something_that_is_left(ledger, config_of, study):
    config = config_of("move: {use: folder, with: {path: .}}\n")
    assert forecast_of(config, ledger, NOW) is None

    ledger.studies.add(study.uid, {"ModalitiesInStudy": "CT"}, "list", selected=True)
    found = forecast_of(config, ledger, NOW)
    assert found is not None
    assert found.left.studies.value == 1
    assert forecast_of(replace(config, move=None), ledger, NOW) is None

    complete(ledger, study)
    assert forecast_of(config, ledger, NOW) is None


def test_a_forecast_goes_by_what_was_moved_before(ledger, config_of, tmp_path, study):
    config = config_of("move: {use: folder, with: {path: .}}\n")
    ledger.studies.add(study.uid, {}, "list", selected=True)
    ledger.studies.requested(study.uid, NOW - timedelta(seconds=10))
    stored = store(ledger, own_storage(tmp_path), study)
    complete(ledger, study)
    ledger.studies.add("1.2.3", {}, "list", selected=True)

    found = forecast_of(config, ledger, NOW)

    assert found is not None
    assert found.bytes_per_second.value == sum(one.size for one in stored) / 10
    assert found.studies_per_hour.value == 360


def test_rows_are_files_but_those_that_could_not_be_read(ledger, config_of, tmp_path, study):
    [other] = make_studies(1, modalities=(("CT",),), instances=3, seed=7)
    failing(ledger, tmp_path, study, "", "cut short")
    failing(ledger, tmp_path, other, "Modality", "no value")
    config = config_of(TAGS)

    found = summarize_rows(config, config.need_storage(), ledger, ["a sink failed"])

    assert (found.files, found.rows, found.failed) == (5, 3, {"cut short": 2})
    assert found.cells == {"Modality: no value": 3}
    assert list(found.problems) == ["a sink failed"]
    assert found.exit_code == 1


def test_what_is_held_is_told_with_the_line_that_releases_it(
    ledger: Ledger, summary_of: Callable[[str], Summary]
) -> None:
    for number, sender in enumerate(("PACS_B", "PACS B\n")):
        held = instance(f"1.{number}", state="held", calling_ae=sender, address="192.0.2.7")
        ledger.instances.record(held, NOW)

    (note,) = [note for note in summary_of().notes if "not known" in note]

    assert note.startswith("instances of senders that are not known: 2 from PACS B? at 192.0.2.7")
    line = 'net.local_node.accept.known_senders: ["PACS B\\n@192.0.2.7", PACS_B@192.0.2.7]'
    assert line in note


def test_headers_of_another_study_are_counted(
    ledger: Ledger, summary_of: Callable[[str], Summary]
) -> None:
    ledger.instances.record(instance(named_study="1.7"), NOW)

    (note,) = [note for note in summary_of().notes if "another study" in note]

    assert note.startswith("instances whose headers name another study than the PACS lists: 1;")
