import itertools
import logging
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom.data
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from pacsfw.api import Clock, Net, Query, QueryProvider, QueryResult, QueryRow, RunContext
from pacsfw.errors import ConfigError
from pacsfw.testing import EmbeddedPACS, Study, awkward_studies, make_studies, write_studies
from pacsfw_plugins.dimse import cfind
from pacsfw_plugins.folder import query as query_folder
from unit.dimse.scripted import net

SAMPLES = Path(pydicom.data.__file__).parent / "test_files"
STUDY_KEYS = (
    "StudyDate",
    "StudyTime",
    "PatientName",
    "PatientID",
    "AccessionNumber",
    "StudyDescription",
    "ModalitiesInStudy",
    "SOPClassesInStudy",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)
SERIES_KEYS = ("Modality", "SeriesNumber", "SeriesDescription", "NumberOfSeriesRelatedInstances")
ALL = Query(level="STUDY", match={}, returns=STUDY_KEYS)


def context(nodes: Net | None = None) -> RunContext:
    return RunContext(
        run_id="test",
        workdir=Path(),
        net=nodes,
        sections={},
        clock=Clock(),
        log=logging.getLogger("test"),
    )


@contextmanager
def folder(path: Path) -> Iterator[QueryProvider]:
    (component,) = query_folder.pacsfw_query_providers()
    made = component.factory(path=str(path))
    made.open(context())
    try:
        yield made
    finally:
        made.close()


@contextmanager
def pacs_over(path: Path) -> Iterator[tuple[EmbeddedPACS, QueryProvider]]:
    (component,) = cfind.pacsfw_query_providers()
    made = component.factory()
    with EmbeddedPACS(path) as pacs:
        made.open(context(net(pacs.port, pacs.aetitle)))
        try:
            yield pacs, made
        finally:
            made.close()


def ask(asked: QueryProvider, query: Query = ALL) -> tuple[QueryResult, list[dict[str, str]]]:
    rows: list[QueryRow] = []
    answer = asked.ask(query, rows.append)
    return answer, [dict(row.attributes) for row in rows]


def ask_folder(path: Path, query: Query = ALL) -> tuple[QueryResult, list[dict[str, str]]]:
    with folder(path) as asked:
        return ask(asked, query)


def uids(rows: list[dict[str, str]], level: str = "Study") -> set[str]:
    return {row[f"{level}InstanceUID"] for row in rows}


