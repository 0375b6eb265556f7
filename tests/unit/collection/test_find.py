"""The find step, wired: when the PACS is asked, when not, and what a plan leaves alone."""

from __future__ import annotations

import csv
import logging
import shutil

import pytest

from pacsfw.api import Clock, ResourcesFound, RunContext
from pacsfw.cli.common import load
from pacsfw.collection.find import FindStep, coverage, exists
from pacsfw.errors import RemoteError, StateError
from pacsfw.ledger.searches import PLAN
from pacsfw.steps.find.region import Region
from pacsfw.steps.run import Run
from pacsfw.testing import make_studies, write_studies
from peers.process import free_port
from support.run import Heard

CONFIG = """
net:
  local_node: {{aetitle: MINE, port: 11112}}
  called_node: {{aetitle: THEIRS, ip: 127.0.0.1, port: {port}}}
find: {{start_date: 20200101, end_date: 20201231, {find}}}
move: {{}}
storage: {{resources: list.csv, directory: dicom}}
"""
FOLDER = "use: folder, with: {path: old}"


@pytest.fixture
def finding(tmp_path, ledger):
    """Makes the find step of a collection beside a folder with four studies."""
    studies = make_studies(4, modalities=[["CT"]], instances=3)
    write_studies(tmp_path / "old", studies)
    (tmp_path / "dicom").mkdir()
    (tmp_path / "work").mkdir()
    told, port = [], free_port()

    def make(find=FOLDER, start="20200101", resources="list.csv"):
        path = tmp_path / "conf.yaml"
        text = CONFIG.format(port=port, find=find).replace("20200101", start)
        text = text.replace("list.csv", resources)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        loaded = load(path)
        config = loaded.config
        context = RunContext(
            run_id="r",
            workdir=tmp_path / "work",
            net=config.net,
            sections={},
            clock=Clock(),
            log=logging.getLogger("pacsfw.test"),
        )
        return FindStep(
            Run(
                config=config,
                registry=loaded.registry,
                ledger=ledger,
                context=context,
                observers=Heard(told),
            )
        )

    make.studies = studies
    make.told = told
    make.pacs = tmp_path / "old"
    make.list = tmp_path / "list.csv"
    return make


