"""The table of studies, next to the study list: the verdict of each study, for everybody."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from pyarrow import parquet

from pacsfw.testing import make_studies
from support.documented import rows

CT = (("CT", "CT"),)


@pytest.fixture
def studies():
    return make_studies(3, days=30, modalities=CT, instances=2)


def test_every_study_has_a_row_before_it_is_moved_and_with_its_verdict_after_it(
    embedded_pacs, collection, studies
):
    collected = collection(embedded_pacs(studies))
    table = collected.folder / "my" / "resources_studies.csv"

    assert collected.run("find") == 0

    before = rows(table)
    assert {row["verdict"] for row in before} == {"pending"}
    assert {row["settled_at"] for row in before} == {""}

    assert collected.run("move") == 0

    found = rows(table)
    assert [row["study_uid"] for row in found] == [row["study_uid"] for row in before]
    listed = {row["StudyInstanceUID"]: row for row in rows(collected.resources)}
    assert {row["study_uid"] for row in found} == set(listed)
    for row in found:
        assert row["patient_id"] == listed[row["study_uid"]]["PatientID"]
        assert row["StudyDate"] == listed[row["study_uid"]]["StudyDate"]
        assert (row["verdict"], row["missing"], row["reason"]) == ("complete", "0", "")
        assert row["expected"] == row["stored"] == "4"
        assert row["attempts"] == "1"
        assert row["settled_at"][:2] == "20"
        assert row["evidence"] == "image-uids"


def test_a_short_study_is_named_with_its_reason(embedded_pacs, collection, studies):
    collected = collection(embedded_pacs(studies))
    assert collected.run() == 0
    lost = rows(collected.table)[0]
    Path(lost["dicom_path"]).unlink()

    collected.run("verify", "--offline")

    [short] = [
        row
        for row in rows(collected.folder / "my" / "resources_studies.csv")
        if row["verdict"] == "short"
    ]
    assert short["study_uid"] == lost["StudyInstanceUID"]
    assert (short["missing"], short["expected"], short["stored"]) == ("1", "4", "3")
    assert short["reason"] == "1 instances missing, 1 of them lost on the disk"


@pytest.mark.parametrize("resources", ["list.jsonl", "list.parquet", "sqlite:///my/list.db"])
def test_it_has_the_format_of_the_study_list(embedded_pacs, collection, studies, resources):
    name = resources if ":" in resources else f"my/{resources}"
    collected = collection(embedded_pacs(studies), changes={"my/resources.csv": name})

    assert collected.run() == 0
    assert collected.run() == 0

    my = collected.folder / "my"
    if resources.endswith(".jsonl"):
        found = [json.loads(line) for line in (my / "list_studies.jsonl").read_text().splitlines()]
    elif resources.endswith(".parquet"):
        found = parquet.read_table(my / "list_studies.parquet").to_pylist()
    else:
        with closing(sqlite3.connect(my / "list.db")) as connection:
            connection.row_factory = sqlite3.Row
            found = [dict(row) for row in connection.execute("SELECT * FROM resources_studies")]
    assert [row["verdict"] for row in found] == ["complete"] * 3
    assert [row["stored"] for row in found] == [4] * 3


def test_it_has_the_columns_of_the_cohort_also_those_that_find_ignores(
    embedded_pacs, collection, studies
):
    collected = collection(
        embedded_pacs(studies), changes={"    modality: CT": "    cohort: c.csv"}
    )
    uids = sorted({study.uid for study in studies})
    (collected.folder / "c.csv").write_text(
        f"StudyInstanceUID,_group,#row\n{uids[0]},case,1\n{uids[1]},control,2\n{uids[1]},late,3\n"
    )

    collected.run()

    found = rows(collected.folder / "my" / "resources_studies.csv")
    assert {row["study_uid"]: (row["cohort_row"], row["cohort_group"]) for row in found} == {
        uids[0]: ("1", "case"),
        uids[1]: ("2\\3", "control\\late"),
    }


def test_removed_columns_of_the_search_do_not_stop_it(embedded_pacs, collection, studies):
    collected = collection(embedded_pacs(studies))
    assert collected.run() == 0
    text = collected.conf.read_text()
    collected.conf.write_text(
        text.replace("        - PatientID\n", "        - PatientID\n        - StudyTime\n", 1)
    )

    assert collected.run("find") == 0

    assert "StudyTime" in rows(collected.folder / "my" / "resources_studies.csv")[0]


def test_a_file_of_the_user_with_its_name_is_left_as_it_is(
    embedded_pacs, collection, studies, capsys
):
    collected = collection(embedded_pacs(studies))
    own = collected.folder / "my" / "resources_studies.csv"
    own.parent.mkdir()
    own.write_text("study,remark\n1,mine\n")

    assert collected.run() == 2

    assert "resources_studies.csv: does not begin with the columns" in capsys.readouterr().err
    assert own.read_text() == "study,remark\n1,mine\n"
