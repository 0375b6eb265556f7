"""The plugins of the cookbook in collections, run in a folder that holds them."""

import json
import sqlite3
import sys
from pathlib import Path

from pacsfw.testing import make_studies, write_studies

HERE = Path(__file__).parent
NAMES = ("by_modality", "age_band", "uptake", "ris", "series_list", "afterwards", "short")


def loaded(*names):
    return {"load": [str(HERE / f"{name}.py") for name in names]}


def test_most_of_them_together(pacsfw_run, embedded_pacs, sample_studies, tmp_path):
    with sqlite3.connect(tmp_path / "ris.sqlite") as database:
        database.execute("CREATE TABLE orders (uid, patient, day, state)")
        rows = [(each.uid, each.patient_id, each.study_date, "done") for each in sample_studies]
        database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", rows)
    database.close()
    seen = tmp_path / "seen.json"
    write = "import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w'))"

    run = pacsfw_run(
        embedded_pacs(sample_studies),
        plugins=loaded(*NAMES),
        find={"use": "ris", "with": {"path": str(tmp_path / "ris.sqlite")}},
        storage={"sort_by": "by-modality"},
        tags=[
            {"tag_name": "SOPInstanceUID"},
            {"tag_name": "PatientAge", "callback": {"use": "age-band", "with": {"width": 5}}},
            {"row_callback": "uptake"},
        ],
        convert=["series-list"],
        observers=[
            {"use": "afterwards", "with": {"command": [sys.executable, "-c", write, str(seen)]}}
        ],
    )

    assert run.code == 0, run.said
    dicom = [path for path in run.files if path.endswith(".dcm")]
    assert {path.split("/")[0] for path in dicom} == {"CT", "MR", "SR"}
    assert len([path for path in run.files if path.endswith(".json")]) == 8
    assert [name for name in run.rows[0] if name.startswith("uptake")] == [
        *("uptake_s", "uptake_is_odd"),
    ]
    for _ in range(600):
        if seen.exists() and seen.stat().st_size:
            break
        __import__("time").sleep(0.1)
    environment = json.loads(seen.read_text())
    assert environment["PACSFW_EXIT_CODE"] == "0"
    assert environment["PACSFW_DIRECTORY"] == str(run.archive)
    assert environment["PACSFW_SHORT"] == ""


def test_accession_numbers_alone_suffice(pacsfw_run, embedded_pacs, sample_studies, tmp_path):
    wanted = [next(study.datasets()).AccessionNumber for study in sample_studies[:2]]
    numbers = tmp_path / "numbers.txt"
    numbers.write_text("\n".join(["# ordered", *wanted, "", "UNHEARD-OF"]))
    cohort = {"use": "numbers-file", "with": {"path": str(numbers)}}

    run = pacsfw_run(
        embedded_pacs(sample_studies), plugins=loaded("numbers_file"), find={"cohort": cohort}
    )

    assert run.code == 1, run.said  # one number is not found
    assert {row["StudyInstanceUID"] for row in run.rows} == {
        each.uid for each in sample_studies[:2]
    }
    outcomes = (run.folder / "resources_cohort.csv").read_text().splitlines()[1:]
    assert [line.split(",")[2] for line in outcomes] == ["found", "found", "missing"]


def test_studies_from_a_share(pacsfw_run, embedded_pacs, tmp_path):
    studies = make_studies(2)
    for study in studies:
        write_studies(tmp_path / "share" / study.uid, [study])
    share = {"path": str(tmp_path / "share")}

    run = pacsfw_run(
        embedded_pacs([]),
        plugins=loaded("share"),
        find={"use": "folder", "with": share},
        move={"use": "share", "with": share},
    )

    assert run.code == 0, run.said
    assert len(run.files) == sum(len(study.sop_uids) for study in studies)


def test_the_command_lists_what_is_short(pacsfw_run, faulty_pacs, sample_studies, monkeypatch):
    import click
    import pytest
    import short

    run = pacsfw_run(faulty_pacs(sample_studies, lose=1))
    assert run.code == 1
    monkeypatch.chdir(run.folder)
    said = []
    monkeypatch.setattr(click, "echo", said.append)
    with pytest.raises(SystemExit) as ended:
        short.short.main(["conf.json"])
    assert said
    assert all(line.split("\t")[1] == "short" for line in said)
    assert ended.value.code in (0, 1)
