"""What people do to a collection between runs, and what the next run makes of it."""

from __future__ import annotations

import json
import shutil

import pytest

from pacsfw.testing import make_studies
from support.documented import rows

CT = (("CT", "CT"),)


@pytest.fixture
def studies():
    return make_studies(4, days=30, modalities=CT, instances=2)


@pytest.fixture
def pacs(embedded_pacs, studies):
    return embedded_pacs(studies)


def moved(pacs, since=0):
    return {
        entry.keys["StudyInstanceUID"] for entry in pacs.log[since:] if entry.service == "C-MOVE"
    }


def test_a_second_run_adds_nothing_and_asks_nothing(pacs, collection):
    collected = collection(pacs)
    assert collected.run() == 0
    before = collected.table.read_bytes(), collected.resources.read_bytes(), collected.files()
    asked = len(pacs.log)

    assert collected.run() == 0

    after = collected.table.read_bytes(), collected.resources.read_bytes(), collected.files()
    assert after == before
    assert pacs.log[asked:] == []


@pytest.mark.parametrize("limit", [1, 2])
def test_no_more_associations_are_used_than_the_pacs_allows(
    embedded_pacs, collection, studies, limit
):
    pacs = embedded_pacs(studies, max_associations=limit)
    allowed = f"    called_node:\n        max_associations: {limit}\n"
    collected = collection(pacs, changes={"    called_node:\n": allowed})
    collected.change("query_level: STUDY\nnet", "query_level: STUDY\n    attempts: 1\nnet")

    assert collected.run() == 0

    assert len(collected.files()) == 16


def test_a_pruned_row_is_not_moved_and_an_added_one_is(pacs, collection, studies):
    collected = collection(pacs, changes={'"20201212"': '"20200115"'})
    assert collected.run("find") == 0
    found = [row["StudyInstanceUID"] for row in collected.listed()]
    assert len(found) == 3
    later = next(study.uid for study in studies if study.uid not in found)
    lines = collected.resources.read_text().splitlines(keepends=True)
    collected.resources.write_text("".join([*lines[:2], *lines[3:], f",,,{later},\n"]))

    assert collected.run("move") == 0

    assert moved(pacs) == {found[0], found[2], later}
    assert {row["StudyInstanceUID"] for row in collected.rows()} == {found[0], found[2], later}
    assert collected.run("find") == 0
    assert found[1] not in {row["StudyInstanceUID"] for row in collected.listed()}


def test_find_again_adds_what_is_new_at_the_pacs(orthanc, collection, studies, tmp_path):
    orthanc.load(path for study in studies[:2] for path in study.write(tmp_path / "s"))
    collected = collection(orthanc)
    assert collected.run() == 0
    orthanc.load(path for study in studies[2:] for path in study.write(tmp_path / "s"))

    assert collected.run("find") == 0
    assert collected.run("move") == 0

    assert set(collected.objects()) == orthanc.uids("IMAGE")
    assert len(collected.rows()) == 16


def test_a_patient_is_moved_with_all_studies(embedded_pacs, collection, caplog):
    studies = make_studies(6, days=400, modalities=CT, instances=1, patients=2)
    pacs = embedded_pacs(studies)
    patient = {
        "query_level: STUDY\nnet": "query_level: PATIENT\nnet",
        "find:\n    query_level: STUDY": "find:\n    query_level: PATIENT",
        '"20201212"': '"20200108"',
    }
    collected = collection(pacs, changes=patient)

    assert collected.run() == 0

    assert [row["PatientID"] for row in collected.listed()] == ["SYN1-00000", "SYN1-00001"]
    assert set(collected.objects()) == {uid for study in studies for uid in study.sop_uids}
    assert "outside the find criteria, also moved: 4" in caplog.text


def test_changed_tags_are_read_anew_from_the_stored_files(pacs, collection):
    collected = collection(pacs)
    assert collected.run() == 0
    before, asked = collected.objects(), len(pacs.log)
    collected.change(
        "    - tag_name: Laterality", "    - tag_name: Modality\n    - tag_name: Laterality"
    )

    assert collected.run() == 0

    assert {row["Modality"] for row in collected.rows()} == {"CT"}
    assert len(collected.rows()) == 16
    assert collected.objects() == before
    assert pacs.log[asked:] == []


def test_a_corrected_callback_is_applied_to_what_is_stored(pacs, collection):
    load = "tags:\n    - tag_name: StudyDate\n      tag_alias: year\n      callback: {}:year\n"
    collected = collection(pacs)
    code = collected.folder / "callback_of_test.py"
    code.write_text("def year(value):\n    return 1 / 0\n")
    code.chmod(0o644)
    collected.change("tags:\n", load.format("callback_of_test"))
    collected.change("move:\n", f"plugins: {{load: [{code}]}}\nmove:\n")
    assert collected.command() == 1  # a column without any value
    assert {row["year"] for row in collected.rows()} == {""}
    asked = len(pacs.log)

    code.write_text("def year(value):\n    return value[:4]\n")
    assert collected.command() == 0

    assert {row["year"] for row in collected.rows()} == {"2020"}
    assert pacs.log[asked:] == []


def test_another_layout_over_stored_files_is_refused(pacs, collection, capsys):
    collected = collection(pacs)
    assert collected.run() == 0
    before = collected.files()
    collected.change("sort_by: PATIENT", "sort_by: STUDY")

    assert collected.run() == 2

    error = capsys.readouterr().err
    assert "STUDY" in error
    assert "PATIENT" in error
    assert collected.files() == before


