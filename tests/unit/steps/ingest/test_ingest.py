"""From a spool file to the archive: placed, recognised, or quarantined with its bytes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from pacsfw.dicom.part10 import file_head, read_file_meta
from pacsfw.errors import ComponentError, Skip
from pacsfw.ledger.cells import NO_CELLS, encode
from pacsfw.plugins.boundary import Fault
from pacsfw.spool.records import Sealed
from pacsfw.spool.writer import Spool
from pacsfw.steps.ingest.ingest import (
    Ingest,
    Place,
    Placed,
    Reparse,
    Unwritable,
    Vanished,
)
from pacsfw.steps.ingest.rejection import KEY_OBJECT_SELECTION
from pacsfw.testing import make_studies
from pacsfw_plugins.layouts import Template
from peers.readback import dataset_bytes
from support.guards import guard

LAYOUT = Template("{PatientID}/{SOPInstanceUID}.dcm")
SYNTAX = "1.2.840.10008.1.2.1"


@pytest.fixture
def room(tmp_path):
    """An archive, a state folder and a spool."""
    for name in ("archive", "state/spool", "source"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def source(room):
    (study,) = make_studies(1, modalities=(("CT",),), instances=2)
    return study.write(room / "source")


def ingest(room, layout=LAYOUT, read_row=lambda header: (encode([header.Modality]), []), **options):
    return Ingest(room / "archive", room / "state", layout, "a layout", read_row, **options)


def spooled(room, path: Path, *, data=None, uid=None, syntax=None) -> Sealed:
    """Put the data set of a file into the spool as a receiver would."""
    meta, reports = read_file_meta(path), []
    writer = Spool(room / "state" / "spool", reports.append).begin(
        meta.sop_class, uid or meta.sop_uid, syntax or meta.syntax, "PACS"
    )
    writer.write(dataset_bytes(path) if data is None else data)
    writer.seal()
    return reports[-1]


def test_an_object_is_stored_whole_under_its_layout(room, source):
    sealed = spooled(room, source[0])

    stored = ingest(room)(sealed)

    header = dcmread(source[0])
    assert stored.path == f"SYN1-00000/{header.SOPInstanceUID}.dcm"
    assert stored.study_uid == header.StudyInstanceUID
    assert stored.row == encode(["CT"])
    assert dataset_bytes(room / "archive" / stored.path) == dataset_bytes(source[0])
    assert not sealed.path.exists()


def test_a_digest_that_was_taken_on_the_way_is_not_taken_again(room, source):
    sealed = spooled(room, source[0])

    stored = ingest(room)(sealed._replace(digest="5" * 64))

    assert stored.digest == "5" * 64


def test_the_same_object_again_changes_nothing(room, source):
    first = ingest(room)(spooled(room, source[0]))
    again = ingest(room)(spooled(room, source[0]))

    assert again == first
    assert list((room / "state" / "spool").iterdir()) == []


def test_other_content_of_an_object_is_kept_as_a_version(room, source):
    first = ingest(room)(spooled(room, source[0]))
    data = dataset_bytes(source[0])

    other = ingest(room)(spooled(room, source[0], data=data[:-1] + b"\x99"))

    assert (other.state, other.row) == ("version", NO_CELLS)
    assert other.path == f"versions/{other.digest}.dcm"
    assert other.reason == "other content is stored under the same SOP Instance UID"
    assert dataset_bytes(room / "archive" / first.path) == data
    assert dataset_bytes(room / "state" / other.path) == data[:-1] + b"\x99"


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID"])
def test_the_same_uid_in_another_study_or_series_is_no_version(room, source, keyword):
    """Its study would be called complete although the archive lacks the object."""
    first = ingest(room)(spooled(room, source[0]))
    edited = dcmread(source[0])
    setattr(edited, keyword, "1.2.3")
    edited.save_as(source[0], enforce_file_format=True)

    other = ingest(room)(spooled(room, source[0]))

    assert other.state == "quarantined"
    assert "another series or study" in other.reason
    assert first.sop_uid == other.sop_uid


def rejecting(path, title):
    """Make a key object selection of a file that names the object 1.2.3 of study 1.2."""
    note = dcmread(path)
    note.SOPClassUID = note.file_meta.MediaStorageSOPClassUID = KEY_OBJECT_SELECTION
    note.ConceptNameCodeSequence = [Dataset()]
    note.ConceptNameCodeSequence[0].CodeValue = title
    study, series, item = Dataset(), Dataset(), Dataset()
    item.ReferencedSOPInstanceUID = "1.2.3"
    series.ReferencedSOPSequence = [item]
    study.StudyInstanceUID = "1.2"
    study.ReferencedSeriesSequence = [series]
    note.CurrentRequestedProcedureEvidenceSequence = [study]
    note.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize(
    ("title", "rejects"), [("113037", (("1.2", "1.2.3"),)), ("113000", ()), ("", ())]
)
def test_a_rejection_note_says_what_it_takes_back(room, source, title, rejects):
    rejecting(source[0], title)

    stored = ingest(room)(spooled(room, source[0]))

    assert (stored.state, stored.rejects) == ("stored", rejects)


def test_two_objects_on_one_path_are_both_kept(room, source):
    work = ingest(room, Template("{PatientID}.dcm"))

    first, second = (work(spooled(room, path)) for path in source)

    assert (first.state, second.state) == ("stored", "quarantined")
    assert second.reason == "layout a layout gives the same path to another instance"
    assert second.component == "a layout"


def test_a_file_that_is_not_ours_is_not_overwritten(room, source):
    uid = dcmread(source[0]).SOPInstanceUID
    foreign = room / "archive" / "SYN1-00000" / f"{uid}.dcm"
    foreign.parent.mkdir()
    foreign.write_text("somebody's notes")

    result = ingest(room)(spooled(room, source[0]))

    assert result.state == "quarantined"
    assert foreign.read_text() == "somebody's notes"


def test_the_data_set_says_which_object_it_is(room, source):
    result = ingest(room)(spooled(room, source[0], uid="31"))

    header = dcmread(room / "archive" / result.path)
    assert result.sop_uid == header.SOPInstanceUID == header.file_meta.MediaStorageSOPInstanceUID
    assert dataset_bytes(room / "archive" / result.path) == dataset_bytes(source[0])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the instance cannot be read: it has no data set"),
        (b"garbage that is no data set", "the instance cannot be read: unknown value rep"),
        (
            b"\x08\x00\x05\x00SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0" * 3,
            "the instance cannot be read",
        ),
        (b"\x08\x00\x18\x00UI\x04\x001.2\x00", "it has no StudyInstanceUID"),
    ],
)
def test_what_cannot_be_read_is_quarantined_with_its_bytes(room, source, data, reason):
    result = ingest(room)(spooled(room, source[0], data=data))

    assert result.state == "quarantined"
    assert result.reason.startswith(reason)
    kept = (room / "state" / result.path).read_bytes()
    assert kept.endswith(data)
    assert kept.startswith(file_head("", "", "", "")[:132])


def test_a_truncated_object_is_quarantined_with_its_bytes(room, source):
    data = dataset_bytes(source[0])[:-100]

    result = ingest(room)(spooled(room, source[0], data=data))

    assert (result.state, result.reason) == ("quarantined", "an element reaches beyond its end")
    assert result.study_uid == dcmread(source[0]).StudyInstanceUID
    assert dataset_bytes(room / "state" / result.path) == data


def raising(error):
    def layout(header):
        raise error

    return layout


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        (guard("layout", raising(KeyError("Müller"))), "layout a layout failed: KeyError at test_"),
        (lambda header: [], "layout a layout: "),
        (lambda header: "a string", "layout a layout: "),
        (lambda header: [7], "layout a layout: "),
    ],
)
def test_a_layout_that_fails_costs_the_object_its_place_only(room, source, layout, reason):
    result = ingest(room, layout)(spooled(room, source[0]))

    assert (result.state, result.component) == ("quarantined", "a layout")
    assert result.reason.startswith(reason)
    assert "Müller" not in result.reason


def test_a_hostile_layout_stays_inside(room, source):
    result = ingest(room, lambda header: ["..", "/etc", "a\0b", "x.dcm"])(spooled(room, source[0]))

    assert result.state == "stored"
    assert (room / "archive" / result.path).resolve().is_relative_to(room / "archive")


def test_an_archive_that_takes_no_more_files_leaves_the_object_in_the_spool(room, source):
    (room / "archive").rmdir()
    sealed = spooled(room, source[0])

    result = ingest(room)(sealed)

    assert isinstance(result, Unwritable)
    assert sealed.path.exists()


def test_a_row_is_read_anew_from_the_stored_file(room, source):
    stored = ingest(room)(spooled(room, source[0]))

    again = ingest(room, read_row=lambda header: (encode([header.PatientID]), []))(Reparse(stored))

    assert again.row == encode(["SYN1-00000"])


def test_a_stored_file_that_is_gone_gives_an_empty_row_and_an_error(room, source):
    stored = ingest(room)(spooled(room, source[0]))
    (room / "archive" / stored.path).unlink()

    again = ingest(room)(Reparse(stored))

    assert again.row == NO_CELLS
    assert "cannot be read" in again.errors[0].reason


def test_without_hard_links_nothing_is_overwritten_either(room, source, monkeypatch):
    def no_links(*_):
        raise PermissionError(1, "no hard links here")

    monkeypatch.setattr("os.link", no_links)
    first = ingest(room)(spooled(room, source[0]))
    other = ingest(room)(spooled(room, source[0], data=dataset_bytes(source[0])[:-1] + b"\x98"))

    assert first.state == "stored"
    assert other.state == "version"
    assert dataset_bytes(room / "archive" / first.path) == dataset_bytes(source[0])


def test_another_encoding_is_recorded_as_the_one_that_is_stored(room, source):
    first = ingest(room)(spooled(room, source[0]))
    implicit = room / "implicit.dcm"
    recoded = dcmread(source[0])
    recoded.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    recoded.save_as(implicit)
    assert dataset_bytes(implicit) != dataset_bytes(source[0])

    again = ingest(room)(spooled(room, implicit))

    assert again == first


def test_a_file_where_a_folder_should_be_costs_one_object_only(room, source):
    (room / "archive" / "SYN1-00000").write_text("in the way")

    result = ingest(room)(spooled(room, source[0]))

    assert (result.state, result.reason) == (
        "quarantined", "layout a layout names a folder, but a file has its path",
    )  # fmt: skip


def test_too_long_a_path_costs_one_object_only(room, source):
    result = ingest(room, lambda header: ["x" * 150] * 40)(spooled(room, source[0]))

    assert (result.state, result.reason) == (
        "quarantined", "layout a layout chose a path longer than 4095 bytes",
    )  # fmt: skip


def test_what_a_power_cut_left_empty_is_written_anew(room, source):
    first = ingest(room)(spooled(room, source[0]))
    (room / "archive" / first.path).write_bytes(b"")

    assert ingest(room)(spooled(room, source[0])) == first
    assert dataset_bytes(room / "archive" / first.path) == dataset_bytes(source[0])


def test_a_spool_file_that_is_gone_is_told_from_an_archive_that_is_full(room, source):
    sealed = spooled(room, source[0])
    sealed.path.unlink()

    assert ingest(room)(sealed) == Vanished()


@pytest.fixture
def elsewhere():
    """A folder on another file system than the temporary folder."""
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == Path(gettempdir()).stat().st_dev:
        pytest.skip("needs a second file system")
    with TemporaryDirectory(dir=shm) as folder:
        yield Path(folder)


def test_the_state_may_be_on_another_file_system_than_the_archive(room, source, elsewhere):
    work = Ingest(elsewhere, room / "state", LAYOUT, "a layout", lambda header: ([], []))

    stored = work(spooled(room, source[0]))
    again = work(spooled(room, source[0]))
    other = work(spooled(room, source[0], data=dataset_bytes(source[0])[:-1] + b"\x99"))

    assert (stored.state, again, other.state) == ("stored", stored, "version")
    (path,) = (path for path in elsewhere.rglob("*") if path.is_file())
    assert dataset_bytes(path) == dataset_bytes(source[0])
    assert path.stat().st_mode & 0o777 == 0o600
    assert list((room / "state" / "spool").iterdir()) == []


def renamed(source: Path, **values: str) -> bytes:
    """The data set of a file with other values in its header."""
    dataset = dcmread(source)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    copy = source.with_suffix(".renamed")
    dataset.save_as(copy, enforce_file_format=True)
    return dataset_bytes(copy)


def test_an_object_is_attributed_to_the_study_that_lists_it(room, source):
    header = dcmread(source[0])
    sealed = spooled(room, source[0], data=renamed(source[0], StudyInstanceUID="1.7"))

    stored = ingest(room)(sealed._replace(listed=(("1.2", header.PatientID),)))

    assert (stored.state, stored.study_uid, stored.named_study) == ("stored", "1.2", "1.7")
    assert dcmread(room / "archive" / stored.path).StudyInstanceUID == "1.7"


@pytest.mark.parametrize(
    "listed",
    [(), (("1.2", ""), ("1.3", "")), (("1.2", ""), ("1.7", ""))],
    ids=["no study", "two studies", "two, and one is that of the header"],
)
def test_the_header_decides_if_it_is_not_clear_which_study_lists_it(room, source, listed):
    sealed = spooled(room, source[0], data=renamed(source[0], StudyInstanceUID="1.7"))

    stored = ingest(room)(sealed._replace(listed=listed))

    assert (stored.study_uid, stored.named_study) == ("1.7", "")


def test_the_header_decides_if_the_collection_knows_the_study_that_it_names(room, source):
    sealed = spooled(room, source[0], data=renamed(source[0], StudyInstanceUID="1.7"))
    worker = ingest(room, known=frozenset({"1.2", "1.7"}), unsolicited=False)

    stored = worker(sealed._replace(listed=(("1.2", ""),)))

    assert (stored.state, stored.study_uid, stored.named_study) == ("stored", "1.7", "")


def test_an_object_of_another_study_and_patient_is_quarantined_in_the_study_that_lists_it(
    room, source
):
    data = renamed(source[0], StudyInstanceUID="1.7", PatientID="SOMEBODY")

    kept = ingest(room)(spooled(room, source[0], data=data)._replace(listed=(("1.2", "P"),)))

    assert (kept.state, kept.study_uid, kept.named_study) == ("quarantined", "1.2", "1.7")
    assert "PatientID" in kept.reason
    assert "SOMEBODY" not in kept.reason


def test_an_object_of_another_patient_in_its_study_is_stored(room, source):
    header = dcmread(source[0])

    stored = ingest(room)(
        spooled(room, source[0])._replace(listed=((header.StudyInstanceUID, "SOMEBODY"),))
    )

    assert (stored.state, stored.named_study) == ("stored", "")


@pytest.mark.parametrize("wrap", [lambda data: bytes(128) + b"DICM" + data, lambda _: b"no data"])
def test_what_cannot_be_read_is_quarantined_in_the_study_that_lists_it(room, source, wrap):
    data = wrap(dataset_bytes(source[0]))

    kept = ingest(room)(spooled(room, source[0], data=data)._replace(listed=(("1.2", "P"),)))

    assert (kept.state, kept.study_uid) == ("quarantined", "1.2")


def test_an_object_of_a_sender_that_is_not_known_is_held_under_its_own_uid(room, source):
    header = dcmread(source[0])
    uid, requested = header.SOPInstanceUID, frozenset({header.StudyInstanceUID})

    kept = ingest(room, known=requested)(spooled(room, source[0], uid="1.2.3")._replace(hold=True))

    assert (kept.state, kept.sop_uid) == ("held", uid)
    assert read_file_meta(room / "state" / kept.path).sop_uid == uid
    assert not any((room / "archive").rglob("*.dcm"))


def test_a_damaged_object_of_a_sender_that_is_not_known_is_quarantined(room, source):
    data = dataset_bytes(source[0])[:-10]

    kept = ingest(room)(spooled(room, source[0], data=data)._replace(hold=True))

    assert kept.state == "quarantined"


@pytest.mark.parametrize(
    ("unsolicited", "state"), [(True, "stored"), (False, "quarantined")], ids=["kept", "not kept"]
)
def test_an_object_that_nobody_asked_for_is_never_held(room, source, unsolicited, state):
    worker = ingest(room, known=frozenset({"1.2"}), unsolicited=unsolicited)

    assert worker(spooled(room, source[0])._replace(hold=True)).state == state


def test_what_the_layout_skips_is_left_out_by_its_rule(room, source):
    sealed = spooled(room, source[0])

    result = ingest(room, raising(Skip("no\nlocalizers")), rule="fingerprint")(sealed)

    assert (result.state, result.path, result.row) == ("left-out", "", NO_CELLS)
    assert (result.rule, result.component) == ("fingerprint", "a layout")
    assert result.reason == "layout a layout: no localizers"
    assert result.study_uid == dcmread(source[0]).StudyInstanceUID
    assert list((room / "archive").iterdir()) == []
    assert sealed.path.exists()  # the driver removes it once the ledger knows


def test_a_reason_that_is_no_text_is_not_asked_for_one(room, source):
    class Hostile:
        def __str__(self):
            raise RuntimeError

    result = ingest(room, raising(Skip(Hostile())))(spooled(room, source[0]))

    assert (result.state, result.reason) == ("left-out", "layout a layout: no reason given")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "no reason given"),
        ("half of \ud800", "half of ?"),
        ("CT is not wanted", "CT is not wanted"),
        ("{0.PatientID} is in no project", "its reason quotes a value of the instance"),
        ("no project for {0.PatientName.family_name}", "its reason quotes a value of the instance"),
    ],
)
def test_the_reason_for_skipping_quotes_no_patient(room, source, text, shown):
    header = dcmread(source[0])

    result = ingest(room, raising(Skip(text.format(header))))(spooled(room, source[0]))

    assert result.reason.startswith(f"layout a layout: {shown}")
    assert header.PatientID not in result.reason
    assert header.PatientName.family_name not in result.reason


def test_a_rejection_note_that_is_left_out_still_withdraws(room, source):
    rejecting(source[0], "113037")

    result = ingest(room, raising(Skip("no notes")))(spooled(room, source[0]))

    assert (result.state, result.rejects) == ("left-out", (("1.2", "1.2.3"),))


def test_a_path_that_another_series_has_is_a_fault_of_the_layout(room, source):
    work = ingest(room, Template("{SOPInstanceUID}.dcm"))
    first = work(spooled(room, source[0]))
    other = dcmread(source[0])
    other.SeriesInstanceUID = "1.2.3"
    other.save_as(source[0])

    second = work(spooled(room, source[0]))

    assert (first.state, second.state) == ("stored", "quarantined")
    assert second.component == "a layout"
    assert second.reason.startswith(
        "layout a layout gives the same path to an instance of another series or study: "
    )


def test_a_layout_that_points_into_the_state_folder_is_named(room, source):
    state = room / "archive" / "state"
    state.mkdir()
    work = Ingest(room / "archive", state, lambda _: ["state", "x"], "a layout", lambda _: ("", []))

    result = work(spooled(room, source[0]))

    assert (result.state, result.component) == ("quarantined", "a layout")
    assert result.reason == "layout a layout points into the state folder"


def test_the_fault_of_a_guarded_layout_is_the_reason(room, source):
    fault = Fault("layout", "a layout", "place", "KeyError at here.py:7")

    result = ingest(room, raising(ComponentError(str(fault), fault=fault)))(
        spooled(room, source[0])
    )

    assert result.reason == "layout a layout failed: KeyError at here.py:7"
    assert result.component == "a layout"


def test_a_stored_instance_is_stamped_and_reading_it_again_keeps_its_layout(room, source):
    stored = ingest(room, placed_by=1, read_by=2)(spooled(room, source[0]))
    assert (stored.placed_by, stored.read_by) == (1, 2)

    again = ingest(room, placed_by=3, read_by=4)(Reparse(stored))

    assert (again.placed_by, again.read_by) == (1, 4)


def test_a_layout_says_where_it_puts_a_stored_instance_now(room, source):
    stored = ingest(room)(spooled(room, source[0]))
    other = Template("{Modality}/{SOPInstanceUID}.dcm")

    assert ingest(room)(Place(stored)) == Placed(stored.path)
    assert ingest(room, other)(Place(stored)) == Placed(f"CT/{stored.sop_uid}.dcm")
    assert ingest(room, guard("layout", raising(ValueError())))(Place(stored)) == Placed("")
    # It stays: it was stored before the layout left it out, or its file cannot be asked for.
    assert ingest(room, raising(Skip("no")))(Place(stored)) == Placed(stored.path)
    (room / "archive" / stored.path).unlink()
    assert ingest(room, other)(Place(stored)) == Placed(stored.path)