def study_slice(**match: str) -> Query:
    return Query(level="STUDY", match=match)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ordinary and awkward studies; every file of a study in the same folder."""
    path = tmp_path_factory.mktemp("tree")
    write_studies(path, [*make_studies(20, patients=8), *awkward_studies().values()])
    return path


@pytest.fixture
def one(tmp_path: Path) -> tuple[Path, Study, list[Path]]:
    """A tree with a single study, and its files."""
    (study,) = make_studies(1)
    return tmp_path, study, study.write(tmp_path)


# --- beside a PACS over the same files ----------------------------------------------------


QUESTIONS = [
    {},
    {"StudyDate": "20200101-20200131"},
    {"StudyDate": "20200201-"},
    {"StudyDate": "20200615", "StudyTime": "0800-1200"},
    {"PatientID": "SYN1-00003"},
    {"PatientID": "SYN1-*"},
    {"PatientID": "患者二"},
    {"PatientID": " "},
    {"AccessionNumber": "ACC1-7"},
    {"AccessionNumber": "nowhere"},
    {"PatientName": "*a*"},
    {"PatientName": "adler*"},
    {"PatientName": "Yamada*"},
    {"StudyDescription": "*SLASH*"},
    {"ModalitiesInStudy": "SR"},
    {"ModalitiesInStudy": "MR", "StudyDate": "20200101-20201231"},
    {"NumberOfStudyRelatedInstances": "4"},
    {"SOPClassesInStudy": "1.2.840.10008.5.1.4.1.1.4"},
]


def test_answers_are_those_of_a_pacs_over_the_same_files(tree: Path) -> None:
    with pacs_over(tree) as (_, pacs), folder(tree) as asked:
        for match in QUESTIONS:
            query = Query(level="STUDY", match=match, returns=STUDY_KEYS)
            theirs, expected = ask(pacs, query)
            ours, rows = ask(asked, query)
            assert theirs.complete, match
            assert ours.complete, match
            key = "StudyInstanceUID"
            for row in expected:
                row.pop("RetrieveAETitle", None)
                row.pop("SpecificCharacterSet", None)
            assert {row[key]: row for row in rows} == {row[key]: row for row in expected}, match
            assert len(rows) == len(expected), match


def test_a_list_of_uids_is_looked_up(tree: Path) -> None:
    wanted = [study.uid for study in make_studies(20)[3:6]]
    _, rows = ask_folder(tree, study_slice(StudyInstanceUID="\\".join(wanted)))
    assert uids(rows) == set(wanted)


def test_series_and_images_are_those_of_a_pacs_over_the_same_files(tree: Path) -> None:
    with pacs_over(tree) as (_, pacs), folder(tree) as asked:
        for study in make_studies(6):
            match = {"StudyInstanceUID": study.uid}
            query = Query(level="SERIES", match=match, returns=SERIES_KEYS)
            _, expected = ask(pacs, query)
            answer, rows = ask(asked, query)
            assert answer.complete
            assert [[row[key] for key in SERIES_KEYS] for row in rows] == [
                [row[key] for key in SERIES_KEYS] for row in expected
            ]
            match["SeriesInstanceUID"] = rows[0]["SeriesInstanceUID"]
            returns = ("SOPClassUID", "InstanceNumber", "SliceThickness")
            query = Query(level="IMAGE", match=match, returns=returns)
            _, expected = ask(pacs, query)
            _, rows = ask(asked, query)
            assert [row["SliceThickness"] for row in rows] == ["2.5", "2.5"]
            assert [row | {"RetrieveAETitle": "DEMOPACS"} for row in rows] == [
                {key: row[key] for key in row if key != "SpecificCharacterSet"} for row in expected
            ]


def test_the_series_of_one_modality_can_be_asked_for_across_studies(tree: Path) -> None:
    query = Query(level="SERIES", match={"Modality": "MR"}, returns=("Modality",))
    _, rows = ask_folder(tree, query)
    expected = [study for study in make_studies(20) if "MR" in study.modalities]
    assert uids(rows) == {study.uid for study in expected}
    assert {row["Modality"] for row in rows} == {"MR"}


def test_patients_are_those_of_the_files(tree: Path) -> None:
    returns = ("PatientName", "NumberOfPatientRelatedStudies", "NumberOfPatientRelatedInstances")
    query = Query(level="PATIENT", match={"PatientID": "SYN1-*"}, returns=returns)
    answer, rows = ask_folder(tree, query)
    expected = make_studies(20, patients=8)
    assert answer.complete
    assert len(rows) == 8
    for row in rows:
        own = [study for study in expected if study.patient_id == row["PatientID"]]
        assert row["PatientName"] == own[0].patient_name
        assert row["NumberOfPatientRelatedStudies"] == str(len(own))
        images = sum(len(study.sop_uids) for study in own)
        assert row["NumberOfPatientRelatedInstances"] == str(images)


def test_files_of_the_field_are_found_as_a_pacs_finds_them(tmp_path: Path) -> None:
    """pydicom's own test files: many vendors, syntaxes and defects."""
    shutil.copytree(SAMPLES, tmp_path / "tree")
    query = Query(level="STUDY", match={}, returns=("StudyDate", "PatientID"))
    with pacs_over(tmp_path / "tree") as (pacs, provider):
        _, expected = ask(provider, query)
        skipped = pacs.skipped
    answer, rows = ask_folder(tmp_path / "tree", query)
    assert len(expected) > 10
    assert uids(expected) <= uids(rows)
    more = uids(rows) - uids(expected)
    assert more <= {_study_uid(path) for path in skipped}
    assert not answer.complete
    assert sum(answer.evidence["damaged"].values()) > 0