@pytest.mark.parametrize(
    ("sort_by", "depth"), [("PATIENT", 4), ("STUDY", 3), ("SERIES", 2), ("IMAGE", 1)]
)
def test_every_documented_layout(pacs, collection, sort_by, depth):
    collected = collection(pacs, changes={"sort_by: PATIENT": f"sort_by: {sort_by}"})

    assert collected.run() == 0

    assert {len(path.split("/")) for path in collected.files()} == {depth}
    assert len(collected.files()) == 16


def test_a_template_lays_out_by_any_attribute(pacs, collection):
    template = '"{Modality}/{StudyDate}/{PatientID}-{SOPInstanceUID}.dcm"'
    collected = collection(pacs, changes={"sort_by: PATIENT": f"sort_by: {template}"})

    assert collected.run() == 0

    assert all(path.startswith("CT/202001") for path in collected.files())
    assert len(collected.files()) == 16


def test_objects_that_a_layout_puts_on_one_path_are_kept_apart(pacs, collection, studies):
    collected = collection(pacs, changes={"sort_by: PATIENT": 'sort_by: "{StudyInstanceUID}.dcm"'})

    assert collected.run() == 1

    assert len(collected.files()) == 4
    kept = list((collected.state / "quarantine").iterdir())
    assert len(kept) == 12


def test_jsonl_and_further_sinks_hold_the_same_rows(pacs, collection):
    more = "sinks:\n    - {use: jsonl, with: {path: more/rows.jsonl}}\ntags:"
    collected = collection(pacs, changes={"tags:": more})

    assert collected.run() == 0

    lines = (collected.folder / "more" / "rows.jsonl").read_text().splitlines()
    assert sorted((json.loads(line) for line in lines), key=str) == sorted(
        (dict(row) for row in rows(collected.table)), key=str
    )


def test_a_work_list_in_jsonl_works_as_well(pacs, collection):
    collected = collection(pacs, changes={"resources.csv": "resources.jsonl"})

    assert collected.run() == 0

    assert len(collected.files()) == 16


def test_a_table_that_was_removed_is_written_anew(pacs, collection):
    collected = collection(pacs)
    assert collected.run() == 0
    before = collected.rows()
    collected.table.unlink()

    assert collected.run() == 0

    assert collected.rows() == before


def test_an_edited_table_is_not_touched(pacs, collection, capsys):
    collected = collection(pacs)
    assert collected.run() == 0
    collected.table.write_text("mine\n")

    assert collected.run() == 2

    assert collected.table.read_text() == "mine\n"
    assert "resources_meta.csv" in capsys.readouterr().err


def test_the_table_of_another_collection_is_spared(pacs, collection, capsys):
    first = collection(pacs)
    assert first.run() == 0
    before = first.table.read_bytes()
    first.change("directory: my/dicom/dir", "directory: my/second")

    assert first.run() == 2

    assert first.table.read_bytes() == before
    assert "holds rows that this collection did not write" in capsys.readouterr().err


def test_an_edited_table_is_not_overwritten_by_other_tags(pacs, collection):
    collected = collection(pacs)
    assert collected.run() == 0
    edited = collected.table.read_text().replace("\n", ",mine\n")
    collected.table.write_text(edited)
    collected.change("    - tag_name: StudyInstanceUID\n    - tag", "    - tag")

    assert collected.run() == 2

    assert collected.table.read_text() == edited


def test_a_removed_study_folder_is_fetched_again_when_its_study_is(pacs, collection, studies):
    collected = collection(pacs)
    assert collected.run() == 0
    before = collected.objects()
    shutil.rmtree(collected.state)
    gone = next(path for path in collected.archive.iterdir() if path.is_dir())
    shutil.rmtree(gone)
    collected.table.unlink()

    assert collected.run() == 0

    assert collected.objects() == before


def test_status_tells_without_asking_anybody(pacs, collection, capsys):
    collected = collection(pacs)
    assert collected.run("status") == 1
    assert "nothing has been collected yet" in capsys.readouterr().out
    assert collected.run() == 0
    capsys.readouterr()
    pacs.stop()

    assert collected.run("status") == 0

    output = capsys.readouterr().out
    assert "complete       4" in output
    assert "16 instances" in output
    assert collected.run("status", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verdicts"], found["series"]) == ({"complete": 4}, {"complete": 8})
    assert (found["exit_code"], found["forecast"]) == (0, None)


def test_status_says_when_the_rest_will_be_here(pacs, collection, capsys):
    collected = collection(pacs)
    assert collected.run("find") == 0
    capsys.readouterr()

    assert collected.run("status") == 1
    output = capsys.readouterr().out
    assert "left  4 studies" in output
    assert "if a run is active" in output

    assert collected.run("status", "--json") == 1
    forecast = json.loads(capsys.readouterr().out)["forecast"]
    assert forecast["left"]["studies"]["value"] == 4
    assert "assumed" in forecast["bytes_per_second"]["source"]


def test_the_old_name_of_the_variable_finds_the_file(pacs, collection, monkeypatch):
    from pacsfw.cli import main

    collected = collection(pacs)
    monkeypatch.setenv("PACSANINI_CONFIG", str(collected.conf))

    assert main(["find"]) == 0
    assert len(collected.listed()) == 4
