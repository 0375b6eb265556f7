"""Information models, ending early, and answers that no PACS should give."""

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.datadict import tag_for_keyword
from pynetdicom import evt

from pacsfw.api import Net, Node, Profile, Query
from pacsfw.dimse import identifier, rows
from pacsfw.errors import RemoteError
from pacsfw.testing import Study, awkward_studies, make_studies, write_studies
from pacsfw_plugins.dimse import _cfind
from peers.readback import dump
from plugins.dimse.test_cfind import answering, ask, provider, row
from unit.dimse import wire
from unit.dimse.rawpacs import PATIENT_FIND, STUDY_FIND, Peer, raw_pacs, response, study
from unit.dimse.scripted import net, scripted

KEYS = ("PatientName", "PatientID", "StudyDate", "StudyTime", "AccessionNumber", "StudyID")


# --- models and levels ----------------------------------------------------------------------


def asked_for(seen: list[dict[str, str]]) -> Callable[[Peer], None]:
    """Answer every question with nothing; keep its model and its keys."""

    def script(peer: Peer) -> None:
        while (question := peer.question()) is not None:
            context_id, keys = question
            seen.append({"model": peer.contexts[context_id], **rows.read(keys, wire.IMPLICIT)})
            done = response(0x0000, has_data=False)
            peer.send(wire.p_data(wire.pdv(context_id, 3, done)))

    return script


@pytest.mark.parametrize(
    ("root", "accepted", "model", "requires_patient_id"),
    [
        ("auto", (), STUDY_FIND, False),
        ("auto", (STUDY_FIND,), STUDY_FIND, False),
        ("auto", (PATIENT_FIND,), PATIENT_FIND, True),
        ("study", (), STUDY_FIND, False),
        ("patient", (), PATIENT_FIND, True),
    ],
)
def test_the_model_is_chosen(root, accepted, model, requires_patient_id) -> None:
    seen: list[dict[str, str]] = []
    query = Query(level="STUDY", match={"PatientID": "P1"})
    with raw_pacs(asked_for(seen), *accepted) as nodes, provider(nodes, root=root) as asked:
        assert ask(asked, query)[0].complete
        assert asked.requires_patient_id is requires_patient_id
    assert [one["model"] for one in seen] == [model]


def test_to_know_the_model_the_pacs_is_called_and_the_association_used() -> None:
    seen: list[dict[str, str]] = []
    with raw_pacs(asked_for(seen), PATIENT_FIND) as nodes, provider(nodes) as asked:
        assert asked.requires_patient_id
        assert ask(asked, Query(level="STUDY", match={"PatientID": "P1"}))[0].complete
    assert len(seen) == 1


def test_a_model_that_is_asked_for_and_refused_is_an_error() -> None:
    with (
        raw_pacs(lambda peer: None, STUDY_FIND) as nodes,
        provider(nodes, root="patient") as asked,
        pytest.raises(RemoteError, match=r"Patient Root .* FIND is not supported"),
    ):
        ask(asked, Query(level="STUDY", match={"PatientID": "P1"}))


def test_a_profile_says_which_model_is_preferred() -> None:
    seen: list[dict[str, str]] = []
    with raw_pacs(asked_for(seen)) as nodes:
        assert nodes.called is not None
        profile = Profile(models=frozenset({"patient-find", "patient-move"}))
        called = net(nodes.called.port, profile=profile)
        with provider(called) as asked:
            ask(asked, Query(level="STUDY", match={"PatientID": "P1"}))
    assert [one["model"] for one in seen] == [PATIENT_FIND]


