"""Find by a cohort, with filters, at the level of patients, in a folder; and the move after."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date

import pytest

from pacsfw.testing import EmbeddedPACS, Study, make_studies, population, write_studies
from support.documented import rows
from support.finding import assert_honest, between, criteria, dated, listed, look, questions

MONTH = date(2020, 1, 1), date(2020, 1, 31)


@pytest.fixture(scope="module")
def studies():
    return population(80, days=31)


@pytest.fixture(scope="module")
def in_month(studies):
    return dated(studies, "20200101", "20200131")


@pytest.fixture(scope="module")
def shared(studies, destinations):
    """One archive without any fault for all of these tests."""
    with EmbeddedPACS(studies, aetitle="theirtitle", destinations=destinations) as pacs:
        yield pacs


@pytest.fixture
def find(collection, shared, capsys):
    def find(*lines, days=MONTH, pacs=None, files=None):
        changes = between(*days, *lines) if days else criteria(*lines)
        collected = collection(pacs or shared, changes=changes)
        for name, text in (files or {}).items():
            (collected.folder / name).write_text(text, encoding="utf-8")
        return look(collected, lambda: capsys.readouterr().out), collected

    return find


def accession(study: Study) -> str:
    return next(study.datasets()).get("AccessionNumber", "")


def outcomes(collected):
    return rows(collected.folder / "my" / "resources_cohort.csv")


def test_every_row_of_a_cohort_has_an_outcome(studies, find):
    accessions = Counter(accession(study) for study in studies)
    twice = next(value for value, count in accessions.items() if value and count > 1)
    owners = {study.patient_id for study in studies if accession(study) == twice}
    assert len(owners) > 1
    first, second = [study for study in studies if accessions[accession(study)] == 1][:2]
    patients = Counter(study.patient_id for study in studies)
    several = next(value for value, count in patients.items() if value and count > 1)
    text = (
        "StudyInstanceUID,PatientID,AccessionNumber,_note\n"
        f"{first.uid},,,by UID\n"
        f",,{accession(second)},by number\n"
        f",{several},,all of a patient\n"
        f",,{twice},given twice\n"
        ",NOBODY-1,,not there\n"
        f"{first.uid},,,again\n"
        f"{second.uid},NOBODY-2,,of another patient\n"
    )

    come, collected = find("cohort: cohort.csv", days=None, files={"cohort.csv": text})

    of_several = {study.uid for study in studies if study.patient_id == several}
    of_twice = {study.uid for study in studies if accession(study) == twice}
    assert come.listed == {first.uid, second.uid} | of_several | of_twice
    assert come.code == 1
    assert "missing rows: 2" in come.said
    assert "ambiguous rows: 1" in come.said
    found = outcomes(collected)
    assert [row["outcome"] for row in found] == [
        "found", "found", "found", "ambiguous", "missing", "duplicate of row 1", "missing",
    ]  # fmt: skip
    assert [row["line"] for row in found] == [f"cohort.csv:{line}" for line in range(2, 9)]
    assert set(found[2]["StudyInstanceUID"].split("\\")) == of_several
    assert set(found[3]["StudyInstanceUID"].split("\\")) == of_twice
    assert "NOBODY" not in come.said


def test_a_cohort_that_is_all_there_ends_well(studies, shared, find):
    chosen = [study for study in studies if study.study_date][:5]
    lines = [{"studyinstanceuid": study.uid, "#": "x"} for study in chosen[:3]]
    lines += [
        {"StudyInstanceUID": study.uid, "StudyDate": study.study_date} for study in chosen[3:]
    ]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    before = len(shared.log)

    come, collected = find("cohort: cohort.jsonl", days=None, files={"cohort.jsonl": text})

    assert (come.code, come.proven) == (0, True)
    assert come.listed == {study.uid for study in chosen}
    assert [row["outcome"] for row in outcomes(collected)] == ["found"] * 5
    asked = questions(shared)[before:] if before else questions(shared)
    assert all(each.keys["StudyInstanceUID"] for each in asked)


def test_dates_and_modality_hold_for_a_cohort_too(studies, find):
    chosen = [study for study in studies if study.patient_id]
    text = "PatientID\n" + "".join(f"{each}\n" for each in {one.patient_id for one in chosen})
    days = date(2020, 1, 10), date(2020, 1, 20)

    come, _ = find("modality: MR", "cohort: cohort.csv", days=days, files={"cohort.csv": text})

    truth = {
        study.uid for study in dated(chosen, "20200110", "20200120") if "MR" in study.modalities
    }
    assert truth
    assert come.listed == truth
    assert come.code == 1  # the patients who have none are missing
    assert come.proven


def test_rows_are_found_although_the_pacs_ignores_what_they_name(studies, find, faulty_pacs):
    pacs = faulty_pacs(studies, ignore_keys={"AccessionNumber"})
    once = Counter(accession(study) for study in studies)
    chosen = [study for study in studies if study.study_date and once[accession(study)] == 1][:4]
    text = "AccessionNumber\n" + "".join(f"{accession(study)}\n" for study in chosen)

    come, collected = find("cohort: cohort.csv", days=None, pacs=pacs, files={"cohort.csv": text})

    assert [row["outcome"] for row in outcomes(collected)] == ["found"] * 4
    assert come.listed == {study.uid for study in chosen}


def test_a_row_is_found_although_it_was_seen_in_the_answer_for_another(studies, find):
    """Of one patient's two studies, the first row means one, the second row the other."""
    patients = Counter(study.patient_id for study in studies)
    once = Counter(accession(study) for study in studies)
    one, other = next(
        (one, other)
        for one in studies
        for other in studies
        if one.patient_id and one.patient_id == other.patient_id and patients[one.patient_id] == 2
        if one.description and one.description != other.description
        if once[accession(other)] == 1
    )
    text = (
        "PatientID,StudyDescription,AccessionNumber\n"
        f'{one.patient_id},"{one.description.replace("*", "?")}",\n'
        f",,{accession(other)}\n"
    )

    come, collected = find("cohort: cohort.csv", days=None, files={"cohort.csv": text})

    assert [row["outcome"] for row in outcomes(collected)] == ["found", "found"]
    assert come.listed == {one.uid, other.uid}


