"""WADO-RS against Orthanc, and against a server that does what a test tells it to."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pacsfw.api import Clock, DicomWeb, Net, Node, Outcome, Request
from pacsfw.errors import ConfigError, RemoteError
from pacsfw.testing import Study, make_studies, write_studies
from pacsfw_plugins.dicomweb import _wado
from pacsfw_plugins.dicomweb.wado import pacsfw_transfers
from peers.orthanc import Orthanc
from peers.readback import dataset_bytes
from plugins.dicomweb.scripted_web import Asked, Sent, Waited, context, serving
from plugins.dicomweb.test_multipart import body
from plugins.pulling import PullInbox, opened

(COMPONENT,) = pacsfw_transfers()
STUDY = make_studies(1, modalities=(("CT",),), instances=3)[0]
REQUEST = Request(study_uid=STUDY.uid)
MULTIPART = 'multipart/related; type="application/dicom"; boundary=b'


def web(url: str, **settings: Any) -> Net:
    return Net(local=Node(aetitle="PACSFW"), dicomweb=DicomWeb(url=url, timeout=20.0, **settings))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return STUDY.write(tmp_path_factory.mktemp("files"))


@pytest.fixture
def inbox(tmp_path: Path) -> PullInbox:
    return PullInbox(tmp_path / "spool")


def whole(files: list[Path], **changes: Any) -> Sent:
    content = body(*(path.read_bytes() for path in files))
    return Sent(**({"body": content, "headers": {"Content-Type": MULTIPART}} | changes))


def fetch(
    sent: Any, inbox: PullInbox, request: Request = REQUEST, clock: Clock | None = None, **more: Any
) -> tuple[Outcome, list[Asked]]:
    script = sent if callable(sent) else lambda asked: sent
    with serving(script) as server, opened(COMPONENT, web(server.url), clock, **more) as wado:
        return wado.fetch(request, inbox), server.asked


# --- Orthanc ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def archive(
    orthanc_server: Orthanc, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Orthanc, Study, dict[str, bytes]]]:
    if not orthanc_server.has_dicomweb:
        pytest.skip("Orthanc has no DICOMweb plugin")
    orthanc_server.clear()
    study, other = make_studies(2, seed=77, instances=3)
    paths = write_studies(tmp_path_factory.mktemp("sent"), [study, other])
    orthanc_server.load(paths)
    source = dict(zip((*study.sop_uids, *other.sop_uids), map(dataset_bytes, paths), strict=True))
    yield orthanc_server, study, source
    orthanc_server.clear()


def test_orthanc_gives_study_series_and_objects_as_they_were_stored(archive: Any, inbox: Any):
    server, study, source = archive
    chosen = (study.sop_uid(2, 1), study.sop_uid(2, 3))
    requests = {
        Request(study_uid=study.uid): study.sop_uids,
        Request(study_uid=study.uid, series_uid=study.series_uid(1)): study.sop_uids[:3],
        Request(study_uid=study.uid, series_uid=study.series_uid(2), sop_uids=chosen): chosen,
    }
    with opened(COMPONENT, web(server.dicomweb_url.rstrip("/"))) as wado:
        for request, uids in requests.items():
            inbox.sealed.clear()
            outcome = wado.fetch(request, inbox)
            assert (outcome.status, outcome.reached, outcome.failed) == (0, True, None)
            assert inbox.content == {uid: source[uid] for uid in uids}
    assert {record.sop_class for record in inbox.sealed} == {"1.2.840.10008.5.1.4.1.1.2"}
    assert not inbox.discarded


def test_what_orthanc_does_not_have_is_told(archive: Any, inbox: Any):
    with opened(COMPONENT, web(archive[0].dicomweb_url.rstrip("/"))) as wado:
        outcome = wado.fetch(Request(study_uid="1.2.3"), inbox)
    assert (outcome.status, outcome.completed) == (0x0112, None)
    assert outcome.status_text.startswith("404 Not Found")


# --- what is asked ----------------------------------------------------------------------------


def test_objects_are_asked_for_as_they_are_stored(files: Any, inbox: Any):
    outcome, (asked,) = fetch(whole(files), inbox)
    assert outcome.status_text == "200 OK: 3 instances"
    assert asked.path == f"/dicom-web/studies/{STUDY.uid}"
    assert asked.headers["Accept"] == (
        'multipart/related; type="application/dicom"; transfer-syntax=*'
    )
    assert asked.headers["Accept-Encoding"] == "identity"
    assert inbox.content == dict(zip(STUDY.sop_uids, map(dataset_bytes, files), strict=True))


def test_preamble_and_file_meta_are_ours(files: Any, inbox: Any):
    content = b"MZ" + files[0].read_bytes()[2:]
    fetch(Sent(body=body(content), headers={"Content-Type": MULTIPART}), inbox)
    stored = inbox.sealed[0].path.read_bytes()
    assert stored[:128] == bytes(128)
    assert b"PACSFW_0_1" in stored[:600]
    assert stored.endswith(dataset_bytes(files[0]))


def test_a_server_that_dislikes_an_accept_header_is_asked_in_other_words(files: Any, inbox: Any):
    def picky(asked: Asked) -> Sent:
        if "multipart" in asked.headers["Accept"]:
            return Sent(status=406, body=b"")
        return Sent(body=files[0].read_bytes(), headers={"Content-Type": "application/dicom"})

    objects = Request(
        study_uid=STUDY.uid, series_uid=STUDY.series_uid(1), sop_uids=STUDY.sop_uids[:2]
    )
    outcome, asked = fetch(picky, inbox, objects)
    assert outcome.status == 0
    assert [len(each.path.split("/")) for each in asked] == [8, 8, 8, 8]  # it remembers
    assert inbox.content == {STUDY.sop_uids[0]: dataset_bytes(files[0])}


def test_credentials_are_sent_and_a_session_that_ran_out_is_renewed_once(files: Any, inbox: Any):
    good = whole(files)

    def script(asked: Asked) -> Sent:
        if asked.headers["Cookie"] == "session=old":
            return Sent(status=401, body=b"")
        return Sent(good.rows, 200, good.headers | {"Set-Cookie": "session=old"}, good.body)

    with (
        serving(script) as server,
        opened(COMPONENT, web(server.url, username="u", password="p")) as wado,
    ):
        assert [wado.fetch(REQUEST, inbox).status for _ in range(2)] == [0, 0]
    assert [each.headers["Cookie"] for each in server.asked] == [None, "session=old", None]
    basic = f"Basic {base64.b64encode(b'u:p').decode()}"
    assert {each.headers["Authorization"] for each in server.asked} == {basic}


def test_who_is_not_let_in_is_told_after_two_tries(inbox: Any):
    with pytest.raises(RemoteError, match=r"401 Unauthorized: the credentials"):
        fetch(Sent(status=401, body=b""), inbox)


def test_a_busy_server_is_asked_again_when_it_says(files: Any, inbox: Any):
    busy = [Sent(status=429, headers={"Retry-After": "7"}), Sent(status=503)]
    clock = Waited()
    outcome, asked = fetch(lambda asked: busy.pop(0) if busy else whole(files), inbox, clock=clock)
    assert (outcome.status, clock.waits, len(asked)) == (0, [7.0, 5.0], 3)
    outcome, _ = fetch(Sent(status=503), inbox, clock=clock)
    assert outcome.status == 0xA700


# --- what goes wrong --------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "promised"), [(True, True), (False, True), (True, False)])
def test_a_truncated_answer_keeps_what_is_whole(
    files: Any, inbox: Any, length: bool, promised: bool
):
    content = body(*(path.read_bytes() for path in files), length=length)
    cut = content[: -len(files[2].read_bytes()) // 2]
    sent = Sent(
        body=cut,
        promised=len(content) if promised else None,
        headers={"Content-Type": MULTIPART},
    )
    outcome, _ = fetch(sent, inbox)
    assert outcome.status is None
    assert outcome.reached
    assert (
        "response ended early" if promised else "ended within its last part"
    ) in outcome.status_text
    assert inbox.uids == set(STUDY.sop_uids[:2])
    assert len(inbox.discarded) == 1


def test_the_last_object_needs_no_delimiter_if_the_answer_came_whole(files: Any, inbox: Any):
    content = body(*(path.read_bytes() for path in files), length=False)
    sent = Sent(body=content[: content.rindex(b"\r\n--b")], headers={"Content-Type": MULTIPART})
    outcome, _ = fetch(sent, inbox)
    assert outcome.status == 0
    assert inbox.content == dict(zip(STUDY.sop_uids, map(dataset_bytes, files), strict=True))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the response is multipart, but has no parts"),
        (b"x" * 100_000, "no part begins within 65536 bytes"),
    ],
)
def test_what_would_be_as_broken_again_is_a_failure(inbox: Any, content: bytes, why: str):
    outcome, _ = fetch(Sent(body=content, headers={"Content-Type": MULTIPART}), inbox)
    assert (outcome.status, outcome.status_text) == (0x0110, why)


@pytest.mark.parametrize("status", [400, 406, 415])
@pytest.mark.parametrize("disliked", ['"', "multipart", "transfer-syntax"])
def test_a_refused_accept_header_leads_to_another(
    files: Any, inbox: Any, status: int, disliked: str
):
    def script(asked: Asked) -> Sent:
        if disliked in asked.headers["Accept"]:
            return Sent(status=status, body=b"no such Accept")
        if "multipart" not in asked.headers["Accept"]:
            return Sent(body=files[0].read_bytes(), headers={"Content-Type": "application/dicom"})
        return whole(files)

    with serving(script) as server, opened(COMPONENT, web(server.url)) as wado:
        assert wado.fetch(REQUEST, inbox).status == 0
        tried = len(server.asked)
        assert wado.fetch(REQUEST, inbox).status == 0
    assert len(server.asked) == tried + 1


def test_the_accept_header_that_worked_is_kept_though_a_request_is_bad(files: Any, inbox: Any):
    bad = Request(study_uid="1.2.3")

    def script(asked: Asked) -> Sent:
        return Sent(status=400, body=b"") if "1.2.3" in asked.path else whole(files)

    with serving(script) as server, opened(COMPONENT, web(server.url)) as wado:
        wado.fetch(REQUEST, inbox)
        assert wado.fetch(bad, inbox).status == 0xA900
        wado.fetch(REQUEST, inbox)
    assert len({each.headers["Accept"] for each in server.asked}) == 1


def test_a_server_that_may_convert_is_named_once(
    files: Any, inbox: Any, caplog: pytest.LogCaptureFixture
):
    _wado._converting.clear()

    def script(asked: Asked) -> Sent:
        refuses = "transfer-syntax" in asked.headers["Accept"]
        return Sent(status=406, body=b"") if refuses else whole(files)

    with serving(script) as server, opened(COMPONENT, web(server.url)) as wado:
        assert [wado.fetch(REQUEST, inbox).status for _ in range(2)] == [0, 0]
    (record,) = caplog.records
    assert record.message.startswith("wado: the server refuses 'transfer-syntax=*', so it may")


def test_a_forbidden_study_says_nothing_about_its_instances(files: Any, inbox: Any):
    objects = Request(
        study_uid=STUDY.uid, series_uid=STUDY.series_uid(1), sop_uids=STUDY.sop_uids[:1]
    )
    allowed = False

    def script(asked: Asked) -> Sent:
        return whole(files[:1]) if allowed else Sent(status=403, body=b"")

    with serving(script) as server, opened(COMPONENT, web(server.url)) as wado:
        assert wado.fetch(REQUEST, inbox).status == 0xA900
        refused = wado.fetch(objects, inbox)
        assert refused.status == 0x0124
        assert "does not allow pacsfw to retrieve" in refused.status_text
        allowed = True
        wado.fetch(objects, inbox)
        allowed = False
        assert wado.fetch(objects, inbox).status == 0xA900


def test_a_failure_is_tried_once_more_and_what_the_server_said_is_kept(files: Any, inbox: Any):
    answers = [Sent(status=502), whole(files)]
    clock = Waited()
    outcome, _ = fetch(lambda asked: answers.pop(0), inbox, clock=clock)
    assert (outcome.status, clock.waits) == (0, [1.0])
    problem = Sent({"title": "Offline", "detail": "tape 7", "status": 504}, status=504)
    outcome, asked = fetch(problem, inbox, clock=clock)
    assert (outcome.status, outcome.comment, len(asked)) == (0x0110, "Offline; tape 7", 2)


def test_a_part_that_is_no_dicom_file_costs_that_part_only(files: Any, inbox: Any):
    contents = [b"<html>", *(path.read_bytes() for path in files[:2]), files[2].read_bytes()[:300]]
    sent = Sent(body=body(*contents), headers={"Content-Type": MULTIPART})
    outcome, _ = fetch(sent, inbox)
    assert (outcome.status, outcome.failed) == (0xB000, 2)
    text = outcome.status_text
    assert "not a complete DICOM file" in text or "not a DICOM file" in text
    assert inbox.uids == set(STUDY.sop_uids[:2])


def test_an_object_beyond_the_limit_costs_that_object_only(files: Any, inbox: Any):
    large = files[1].read_bytes() + bytes(2_000_000)
    contents = [files[0].read_bytes(), large, files[2].read_bytes()]
    sent = Sent(body=body(*contents, length=False), headers={"Content-Type": MULTIPART})
    outcome, _ = fetch(sent, inbox, max_object_size=1_000_000)
    assert (outcome.status, outcome.failed_uids) == (0xB000, (STUDY.sop_uids[1],))
    assert inbox.uids == {STUDY.sop_uids[0], STUDY.sop_uids[2]}
    assert len(inbox.discarded) == 1


@pytest.mark.parametrize(
    ("status", "means"),
    [
        (206, 0xB000),
        (400, 0xA900),
        (403, 0xA900),
        (404, 0x0112),
        (406, 0xA900),
        (413, 0xA900),
        (500, 0x0110),
        (501, 0xA900),
        (502, 0x0110),
        (504, 0x0110),
    ],
)
def test_statuses(files: Any, inbox: Any, status: int, means: int):
    outcome, _ = fetch(whole(files, status=status), inbox, clock=Waited())
    assert outcome.status == means
    assert f"{status} " in outcome.status_text
    assert len(inbox.sealed) == (3 if status == 206 else 0)


def test_a_login_page_is_no_dicomweb(inbox: Any):
    with pytest.raises(RemoteError, match=r"not DICOM: check net\.dicomweb\.url"):
        fetch(Sent(body=b"<html>", headers={"Content-Type": "text/html"}), inbox)


def test_single_objects_are_told_apart(files: Any, inbox: Any):
    def script(asked: Asked) -> Sent:
        if asked.path.endswith(STUDY.sop_uids[1]):
            return Sent(status=404, body=b"")
        return whole(files[::2][:1])

    request = Request(study_uid=STUDY.uid, series_uid=STUDY.series_uid(1), sop_uids=STUDY.sop_uids)
    outcome, asked = fetch(script, inbox, request)
    assert (outcome.status, outcome.failed_uids) == (0x0112, (STUDY.sop_uids[1],))
    assert len(asked) == 3


def test_cancel_wakes_a_transfer_that_waits_for_bytes(files: Any, inbox: Any):
    release = threading.Event()
    good = whole(files[:2])
    sent = whole([], body=good.body[:-7], promised=10**7, then_wait=release)
    outcomes: list[Outcome] = []
    with serving(lambda asked: sent) as server, opened(COMPONENT, web(server.url)) as wado:
        thread = threading.Thread(target=lambda: outcomes.append(wado.fetch(REQUEST, inbox)))
        thread.start()
        inbox.wait_for(1)
        wado.cancel()
        thread.join(10)
        assert not thread.is_alive()
        release.set()
        outcomes.append(wado.fetch(REQUEST, inbox))
    assert outcomes[0].status_text == "cancelled"
    assert not outcomes[1].reached


def test_without_an_address_it_cannot_be_opened():
    with pytest.raises(ConfigError, match=r"net\.dicomweb is not configured"):
        COMPONENT.factory().open(context(Net(local=Node(aetitle="PACSFW"))))