def test_the_unique_keys_of_every_level_are_sent() -> None:
    seen: list[dict[str, str]] = []
    upper = {"PatientID": "P1", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3"}
    questions = [
        Query(level="PATIENT", match={"PatientName": "A*"}),
        Query(level="STUDY", match={"PatientID": "P1"}),
        Query(level="SERIES", match={key: upper[key] for key in list(upper)[:2]}),
        Query(level="IMAGE", match=upper),
    ]
    with raw_pacs(asked_for(seen), PATIENT_FIND) as nodes, provider(nodes) as asked:
        for question in questions:
            ask(asked, question)
    sent = [
        {key: one.get(key) for key in identifier.unique_keys("IMAGE", "PATIENT")} for one in seen
    ]
    wanted = [
        {"PatientID": ""},
        {"PatientID": "P1", "StudyInstanceUID": ""},
        {"PatientID": "P1", "StudyInstanceUID": "1.2", "SeriesInstanceUID": ""},
        {**upper, "SOPInstanceUID": ""},
    ]
    nothing = dict.fromkeys(identifier.unique_keys("IMAGE", "PATIENT"))
    assert sent == [{**nothing, **keys} for keys in wanted]
    assert [one["QueryRetrieveLevel"] for one in seen] == ["PATIENT", "STUDY", "SERIES", "IMAGE"]


def test_patients_are_asked_for_in_the_model_that_has_them() -> None:
    seen: list[dict[str, str]] = []
    with raw_pacs(asked_for(seen)) as nodes, provider(nodes) as asked:
        ask(asked, Query(level="PATIENT", match={}))
        ask(asked, Query(level="STUDY", match={}))
    assert [one["model"] for one in seen] == [PATIENT_FIND, STUDY_FIND]


@pytest.mark.parametrize("root", ["auto", "study"])
def test_patients_cannot_be_asked_for_without_that_model(root: str) -> None:
    with (
        raw_pacs(asked_for([]), STUDY_FIND) as nodes,
        provider(nodes, root=root) as asked,
        pytest.raises(RemoteError, match=f"PATIENT level needs the Patient Root.*{root}"),
    ):
        ask(asked, Query(level="PATIENT", match={}))


def test_a_patient_root_question_without_its_patient_is_not_asked() -> None:
    seen: list[dict[str, str]] = []
    with (
        raw_pacs(asked_for(seen), PATIENT_FIND) as nodes,
        provider(nodes) as asked,
        pytest.raises(ValueError, match="needs a value for PatientID"),
    ):
        ask(asked)
    assert seen == []


def test_a_real_archive_is_asked_patient_by_patient(real_pacs, tmp_path: Path) -> None:
    studies = make_studies(6, patients=3)
    real_pacs.load(write_studies(tmp_path, studies))
    nodes = net(real_pacs.port, real_pacs.aetitle)
    with provider(nodes, root="patient") as asked:
        answer, patients = ask(asked, Query(level="PATIENT", match={}))
        assert answer.complete
        found = set()
        for patient in patients:
            above = {"PatientID": patient["PatientID"]}
            for one in ask(asked, Query(level="STUDY", match=above))[1]:
                upper = above | {"StudyInstanceUID": one["StudyInstanceUID"]}
                for series in ask(asked, Query(level="SERIES", match=upper))[1]:
                    keys = upper | {"SeriesInstanceUID": series["SeriesInstanceUID"]}
                    images, rows_ = ask(asked, Query(level="IMAGE", match=keys))
                    assert images.complete
                    found |= {image["SOPInstanceUID"] for image in rows_}
    assert len(patients) == 3
    assert found == {uid for one in studies for uid in one.sop_uids}


# --- enough -----------------------------------------------------------------------------------


def enough(rows_wanted: int) -> Query:
    return Query(level="STUDY", match={}, max_rows=rows_wanted)


def test_a_question_is_ended_when_there_is_enough() -> None:
    cancelled: list[dict[int, bytes]] = []

    def script(peer: Peer) -> None:
        for _ in range(2):
            peer.question()
            peer.answer(*[study(f"1.{number}") for number in range(9)], status=None)
            cancelled.append(peer.response())
            peer.answer(status=0xFE00)
        peer.pdu()

    with raw_pacs(script) as nodes, provider(nodes) as asked:
        for _ in range(2):
            answer, found = ask(asked, enough(7))
            assert (answer.complete, answer.status, len(found)) == (False, 0xFE00, 7)
            assert answer.status_text == "cancelled at the limit of 7 rows"
            assert answer.evidence == {"rows": 7, "optional_keys_ignored": False, "cancelled": True}
    assert [one[0x0100] for one in cancelled] == [b"\xff\x0f"] * 2
    first, second = (int.from_bytes(one[0x0120], "little") for one in cancelled)
    assert second == first % 0xFFFF + 1, "each request has the ID after the one before"


def test_a_real_archive_is_told_that_it_is_enough(real_pacs, tmp_path: Path) -> None:
    studies = make_studies(12)
    real_pacs.load(write_studies(tmp_path, studies))
    with provider(net(real_pacs.port, real_pacs.aetitle)) as asked:
        cut, some = ask(asked, enough(3))
        whole, all_of_them = ask(asked, enough(12))
    assert (cut.complete, len(some), cut.evidence["cancelled"]) == (False, 3, True)
    assert (whole.complete, whole.status, len(all_of_them)) == (True, 0, 12)


@pytest.mark.parametrize(("held", "whole"), [(3, True), (4, True), (5, False)])
def test_an_answer_that_holds_no_more_than_enough_is_whole(held: int, whole: bool) -> None:
    def script(peer: Peer) -> None:
        peer.question()
        peer.answer(*[study(f"1.{number}") for number in range(held)])
        assert peer.pdu()[0] == (5 if whole else 4)

    with raw_pacs(script) as nodes, provider(nodes) as asked:
        answer, found = ask(asked, enough(4))
    assert (answer.complete, answer.status, len(found)) == (whole, 0, min(held, 4))
    assert ("cancelled" in answer.evidence) is not whole


def test_a_failure_after_enough_rows_is_told() -> None:
    def script(peer: Peer) -> None:
        peer.question()
        peer.answer(study("1"), study("2"), status=0xA700)

    with raw_pacs(script) as nodes, provider(nodes) as asked:
        answer, _ = ask(asked, enough(1))
    assert answer.status_text.startswith("cancelled at the limit of 1 rows (A700: ")
    assert (answer.complete, answer.status) == (False, 0xA700)


@pytest.mark.parametrize("bound", ["CANCEL_ROWS", "CANCEL_SECONDS"])
def test_a_pacs_that_goes_on_is_left(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cfind, bound, 0.2 if bound == "CANCEL_SECONDS" else 50)
    aborted = threading.Event()

    def script(peer: Peer) -> None:
        peer.question()
        peer.answer(*[study(f"1.{number}") for number in range(200)], status=None)
        while (pdu := peer.pdu())[0] != wire.ABORT:
            assert pdu[0] == 4  # C-CANCEL
        aborted.set()

    with raw_pacs(script) as nodes, provider(nodes) as asked:
        answer, found = ask(asked, enough(5))
        assert aborted.wait(10)
    assert (answer.complete, answer.status, len(found)) == (False, None, 5)
    assert answer.status_text == (
        "cancelled at the limit of 5 rows (aborted, because the PACS ignored C-CANCEL)"
    )


# --- what no PACS should answer -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (b"HTTP/1.1 500 Sorry\r\n\r\n", "PDU of unknown type"),
        (b"\7\0\0\0\0\4\0\0\0\0", "the PACS aborted the association"),
        (b"", "the connection to the PACS was lost"),
        (
            wire.p_data(wire.pdv(1, 3, response(0, has_data=False, e0900=bytes(4)))),
            "is not two bytes long",
        ),
        (
            wire.p_data(wire.pdv(1, 3, response(0, has_data=False, e0100=0x8030))),
            "a message that is not a C-FIND response",
        ),
        (Peer.row(study("1.4"))[:-9], "the connection to the PACS was lost"),
    ],
)
def test_what_came_before_stays(then: bytes, words: str) -> None:
    def script(peer: Peer) -> None:
        peer.question()
        peer.answer(study("1.2"), study("1.3"), status=None)
        peer.send(then)
        if not words.startswith("the connection"):
            assert peer.pdu()[0] in (0, wire.ABORT)

    with raw_pacs(script) as nodes, provider(nodes) as asked:
        answer, found = ask(asked)
    assert (answer.complete, answer.status) == (False, None)
    assert [one["StudyInstanceUID"] for one in found] == ["1.2", "1.3"]
    assert words in answer.status_text
    assert answer.evidence["rows"] == 2