def test_a_cohort_with_mistakes_asks_nothing(shared, find, capsys):
    before = len(shared.log)
    text = "StudyInstanceUID,PatientID\nnot-a-uid,\n,\n"

    come, _ = find("cohort: cohort.csv", days=None, files={"cohort.csv": text})

    assert come.code == 2
    assert shared.log[before:] == []


FILTERS = {
    'PatientName: "*übel*"': lambda s: "bel " in s.patient_name.casefold(),
    "StudyDescription: [CHEST, HEAD]": lambda s: s.description in ("CHEST", "HEAD"),
    'StudyDescription: "*chest*"': lambda s: False,
    'StudyDescription: {is: "*chest*", ignore_case: true}': lambda s: (
        "chest" in s.description.lower()
    ),
    'StudyDescription: {not: ["CHEST", "HEAD"]}': lambda s: s.description not in ("CHEST", "HEAD"),
    'StudyDescription: {not: "*"}': lambda s: not s.description,
    'PatientID: {not: "*"}': lambda s: not s.patient_id,
    'StudyTime: "12-"': lambda s: s.study_time >= "12",
    "Modality: [PT, SR]": lambda s: {"PT", "SR"} & set(s.modalities),
    "Modality: {is: CT, not: [SR, PT]}": lambda s: (
        "CT" in s.modalities and not {"SR", "PT"} & set(s.modalities)
    ),
}


@pytest.mark.parametrize("line", FILTERS)
def test_filters_choose_what_they_say(line, in_month, find):
    truth = {study.uid for study in in_month if FILTERS[line](study)}

    come, _ = find(f"filters: {{{line}}}")

    assert come.listed == truth
    assert (come.code, come.proven) == (0, True)


def test_a_filter_that_the_pacs_returns_nothing_for_is_doubted(
    in_month, studies, faulty_pacs, find
):
    pacs = faulty_pacs(studies, no_optional_keys=True)

    come, _ = find("filters: {StudyDescription: CHEST}", pacs=pacs)

    assert come.code == 1
    assert "the PACS returns no StudyDescription" in come.said


def test_too_many_studies_stop_it(in_month, shared, collection, capsys):
    collected = collection(shared, changes=between(*MONTH, f"max_studies: {len(in_month) - 1}"))

    assert collected.run("find") == 2

    said = capsys.readouterr().err
    assert "find.max_studies" in said
    assert not collected.resources.exists()
    collected.change(f"max_studies: {len(in_month) - 1}", f"max_studies: {len(in_month)}")
    assert collected.run("find") == 0
    assert listed(collected) == {study.uid for study in in_month}


def test_patients_are_listed_once_each(in_month, collection, shared, capsys):
    collected = collection(shared, changes=between(*MONTH, "modality: CT"))
    collected.change("find:\n    query_level: STUDY", "find:\n    query_level: PATIENT")

    collected.run("find")

    ids = [row["PatientID"] for row in collected.listed()]
    truth = {study.patient_id for study in in_month if "CT" in study.modalities}
    assert len(ids) == len(set(ids))
    assert set(ids) == truth - {""}


def test_a_folder_is_searched_as_a_pacs_is(studies, in_month, find, tmp_path):
    write_studies(tmp_path / "old", studies)
    use = "use: folder", f"with: {{path: {tmp_path / 'old'}}}"

    come, _ = find(*use)
    by_filter, _ = find("modality: MR", 'filters: {PatientName: "*a*"}', *use)
    with_undated, _ = find("undated: true", *use)

    assert_honest(come, {study.uid for study in in_month})
    assert come.listed == {study.uid for study in in_month}
    assert by_filter.listed == {
        study.uid
        for study in in_month
        if "MR" in study.modalities and set("aáäAÄ") & set(study.patient_name)
    }
    assert with_undated.listed == {study.uid for study in studies}


def test_a_run_with_filters_and_a_cohort_collects_what_was_found(embedded_pacs, collection):
    studies = make_studies(12, days=40, instances=1)
    pacs = embedded_pacs(studies)
    lines = (
        "cohort: cohort.csv",
        'filters: {PatientName: {not: "ADLER*"}, Modality: {is: CT}}',
    )
    collected = collection(pacs, changes=criteria(*lines))
    chosen = studies[:9]
    text = "PatientID\n" + "".join(f"{study.patient_id}\n" for study in chosen)
    (collected.folder / "cohort.csv").write_text(text)
    wanted = [
        study
        for study in chosen
        if "CT" in study.modalities and not study.patient_name.startswith("Adler")
    ]
    assert 0 < len(wanted) < len(chosen)

    code = collected.run()

    assert listed(collected) == {study.uid for study in wanted}
    assert set(collected.objects()) == {uid for study in wanted for uid in study.sop_uids}
    assert len(collected.rows()) == len(collected.files())
    by_outcome = Counter(row["outcome"] for row in outcomes(collected))
    assert by_outcome == {"found": len(wanted), "missing": len(chosen) - len(wanted)}
    assert code == 1
    # Complete, and yet rows are missing: it is said at every run.
    asked = len(pacs.log)
    assert collected.run() == 1
    assert [each for each in pacs.log[asked:] if each.service != "C-FIND"] == []
