"""Each fault of a FaultyPACS, as DCMTK and our own provider meet it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest
from pynetdicom.presentation import build_context

from pacsfw.errors import RemoteError
from pacsfw.testing import EmbeddedPACS, FaultyPACS, Study, population
from peers.scu import MODELS, associate, identifier
from unit.testing.asking import Ask, Asked, by_dcmtk, by_provider

STUDIES = population(60, days=20, seed=60)
UIDS = [study.uid for study in STUDIES]
ALL = {"StudyInstanceUID": ""}

Start = Callable[..., FaultyPACS]


@pytest.fixture(scope="module")
def faulty() -> Iterator[Start]:
    """Starts a FaultyPACS over STUDIES; the same one for the same faults."""
    with ExitStack() as stack:

        @cache
        def start(**faults: object) -> FaultyPACS:
            return stack.enter_context(FaultyPACS(STUDIES, **faults))

        yield start


@pytest.fixture(params=[by_dcmtk, by_provider], ids=["findscu", "cfind"])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param  # type: ignore[no-any-return]


def uids(studies: list[Study]) -> set[str]:
    return {study.uid for study in studies}


def of_modality(modality: str) -> list[Study]:
    return [study for study in STUDIES if modality in study.modalities]


# --- without faults ---------------------------------------------------------------------


def test_without_faults_everything_is_found(faulty: Start, ask: Ask) -> None:
    asked = ask(faulty(), ALL)
    assert (asked.status, asked.unsupported) == (0x0000, False)
    assert asked.values("StudyInstanceUID") == UIDS


@pytest.mark.parametrize(
    "keys",
    [
        {"PatientName": "", "PatientID": "", "StudyDate": "", "StudyTime": ""},
        {"ModalitiesInStudy": "MR", "NumberOfStudyRelatedInstances": ""},
        {"StudyDescription": "CHEST", "AccessionNumber": "", "SOPClassesInStudy": ""},
        {"StudyDate": "20200101-20200105", "Modality": "", "PatientSize": ""},
    ],
)
def test_without_faults_it_answers_as_an_embedded_pacs_does(
    faulty: Start, plain: EmbeddedPACS, keys: dict[str, str]
) -> None:
    pacs = faulty()
    expected = by_dcmtk(plain, ALL | keys)
    for row in expected.rows:
        assert row["RetrieveAETitle"] == plain.aetitle
    rows = [{**row, "RetrieveAETitle": pacs.aetitle} for row in expected.rows]
    assert by_dcmtk(pacs, ALL | keys) == Asked(0x0000, expected.unsupported, rows)
    assert rows


@pytest.fixture(scope="module")
def plain() -> Iterator[EmbeddedPACS]:
    with EmbeddedPACS(STUDIES) as running:
        yield running


def test_an_answer_holds_what_was_asked_for_and_no_more(faulty: Start) -> None:
    [row] = by_dcmtk(faulty(), {"StudyInstanceUID": UIDS[0], "StudyDate": ""}).rows
    always = {"QueryRetrieveLevel", "RetrieveAETitle", "SpecificCharacterSet"}
    assert set(row) == {"StudyInstanceUID", "StudyDate"} | always


# --- caps -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0x0000, 0xFE00, 0xA700])
def test_a_cap_leaves_rows_out_and_ends_as_told(faulty: Start, ask: Ask, status: int) -> None:
    asked = ask(faulty(cap=9, cap_status=status), ALL)
    assert asked.status == status
    assert asked.values("StudyInstanceUID") == UIDS[:9]


def test_a_cap_that_is_just_reached_does_nothing(faulty: Start, ask: Ask) -> None:
    asked = ask(faulty(cap=9, cap_status=0xA700), {"StudyInstanceUID": "\\".join(UIDS[-9:])})
    assert asked.status == 0x0000
    assert asked.values("StudyInstanceUID") == UIDS[-9:]


def test_a_cap_counts_the_rows_that_match(faulty: Start, ask: Ask) -> None:
    expected = [study.uid for study in of_modality("MR")]
    asked = ask(faulty(cap=9, cap_status=0xA700), ALL | {"ModalitiesInStudy": "MR"})
    assert asked.status == 0xA700
    assert asked.values("StudyInstanceUID") == expected[:9]


@pytest.mark.parametrize("status", [0x0000, 0xFE00])
def test_a_cap_can_come_before_the_optional_keys(faulty: Start, ask: Ask, status: int) -> None:
    pacs = faulty(cap=9, cap_status=status, cap_before_filter=True)
    asked = ask(pacs, ALL | {"ModalitiesInStudy": "MR"})
    assert asked.status == status
    assert asked.uids == uids(of_modality("MR")) & set(UIDS[:9])
    assert 0 < len(asked.uids) < 9


def test_a_cap_before_the_optional_keys_comes_after_the_required_ones(
    faulty: Start, ask: Ask
) -> None:
    last = STUDIES[-1]
    keys = {"PatientID": last.patient_id or "", "ModalitiesInStudy": last.modalities[0]}
    assert last.uid in ask(faulty(cap=9, cap_before_filter=True), ALL | keys).uids


# --- keys -------------------------------------------------------------------------------


def test_an_ignored_key_restricts_nothing_and_is_returned(faulty: Start, ask: Ask) -> None:
    pacs = faulty(ignore_keys=frozenset({"ModalitiesInStudy"}))
    asked = ask(pacs, ALL | {"ModalitiesInStudy": "MR"})
    assert (asked.status, asked.unsupported) == (0x0000, False)
    assert asked.values("StudyInstanceUID") == UIDS
    assert [row.split("\\") for row in asked.values("ModalitiesInStudy")] == [
        sorted(set(study.modalities)) for study in STUDIES
    ]


def test_the_other_keys_still_restrict(faulty: Start, ask: Ask) -> None:
    pacs = faulty(ignore_keys=frozenset({"ModalitiesInStudy"}))
    keys = {"ModalitiesInStudy": "MR", "StudyDescription": "CHEST"}
    assert set(ask(pacs, ALL | keys).values("StudyDescription")) == {"CHEST"}


def test_all_optional_keys_can_be_ignored_at_study_level(faulty: Start, ask: Ask) -> None:
    pacs = faulty(ignore_keys=frozenset({"optional"}))
    day = STUDIES[0].study_date
    keys = {"ModalitiesInStudy": "MR", "StudyDescription": "NONE", "StudyDate": day}
    assert ask(pacs, ALL | keys).uids == uids([one for one in STUDIES if one.study_date == day])
    [series] = ask(
        pacs, {"StudyInstanceUID": UIDS[0], "SeriesNumber": "1", "Modality": ""}, level="SERIES"
    ).rows
    assert series["Modality"] == STUDIES[0].modalities[0]


def test_optional_keys_can_be_absent_from_the_answers(faulty: Start, ask: Ask) -> None:
    keys = {"StudyDescription": "CHEST", "ModalitiesInStudy": "", "AccessionNumber": ""}
    asked = ask(faulty(no_optional_keys=True), ALL | keys)
    assert asked.unsupported
    assert asked.uids == uids([study for study in STUDIES if study.description == "CHEST"])
    for row in asked.rows:
        assert "AccessionNumber" in row
        assert not {"StudyDescription", "ModalitiesInStudy"} & set(row)


def test_without_optional_keys_asked_for_none_is_missed(faulty: Start, ask: Ask) -> None:
    assert not ask(faulty(no_optional_keys=True), ALL | {"PatientName": ""}).unsupported


# --- values -----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Found unknown escape sequence:UserWarning")
def test_text_can_come_without_its_character_set(faulty: Start, ask: Ask) -> None:
    codecs = {"ISO_IR 100": "latin-1", "ISO_IR 192": "utf-8"}
    expected = {
        study.uid: study.patient_name.encode(codecs[study.charset]).decode("latin-1")
        for study in STUDIES
        if study.charset in codecs
    }
    rows = ask(faulty(no_charset=True), ALL | {"PatientName": ""}).rows
    names = {row["StudyInstanceUID"]: row["PatientName"] for row in rows}
    assert {uid: names[uid] for uid in expected} == expected
    assert not all(map(str.isascii, names.values()))
    assert not any("SpecificCharacterSet" in row for row in rows)


def test_names_are_compared_exactly_or_not(faulty: Start, ask: Ask) -> None:
    keys = ALL | {"PatientName": "zeman*"}
    expected = uids([study for study in STUDIES if study.patient_name.startswith("ZEMAN")])
    assert expected
    assert ask(faulty(), keys).uids == expected
    assert ask(faulty(case_sensitive=True), keys).uids == set()


def test_its_ae_title_is_compared_exactly_or_not(faulty: Start) -> None:
    assert by_dcmtk(faulty(), ALL, called="faultypacs").uids == set(UIDS)
    for pacs, called in ((faulty(case_sensitive=True), "faultypacs"), (faulty(), "OTHER")):
        rejected = pacs.counters.get("rejected", 0)
        assert by_dcmtk(pacs, ALL, called=called) == Asked()
        assert pacs.counters["rejected"] == rejected + 1


def test_no_date_can_be_before_every_date(faulty: Start, ask: Ask) -> None:
    keys = ALL | {"StudyDate": "-20200105"}
    dated = uids([study for study in STUDIES if "" < study.study_date <= "20200105"])
    undated = uids([study for study in STUDIES if not study.study_date])
    assert dated
    assert undated
    assert ask(faulty(), keys).uids == dated
    assert ask(faulty(open_ranges=True), keys).uids == dated | undated
    bounded = ALL | {"StudyDate": "20200101-20200105"}
    assert ask(faulty(open_ranges=True), bounded).uids == dated


def test_counts_can_lie(faulty: Start, ask: Ask) -> None:
    pacs = faulty(lying_counts=True)
    names = ("NumberOfStudyRelatedInstances", "NumberOfStudyRelatedSeries")
    for row, study in zip(ask(pacs, ALL | dict.fromkeys(names, "")).rows, STUDIES, strict=True):
        assert [row[name] for name in names] == [str(len(study.modalities) + 1)] * 2
    keys = {"StudyInstanceUID": UIDS[0], "NumberOfSeriesRelatedInstances": ""}
    rows = ask(pacs, keys, level="SERIES").rows
    assert [row["NumberOfSeriesRelatedInstances"] for row in rows] == ["2"] * len(
        STUDIES[0].modalities
    )


# --- answers that are whole and odd -----------------------------------------------------


@pytest.mark.parametrize("keys", [ALL, ALL | {"StudyDate": STUDIES[0].study_date or ""}])
def test_the_last_row_can_come_with_the_success(faulty: Start, keys: dict[str, str]) -> None:
    plain, odd = by_provider(faulty(), keys), by_provider(faulty(last_with_success=True), keys)
    assert (odd.status, odd.rows) == (0x0000, plain.rows)


def test_long_ranges_can_find_nothing(faulty: Start, ask: Ask) -> None:
    first, last = (
        min(s.study_date or "9" for s in STUDIES),
        max(s.study_date or "" for s in STUDIES),
    )
    pacs = faulty(longest_range=2)
    assert ask(pacs, ALL | {"StudyDate": f"{first}-{last}"}) == Asked(0x0000)
    assert ask(pacs, ALL | {"StudyDate": f"{first}-"}) == Asked(0x0000)
    assert ask(pacs, ALL | {"StudyDate": f"{first}-{first}"}).rows
    assert ask(pacs, ALL | {"StudyDate": first}).rows


def test_every_answer_can_end_with_a_warning(faulty: Start) -> None:
    asked = by_provider(faulty(warn=0xB000), ALL)
    assert (asked.status, asked.uids) == (0xB000, set(UIDS))


def test_a_key_can_be_refused(faulty: Start) -> None:
    pacs = faulty(refuse_keys=frozenset({"ModalitiesInStudy"}))
    assert by_provider(pacs, ALL).uids == set(UIDS)
    assert by_provider(pacs, ALL | {"ModalitiesInStudy": ""}) == Asked(0xA900)


def test_patients_may_need_a_key(faulty: Start) -> None:
    pacs = faulty(wild_patients=True)
    assert not by_provider(pacs, {"PatientID": ""}, level="PATIENT", root="patient").rows
    assert by_provider(pacs, {"PatientID": "*"}, level="PATIENT", root="patient").rows


def test_a_range_without_a_beginning_can_find_some_undated_studies(faulty: Start) -> None:
    until = ALL | {"StudyDate": "-19000101"}
    found = by_provider(faulty(open_ranges=True, some_undated=True), until).uids
    undated = {study.uid for study in STUDIES if not study.study_date}
    assert found == {uid for uid in undated if uid[-1] in "02468"}
    assert by_provider(faulty(open_ranges=True), until).uids == undated


# --- associations -----------------------------------------------------------------------


def test_an_answer_can_end_by_abort(faulty: Start, ask: Ask) -> None:
    pacs = faulty(abort_after=4)
    aborted = pacs.counters.get("aborted", 0)
    for number in (1, 2):
        asked = ask(pacs, ALL)
        assert (asked.status, asked.values("StudyInstanceUID")) == (None, UIDS[:4])
        assert pacs.counters["aborted"] == aborted + number
    shorter = ask(pacs, {"StudyInstanceUID": "\\".join(UIDS[:3])})
    assert (shorter.status, shorter.uids) == (0x0000, set(UIDS[:3]))


def test_after_a_while_every_association_is_rejected() -> None:
    with FaultyPACS(STUDIES, reject_after=2) as pacs:
        assert by_provider(pacs, ALL).uids == by_dcmtk(pacs, ALL).uids == set(UIDS)
        for _ in range(2):
            assert by_dcmtk(pacs, ALL) == Asked()
            with pytest.raises(RemoteError, match="no reason"):
                by_provider(pacs, ALL)
        assert pacs.counters == {"associations": 2, "C-FIND": 2, "rejected": 4}


def test_only_one_model_can_be_offered(faulty: Start) -> None:
    patient = STUDIES[0].patient_id
    keys = {"PatientID": patient or ""}
    study, both = faulty(models=("study",)), faulty()
    assert by_dcmtk(study, ALL).uids == set(UIDS)
    assert by_dcmtk(study, keys, level="PATIENT", root="PATIENT") == Asked()
    assert by_dcmtk(both, keys, level="PATIENT", root="PATIENT").values("PatientID") == [patient]
    only_patient = faulty(models=("patient",))
    assert by_dcmtk(only_patient, ALL) == Asked()
    assert UIDS[0] in by_provider(only_patient, ALL | keys, root="patient").uids


def test_a_slow_answer_can_be_cancelled_on_its_way(faulty: Start) -> None:
    model = MODELS["STUDY"] + "1"
    statuses = []
    with associate(faulty(slow=0.2), [build_context(model)]) as association:
        for status, _ in association.send_c_find(identifier("STUDY", ALL), model):
            statuses.append(status.Status)
            if len(statuses) == 1:
                association.send_c_cancel(1, query_model=model)
    assert statuses[-1] == 0xFE00
    # Fifty rows leave at once where nothing slows them down.
    assert 2 <= len(statuses) < 50