def test_a_row_that_cannot_be_read_is_told_and_the_others_stay() -> None:
    def script(peer: Peer) -> None:
        peer.question()
        peer.answer(study("1.2"), study("1.3", e00100010="Canary^Bird")[:-3], study("1.4"))
        peer.pdu()

    with raw_pacs(script) as nodes, provider(nodes) as asked:
        answer, found = ask(asked)
    assert [one["StudyInstanceUID"] for one in found] == ["1.2", "1.4"]
    assert (answer.complete, answer.evidence["rows"]) == (False, 3)
    assert answer.status_text == "0000: Success, but a row could not be decoded"


def test_parts_without_end_are_cut_off() -> None:
    def script(peer: Peer) -> None:
        peer.question()
        while True:
            peer.send(wire.p_data(wire.pdv(1, 0, b"")))

    with raw_pacs(script) as nodes, provider(nodes, total_timeout=0.3) as asked:
        answer, _ = ask(asked)
    assert answer.status_text == "not done after 0.3 s"


def test_a_pacs_that_takes_no_more_associations_is_an_error() -> None:
    associations: list[Any] = []

    def find(event: evt.Event) -> Iterator[Any]:
        if event.assoc not in associations:
            associations.append(event.assoc)
        yield 0xFF00, row()

    with scripted(answering(find)) as nodes, provider(nodes) as asked:
        assert ask(asked)[0].complete
        associations[0].ae.require_calling_aet = ["FRIEND"]
        associations[0].abort()
        with pytest.raises(RemoteError, match="register our AE title PACSFW"):
            ask(asked)


