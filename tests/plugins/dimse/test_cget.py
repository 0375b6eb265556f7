"""C-GET from real archives, and what is proposed to them."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from pacsfw.api import Outcome, Profile, Request
from pacsfw.errors import ConfigError, RemoteError
from pacsfw.testing import EmbeddedPACS, Study, make_studies, write_studies
from pacsfw_plugins.dimse import _cget
from pacsfw_plugins.dimse._cget_contexts import MOST, OTHERS, USUAL, contexts
from pacsfw_plugins.dimse.cget import pacsfw_transfers
from peers.process import free_port
from peers.readback import dataset_bytes
from plugins.dicomweb.scripted_web import context
from plugins.pulling import PullInbox, opened
from unit.dimse.scripted import net

(COMPONENT,) = pacsfw_transfers()
PRIVATE = "1.3.46.670589.11.0.0.12.4"
PRESENTATION_STATE, SEGMENTATION = "1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.5.1.4.1.1.66.4"
LATE = "1.2.840.10008.5.1.4.1.1.104.3"
"""A storage class that is not among the usual ones."""


@pytest.fixture
def inbox(tmp_path: Path) -> PullInbox:
    return PullInbox(tmp_path / "spool")


def nodes(pacs: Any, **called: Any) -> Any:
    return net(pacs.port, pacs.aetitle, **called)


def reclassed(path: Path, sop_class: str) -> None:
    dataset = dcmread(path)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.save_as(path)


@pytest.fixture
def mixed(tmp_path: Path) -> tuple[Study, list[Path]]:
    """A study with CT, SR, a presentation state, a segmentation and private objects."""
    (study,) = make_studies(1, modalities=(("CT", "SR", "OT", "OT", "OT"),), instances=2)
    paths = study.write(tmp_path / "mixed")
    for series, sop_class in ((2, PRESENTATION_STATE), (3, SEGMENTATION), (4, PRIVATE)):
        for number in (0, 1):
            reclassed(paths[2 * series + number], sop_class)
    return study, paths


def test_a_mix_of_classes_comes_as_it_is_stored(orthanc: Any, mixed: Any, inbox: Any):
    study, paths = mixed
    orthanc.load(paths)
    with opened(COMPONENT, nodes(orthanc)) as cget:
        outcome = cget.fetch(Request(study_uid=study.uid), inbox)
    assert (outcome.status, outcome.completed, outcome.failed) == (0, 10, 0)
    assert inbox.content == dict(zip(study.sop_uids, map(dataset_bytes, paths), strict=True))
    assert len({record.sop_class for record in inbox.sealed}) == 5


def test_dcmqrscp_sends_study_series_and_objects(dcmqrscp: Any, inbox: Any, tmp_path: Path):
    study, other = make_studies(2, modalities=(("CT", "SR"),), instances=3)
    dcmqrscp.load(write_studies(tmp_path / "files", [study, other]))
    chosen = (study.sop_uid(2, 1), study.sop_uid(2, 3))
    requests = {
        Request(study_uid=study.uid): study.sop_uids,
        Request(study_uid=study.uid, series_uid=study.series_uid(1)): study.sop_uids[:3],
        Request(study_uid=study.uid, series_uid=study.series_uid(2), sop_uids=chosen): chosen,
    }
    with opened(COMPONENT, nodes(dcmqrscp)) as cget:
        for request, uids in requests.items():
            inbox.sealed.clear()
            outcome = cget.fetch(request, inbox)
            assert (outcome.status, outcome.completed) == (0, len(uids))
            assert inbox.uids == set(uids)
    assert not inbox.discarded


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.90"])
def test_compressed_objects_stay_compressed(
    orthanc: Any, inbox: Any, good_samples: Any, syntax: str
):
    samples = [
        path
        for path in good_samples
        if dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID == syntax
    ]
    assert samples
    orthanc.load(samples[:1])
    header = dcmread(samples[0], stop_before_pixels=True)
    with opened(COMPONENT, nodes(orthanc)) as cget:
        outcome = cget.fetch(Request(study_uid=header.StudyInstanceUID), inbox)
    assert outcome.status == 0
    assert [record.syntax for record in inbox.sealed] == [syntax]
    pixels = dcmread(inbox.sealed[0].path).PixelData
    assert pixels == dcmread(samples[0]).PixelData


def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Request, set[str]]]:
    """Note what is requested, and for which classes."""
    noted: list[tuple[Request, set[str]]] = []
    get = _cget.CGet._get

    def noting(self: Any, request: Request, classes: Any, inbox: Any) -> Outcome:
        noted.append((request, set(classes)))
        return get(self, request, classes, inbox)

    monkeypatch.setattr(_cget.CGet, "_get", noting)
    return noted


def test_more_classes_than_fit_are_asked_for_by_uid(
    mixed: Any, inbox: Any, monkeypatch: pytest.MonkeyPatch
):
    study, paths = mixed
    monkeypatch.setattr(_cget, "MOST", 2)
    noted = steps(monkeypatch)
    with EmbeddedPACS(paths[0].parent) as pacs, opened(COMPONENT, nodes(pacs)) as cget:
        outcome = cget.fetch(Request(study_uid=study.uid), inbox)
    assert (outcome.status, outcome.completed, outcome.failed) == (0, 10, 0)
    assert inbox.uids == set(study.sop_uids)
    assert max(Counter(record.sop_uid for record in inbox.sealed).values()) == 1
    assert {request.level for request, _ in noted} == {"IMAGE"}
    assert max(len(classes) for _, classes in noted) == 2


def test_unknown_classes_are_guessed_and_the_rest_is_asked_for_again(
    mixed: Any, inbox: Any, monkeypatch: pytest.MonkeyPatch
):
    study, paths = mixed
    for path in paths[8:]:
        reclassed(path, LATE)
    assert LATE in OTHERS
    noted = steps(monkeypatch)
    monkeypatch.setattr(_cget.CGet, "_ask", lambda *_: [])
    with EmbeddedPACS(paths[0].parent) as pacs, opened(COMPONENT, nodes(pacs)) as cget:
        outcome = cget.fetch(Request(study_uid=study.uid), inbox)
        assert [classes for _, classes in noted] == [set(USUAL), set(OTHERS)]
        assert (outcome.status, outcome.completed, outcome.failed) == (0, 10, None)
        assert inbox.uids == set(study.sop_uids)


def test_what_nobody_proposed_is_told_to_have_failed(
    mixed: Any, inbox: Any, monkeypatch: pytest.MonkeyPatch
):
    study, paths = mixed
    monkeypatch.setattr(_cget.CGet, "_ask", lambda *_: [])
    with EmbeddedPACS(paths[0].parent) as pacs, opened(COMPONENT, nodes(pacs)) as cget:
        outcome = cget.fetch(Request(study_uid=study.uid), inbox)
    assert (outcome.status, outcome.completed, outcome.failed) == (0xB000, 8, 2)
    assert set(outcome.failed_uids) == set(study.sop_uids[8:])


def test_a_full_disk_is_answered_and_the_rest_still_comes(mixed: Any, inbox: Any):
    study, paths = mixed
    create = inbox.create

    def full(sop_class: str, uid: str, syntax: str) -> Any:
        if uid == study.sop_uids[0]:
            raise OSError(28, "No space left on device")
        return create(sop_class, uid, syntax)

    inbox.create = full
    with EmbeddedPACS(paths[0].parent) as pacs, opened(COMPONENT, nodes(pacs)) as cget:
        outcome = cget.fetch(Request(study_uid=study.uid), inbox)
        assert pacs.log[-1].service == "C-GET"
    assert (outcome.status, outcome.failed_uids) == (0xB000, (study.sop_uids[0],))
    assert inbox.uids == set(study.sop_uids[1:])


def test_cancel_ends_a_request_and_refuses_the_next(inbox: Any):
    (study,) = make_studies(1, instances=30)
    outcomes: list[Outcome] = []
    with EmbeddedPACS([study], delay=0.05) as pacs, opened(COMPONENT, nodes(pacs)) as cget:
        request = Request(study_uid=study.uid)
        thread = threading.Thread(target=lambda: outcomes.append(cget.fetch(request, inbox)))
        thread.start()
        inbox.wait_for(2)
        cget.cancel()
        thread.join()
        outcomes.append(cget.fetch(request, inbox))
    assert (outcomes[0].status, outcomes[0].status_text) == (0xFE00, "cancelled; FE00: Cancelled")
    assert 2 <= len(inbox.sealed) < 60
    assert not outcomes[1].reached


def test_what_cannot_be_reached_and_what_is_not_accepted(inbox: Any):
    with opened(COMPONENT, net(free_port())) as cget:
        assert not cget.fetch(Request(study_uid="1.2.3"), inbox).reached
    profile = Profile(models=frozenset({"study-find"}))
    with pytest.raises(RemoteError, match=r"does not accept C-GET from pacsfw"):
        COMPONENT.factory().open(context(net(104, profile=profile)))
    with pytest.raises(ConfigError, match=r"net\.called_node is not configured"):
        COMPONENT.factory().open(context(None))


# --- what is proposed -------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 5, 6, 40, 64, 126])
def test_every_syntax_is_proposed_within_128_contexts(count: int) -> None:
    proposed = contexts([f"1.2.{number}" for number in range(count)])
    assert len(proposed) <= 128 - 2, "two are for C-GET itself"
    everything = set(contexts(["1.2"])[-1].transfer_syntaxes) if count else set()
    for number in range(count):
        own = [each for each in proposed if each.abstract_syntax == f"1.2.{number}"]
        offered = [syntax for each in own for syntax in each.transfer_syntaxes]
        assert len(offered) == len(set(offered)) == 26
        assert everything <= set(offered)
        assert all(each.receives for each in own)


def test_both_guesses_fit_and_do_not_overlap() -> None:
    assert len(contexts(USUAL)) <= MOST
    assert len(contexts(OTHERS)) <= MOST
    assert not set(USUAL) & set(OTHERS)