def _study_uid(path: Path) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pydicom.config.settings, "reading_validation_mode", pydicom.config.IGNORE)
        try:
            return str(dcmread(path, specific_tags=["StudyInstanceUID"]).StudyInstanceUID)
        except Exception:  # noqa: BLE001 - skipped because pydicom cannot read them
            return ""


# --- keys -----------------------------------------------------------------------------------


def test_an_absent_value_is_returned_empty_and_a_lower_key_not_at_all(
    one: tuple[Path, Study, list[Path]],
) -> None:
    path, study, _ = one
    returns = ("StudyComments", "Modality", "PatientBirthTime", "RequestAttributesSequence")
    answer, rows = ask_folder(path, Query(level="STUDY", match={}, returns=returns))
    assert rows == [{"StudyInstanceUID": study.uid, "PatientBirthTime": ""}]
    assert answer.complete
    assert answer.evidence["optional_keys_ignored"]


def test_keys_that_are_all_known_are_said_to_be(one: tuple[Path, Study, list[Path]]) -> None:
    answer, _ = ask_folder(one[0])
    assert answer.evidence["optional_keys_ignored"] is False


def test_an_unknown_keyword_is_an_error(one: tuple[Path, Study, list[Path]]) -> None:
    with pytest.raises(ValueError, match="'StudyDat' is not a DICOM keyword"):
        ask_folder(one[0], Query(level="IMAGE", match={"StudyDat": "1"}))


def test_a_malformed_range_is_not_answered_whole(one: tuple[Path, Study, list[Path]]) -> None:
    answer, rows = ask_folder(one[0], study_slice(StudyDate="2020-01-01"))
    assert (answer.complete, rows) == (False, [])
    assert answer.status_text.startswith("StudyDate: ")


def test_after_enough_rows_the_answer_ends(tree: Path) -> None:
    answer, rows = ask_folder(tree, Query(level="STUDY", match={}, max_rows=3))
    assert (answer.complete, len(rows)) == (False, 3)
    assert answer.status_text == "stopped at the limit of 3 rows"


def test_as_many_rows_as_enough_is_whole_if_there_are_no_more(
    one: tuple[Path, Study, list[Path]],
) -> None:
    answer, rows = ask_folder(one[0], Query(level="STUDY", match={}, max_rows=1))
    assert (answer.complete, len(rows)) == (True, 1)


# --- the files of a study -------------------------------------------------------------------


def change(path: Path, **values: str) -> None:
    dataset = dcmread(path)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def test_the_first_value_that_a_file_has_is_that_of_the_study(
    one: tuple[Path, Study, list[Path]],
) -> None:
    path, _, files = one
    change(files[0], StudyDate="", PatientID="FIRST")
    change(files[1], StudyDate="20190101", PatientID="SECOND")
    change(files[2], Modality="US")
    _, (row,) = ask_folder(path)
    assert (row["PatientID"], row["StudyDate"]) == ("FIRST", "20190101")
    assert row["ModalitiesInStudy"] == "CT\\US"


def test_an_object_in_two_files_counts_once(one: tuple[Path, Study, list[Path]]) -> None:
    path, _, files = one
    shutil.copy(files[0], path / "copy.dcm")
    answer, (row,) = ask_folder(path)
    assert row["NumberOfStudyRelatedInstances"] == "4"
    assert (answer.complete, answer.evidence["copies"]) == (True, 1)


def test_two_studies_that_share_an_object_are_both_found(
    one: tuple[Path, Study, list[Path]],
) -> None:
    path, _, files = one
    shutil.copy(files[0], path / "other.dcm")
    change(path / "other.dcm", StudyInstanceUID="1.2.3")
    _, rows = ask_folder(path)
    assert sorted(row["NumberOfStudyRelatedInstances"] for row in rows) == ["1", "4"]


# --- what else lies in a tree ------------------------------------------------------------------


def test_other_files_are_counted_and_passed_over(one: tuple[Path, Study, list[Path]]) -> None:
    path, study, files = one
    (path / "notes.txt").write_text("nothing of ours")
    (path / "empty").touch()
    (path / "table.bin").write_bytes(b"\x08\0\0\0" * 100)
    with socket.socket(socket.AF_UNIX) as pipe:
        pipe.bind(str(path / "socket"))
        answer, rows = ask_folder(path)
    assert uids(rows) == {study.uid}
    assert answer.complete
    assert answer.evidence["not_dicom"] == 3
    assert answer.evidence["files"] == len(files) + 3