# --- character sets ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charset", "profiled", "encoding"),
    [
        ("", "", "latin-1"),
        ("ISO_IR 192", "", "utf-8"),
        ("", "ISO_IR 192", "utf-8"),
        ("ISO_IR 192", "ISO_IR 144", "utf-8"),
    ],
)
def test_undeclared_text_is_read_as_the_node_says(charset, profiled, encoding) -> None:
    def script(peer: Peer) -> None:
        peer.question()
        peer.answer(study("1.2", e00100010="Müller".encode(encoding).decode("latin-1")))
        peer.pdu()

    with raw_pacs(script) as nodes:
        assert nodes.called is not None
        called = net(nodes.called.port, charset=charset, profile=Profile(charset=profiled))
        with provider(called) as asked:
            _, found = ask(asked)
    assert found[0]["PatientName"] == "Müller"


def named(names: list[str]) -> list[Study]:
    return [
        Study(
            number=number,
            patient_id=f"N{number}",
            patient_name=name,
            study_date=f"202002{number + 1:02d}",
            instances=1,
            seed=77,
        )
        for number, name in enumerate(names)
    ]


def test_answers_read_as_dcmtk_shows_them(real_pacs, tmp_path: Path) -> None:
    studies = named(["", "7even^A", "Österberg^Åsa", "^Only", "lower^x"])
    awkward = awkward_studies()
    studies += [awkward["japanese, iso 2022"], awkward["japanese, utf-8"], awkward["undated"]]
    real_pacs.load(write_studies(tmp_path / "made", studies))
    nodes = net(real_pacs.port, real_pacs.aetitle)
    with provider(nodes) as asked:
        answer, found = ask(asked, Query(level="STUDY", match={}, returns=KEYS))
    assert answer.complete
    shown = by_findscu(nodes, tmp_path / "answers")
    assert {one["StudyInstanceUID"]: one for one in found} == shown
    assert shown.keys() == {one.uid for one in studies}


def by_findscu(nodes: Net, folder: Path) -> dict[str, dict[str, str]]:
    """The rows as DCMTK's findscu writes them and dcmdump shows them."""
    if shutil.which("findscu") is None:
        pytest.skip("not installed: findscu")
    called: Node | None = nodes.called
    assert called is not None
    folder.mkdir()
    command = ["findscu", "-S", "-X", "-aet", nodes.local.aetitle, "-aec", called.aetitle]
    for key in ("QueryRetrieveLevel=STUDY", "StudyInstanceUID", *KEYS):
        command += ["-k", key]
    subprocess.run([*command, called.ip, str(called.port)], cwd=folder, check=True)
    answers = [
        {key: text for key, text in dump(path).items() if is_of_answer(key)}
        for path in folder.iterdir()
    ]
    return {one["StudyInstanceUID"]: one for one in answers}


def is_of_answer(keyword: str) -> bool:
    """Neither the level, which the provider leaves out, nor the head of DCMTK's file."""
    return keyword != "QueryRetrieveLevel" and (tag_for_keyword(keyword) or 0) >> 16 != 0x0002