def rows_in(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def questions(ledger):
    return ledger.questions.counts(ledger.searches.last().id)


def test_what_is_found_is_listed_and_the_search_is_finished(finding, ledger):
    assert finding().find(again=False) is None

    uids = {study.uid for study in finding.studies}
    assert {row["StudyInstanceUID"] for row in rows_in(finding.list)} == uids
    last = ledger.searches.last()
    assert last.finished_at is not None
    assert ledger.searches.uids(last.id) == uids
    assert coverage(ledger, last) == []
    assert isinstance(finding.told[-1], ResourcesFound)
    assert finding.told[-1].total == 4


def test_a_query_that_was_answered_is_not_asked_again_unless_told_so(finding, ledger):
    finding().find(again=False)
    first = ledger.searches.last()
    shutil.rmtree(min(finding.pacs.iterdir()))

    assert finding().find(again=False) == first.finished_at.isoformat()
    assert ledger.searches.last() == first

    assert finding().find(again=True) is None
    assert ledger.searches.found(ledger.searches.last().id) < 4


def test_it_is_asked_again_where_the_list_is_gone(finding):
    finding().find(again=False)
    finding.list.unlink()

    assert finding().find(again=False) is None
    assert len(rows_in(finding.list)) == 4


def test_it_is_asked_again_where_anything_is_in_doubt(finding, ledger):
    finding().find(again=False)
    first = ledger.searches.last()
    ledger.searches.settle(first.id, Region().text, "unproven", "why")

    assert finding().find(again=False) is None
    second = ledger.searches.last()
    assert second.id != first.id

    ledger.searches.remark(second.id, problems=["something is missing"])
    assert finding().find(again=False) is None
    assert ledger.searches.last().id != second.id


def test_other_criteria_are_another_query(finding, ledger):
    finding().find(again=False)

    assert finding(start="20201230").find(again=False) is None
    assert ledger.searches.found(ledger.searches.last().id) == 0
    assert len(rows_in(finding.list)) == 4


def test_another_place_to_ask_is_another_query(finding, ledger):
    finding().find(again=False)
    finding.pacs.rename(finding.pacs.with_name("other"))
    write_studies(finding.pacs, finding.studies[:1])

    assert finding(find="use: folder, with: {path: other}").find(again=False) is None
    assert ledger.searches.found(ledger.searches.last().id) == 4


def test_a_list_that_could_not_be_written_is_written_without_asking_again(finding, ledger):
    step = finding()
    (finding.list.parent / "file").write_text("")

    with pytest.raises(StateError, match=r"list\.csv"):
        finding(resources="file/list.csv").find(again=True)

    broken = ledger.searches.last()
    asked = questions(ledger)
    assert broken.finished_at is None

    step.find(again=True)

    last = ledger.searches.last()
    assert (last.id, last.finished_at is None) == (broken.id, False)
    assert questions(ledger) == asked
    assert len(rows_in(finding.list)) == 4


def test_a_pacs_that_is_away_leaves_no_list_and_the_search_unfinished(finding, ledger):
    with pytest.raises(RemoteError):
        finding(find="use: cfind").find(again=False)

    assert not finding.list.exists()
    assert ledger.searches.last().finished_at is None


@pytest.mark.parametrize("again", [False, True])
def test_the_outcomes_of_a_cohort_lie_beside_the_list(finding, ledger, again):
    known = finding.studies[0].uid
    cohort = finding.list.parent / "cohort.csv"
    cohort.write_text(f"StudyInstanceUID\n{known}\n1.2.3\n")

    finding(find=f"{FOLDER}, cohort: cohort.csv").find(again=again)

    assert [row["StudyInstanceUID"] for row in rows_in(finding.list)] == [known]
    outcomes = finding.list.parent / "list_cohort.csv"
    assert len(rows_in(outcomes)) == 2
    (problem,) = ledger.searches.last().problems
    assert problem.startswith("find.cohort: missing rows: 1")
    assert str(outcomes) in problem


def test_a_plan_knows_what_there_is_and_leaves_the_collection_alone(finding, ledger):
    survey = finding().survey()

    assert {study["StudyInstanceUID"] for study in survey.studies} == {
        study.uid for study in finding.studies
    }
    assert (survey.unproven, survey.rate, survey.complete) == ([], None, frozenset())
    assert sum(survey.questions.values()) > 0
    assert ledger.searches.last() is None
    assert not finding.list.exists()


def test_a_plan_takes_no_search_for_answered_and_none_takes_the_plan_for_answered(finding, ledger):
    finding().survey()
    assert finding().find(again=False) is None

    listed = ledger.searches.last()
    assert finding().survey().questions != {}
    assert ledger.searches.last() == listed
    assert ledger.searches.last(PLAN + listed.query).finished_at is not None


def test_a_plan_names_what_is_not_proven_and_what_else_is_wrong(finding, ledger):
    cohort = finding.list.parent / "cohort.csv"
    cohort.write_text("PatientID\nnobody\n")
    step = finding(find=f"{FOLDER}, cohort: cohort.csv")
    query = PLAN + step._fingerprint(step._criteria())
    begun = ledger.searches.begin(query, Clock().now())
    ledger.searches.settle(begun.id, Region(days=(737425, 737455)).text, "unproven", "why")
    ledger.searches.remark(begun.id, problems=["a problem"], notes=["a note"])

    survey = step.survey()

    assert list(survey.unproven) == [
        ("StudyDate 2020-01-01 to 2020-01-31", "why"),
        ("", "a problem"),
    ]
    assert list(survey.notes) == ["a note"]


def test_what_is_not_proven_is_named_without_what_may_name_a_patient(ledger):
    begun = ledger.searches.begin("q", Clock().now())
    for keys in ((("PatientName", "Adler^Ada"),), (("PatientID", "77*"), ("StudyDate", ""))):
        ledger.searches.settle(begun.id, Region(keys=keys).text, "unproven", "why")
    ledger.searches.settle(begun.id, Region(days=(737425, 737425)).text, "proven")

    assert ("the complete search", "it has not ended") in coverage(ledger, begun)
    ledger.searches.finish(begun, Clock().now())
    assert sorted(coverage(ledger, ledger.searches.get(begun.id))) == [
        ("one PatientName", "why"),
        ("part of PatientID, no StudyDate", "why"),
    ]


def test_a_file_exists_when_it_is_there_and_a_database_always(tmp_path):
    (tmp_path / "list.csv").write_text("")

    assert exists(str(tmp_path / "list.csv"))
    assert not exists(str(tmp_path / "other.csv"))
    assert exists("postgresql://host/name#table")