def test_a_dicomdir_is_no_object(one: tuple[Path, Study, list[Path]]) -> None:
    path, study, _ = one
    shutil.copy(SAMPLES / "dicomdirtests" / "DICOMDIR", path)
    answer, rows = ask_folder(path)
    assert uids(rows) == {study.uid}
    assert (answer.complete, answer.evidence["without_study"]) == (True, 1)


def test_the_state_of_a_collection_is_not_looked_into(
    one: tuple[Path, Study, list[Path]],
) -> None:
    path, study, _ = one
    write_studies(path / ".pacsfw" / "spool", make_studies(2, seed=2))
    _, rows = ask_folder(path)
    assert uids(rows) == {study.uid}


def test_linked_folders_are_entered_once_even_in_a_circle(
    one: tuple[Path, Study, list[Path]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path, study, files = one
    (path / "a").mkdir()
    (path / "a" / "up").symlink_to(path)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write_studies(elsewhere, make_studies(1, seed=2))
    (path / "b").symlink_to(elsewhere)
    (path / "c").symlink_to(elsewhere)
    answer, rows = ask_folder(path)
    assert uids(rows) == {study.uid, make_studies(1, seed=2)[0].uid}
    assert answer.complete
    assert answer.evidence["files"] == 2 * len(files)


def test_the_tree_is_scanned_once(one: tuple[Path, Study, list[Path]]) -> None:
    path, study, files = one
    with folder(path) as asked:
        ask(asked)
        for file in files:
            file.unlink()
        _, rows = ask(asked)
    assert uids(rows) == {study.uid}


def test_what_is_gone_when_it_is_read_again_is_not_passed_over(
    one: tuple[Path, Study, list[Path]],
) -> None:
    path, _, files = one
    with folder(path) as asked:
        ask(asked)
        files[1].unlink()
        answer, _ = ask(asked, Query(level="IMAGE", match={}, returns=("SliceThickness",)))
    assert not answer.complete
    assert answer.status_text == "a file cannot be read: FileNotFoundError"


# --- what may hide a study -------------------------------------------------------------------


def test_a_nul_in_the_character_set_costs_no_instance(one: tuple[Path, Study, list[Path]]) -> None:
    path, study, files = one
    content = files[0].read_bytes().replace(b"ISO_IR 192", b"ISO\0_IR 10")
    name = study.patient_name.encode()
    files[0].write_bytes(content.replace(name, name[:-1] + b"\xe9"))
    assert files[0].read_bytes() != content
    answer, (row,) = ask_folder(path)
    assert (answer.complete, row["NumberOfStudyRelatedInstances"]) == (True, "4")


def doubtful(path: Path, study: Study) -> QueryResult:
    answer, rows = ask_folder(path)
    assert uids(rows) == {study.uid}
    assert not answer.complete
    assert answer.evidence["narrower_helps"] is False
    return answer


def damage(path: Path, content: bytes) -> None:
    (path / "doe^john.dcm").write_bytes(content)


@pytest.mark.parametrize("name", ["x.dcm", "x.IMA", "x"])
def test_a_data_set_without_its_head_may_hide_a_study(
    one: tuple[Path, Study, list[Path]], name: str
) -> None:
    path, study, files = one
    (path / name).write_bytes(_bare(files[0], implicit=False))
    (path / "implicit").write_bytes(_bare(files[0], implicit=True))
    answer = doubtful(path, study)
    assert answer.status_text == "DICOM files are damaged: 2"
    assert answer.evidence["damaged"] == {"not a DICOM Part 10 file": 2}


def _bare(path: Path, *, implicit: bool) -> bytes:
    bare = Dataset(dcmread(path))
    target = path.parent.parent / "bare"
    bare.save_as(target, implicit_vr=implicit, little_endian=True)
    content = target.read_bytes()
    target.unlink()
    return content


def test_an_empty_dicom_file_may_hide_a_study(one: tuple[Path, Study, list[Path]]) -> None:
    path, study, _ = one
    damage(path, b"")
    assert doubtful(path, study).status_text == "DICOM files are damaged: 1"


def test_an_object_without_its_study_may_belong_to_another_one(
    one: tuple[Path, Study, list[Path]],
) -> None:
    path, study, files = one
    change(files[0], StudyInstanceUID="")
    assert doubtful(path, study).evidence["damaged"] == {"it has no StudyInstanceUID": 1}


def test_a_cut_file_is_damaged_until_it_tells_what_it_is_of(
    one: tuple[Path, Study, list[Path]],
) -> None:
    """Cut anywhere, it is either counted as damaged or names the right study and series."""
    path, study, files = one
    whole = files[0].read_bytes()
    end = whole.index(study.series_uid(1).encode()) + len(study.series_uid(1))
    for file in files:
        file.unlink()
    for number in itertools.chain(range(132, end), [end + 1 + end % 2, len(whole) - 1]):
        (path / f"{number:06d}").write_bytes(whole[:number])
    series = Query(level="SERIES", match={}, returns=("NumberOfSeriesRelatedInstances",))
    answer, rows = ask_folder(path, series)
    assert [(row["StudyInstanceUID"], row["SeriesInstanceUID"]) for row in rows] == [
        (study.uid, study.series_uid(1))
    ]
    assert sum(answer.evidence["damaged"].values()) == end - 132
    assert answer.evidence["copies"] == 1


def test_a_link_that_leads_nowhere_may_hide_a_study(
    one: tuple[Path, Study, list[Path]],
) -> None:
    path, study, _ = one
    (path / "archive").symlink_to(path / "unmounted")
    (path / "self").symlink_to(path / "self")
    assert doubtful(path, study).status_text == "files cannot be read: 2"


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file that gives an I/O error")
def test_a_file_that_cannot_be_read_may_hide_a_study(
    one: tuple[Path, Study, list[Path]],
) -> None:
    path, study, _ = one
    (path / "bad-block.dcm").symlink_to("/proc/self/mem")
    answer = doubtful(path, study)
    assert answer.status_text == "files cannot be read: 1"
    assert answer.evidence["unreadable_files"] == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_is_forbidden_may_hide_a_study(one: tuple[Path, Study, list[Path]]) -> None:
    path, study, files = one
    files[0].chmod(0)
    (path / "closed").mkdir(mode=0)
    try:
        answer = doubtful(path, study)
    finally:
        (path / "closed").chmod(0o700)
    assert answer.status_text == "files cannot be read: 1, folders cannot be listed: 1"


def test_a_damaged_file_takes_nothing_from_the_studies_that_are_known(
    one: tuple[Path, Study, list[Path]],
) -> None:
    path, study, _ = one
    damage(path, b"")
    with folder(path) as asked:
        for level in ("STUDY", "SERIES"):
            answer, _ = ask(asked, Query(level=level, match={"StudyInstanceUID": study.uid}))
            assert answer.complete
        of_series = {"StudyInstanceUID": study.uid, "SeriesInstanceUID": study.series_uid(1)}
        answer, rows = ask(asked, Query(level="IMAGE", match=of_series))
        assert (answer.complete, len(rows)) == (True, 2)
        unknown, _ = ask(asked, study_slice(StudyInstanceUID=f"{study.uid}\\1.2.3"))
    assert unknown.status_text == "DICOM files are damaged: 1"


def test_nothing_that_is_said_names_a_file(one: tuple[Path, Study, list[Path]]) -> None:
    path, study, files = one
    damage(path, files[0].read_bytes()[:400])
    answer = doubtful(path, study)
    assert "doe" not in repr(answer).lower()


def test_a_folder_without_any_dicom_file_proves_nothing(tmp_path: Path) -> None:
    answer, rows = ask_folder(tmp_path)
    assert (answer.complete, rows) == (False, [])
    assert answer.status_text == "the folder has no DICOM files"


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_path_that_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / name
    with (
        pytest.raises(ConfigError, match=f"^folder: with.path: {path} is not a folder"),
        folder(path),
    ):
        pass
