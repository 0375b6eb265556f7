import os
from pathlib import Path
from typing import Any

import pytest

from pacsfw.api import Request
from pacsfw.errors import ConfigError
from pacsfw.testing import make_studies, write_studies
from pacsfw_plugins.folder import _shared
from pacsfw_plugins.folder.transfer import pacsfw_transfers
from peers.readback import dataset_bytes
from plugins.dicomweb.scripted_web import context
from plugins.pulling import PullInbox, opened

(COMPONENT,) = pacsfw_transfers()
(STUDY,) = make_studies(1, instances=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_studies(tmp_path / "files", [STUDY, *make_studies(1, seed=5)])
    return tmp_path / "files"


@pytest.fixture
def inbox(tmp_path: Path) -> PullInbox:
    return PullInbox(tmp_path / "spool")


def source(folder: Path) -> list[Path]:
    return sorted((folder / "study1-00000").iterdir())


@pytest.mark.parametrize(
    ("request_", "numbers"),
    [
        (Request(study_uid=STUDY.uid), [0, 1, 2, 3]),
        (Request(study_uid=STUDY.uid, series_uid=STUDY.series_uid(2)), [2, 3]),
        (
            Request(
                study_uid=STUDY.uid,
                series_uid=STUDY.series_uid(1),
                sop_uids=(STUDY.sop_uid(1, 2), "1.2.3"),
            ),
            [1],
        ),
    ],
)
def test_what_is_asked_for_is_copied(folder: Any, inbox: Any, request_: Request, numbers: Any):
    files = source(folder)
    before = [path.read_bytes() for path in files]
    with opened(COMPONENT, None, path=str(folder)) as transfer:
        outcome = transfer.fetch(request_, inbox)
        assert transfer.expects() == ("folder", {"path": str(folder)})
    assert (outcome.status, outcome.status_text) == (0, f"{len(numbers)} files")
    assert inbox.content == {STUDY.sop_uids[n]: dataset_bytes(files[n]) for n in numbers}
    assert [path.read_bytes() for path in files] == before
    assert not _shared._held


def test_files_of_one_uid_are_copied_once_for_each_content(folder: Any, inbox: Any):
    first = source(folder)[0]
    content = first.read_bytes()
    (folder / "same.dcm").write_bytes(b"II" + content[2:])  # another preamble is no other content
    (folder / "other.dcm").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with opened(COMPONENT, None, path=str(folder)) as transfer:
        outcome = transfer.fetch(Request(study_uid=STUDY.uid), inbox)
    assert outcome.status == 0
    assert outcome.status_text == (
        "5 files, of which repeat a SOP Instance UID with other content: 1"
    )
    copied = [each.path for each in inbox.sealed if each.sop_uid == STUDY.sop_uids[0]]
    assert len({dataset_bytes(path) for path in copied}) == len(copied) == 2


def test_what_is_not_there_is_told(folder: Any, inbox: Any):
    with opened(COMPONENT, None, path=str(folder)) as transfer:
        outcome = transfer.fetch(Request(study_uid="1.2.3"), inbox)
    assert (outcome.status, outcome.status_text) == (0x0112, "the folder has no matching instance")


def test_a_file_that_went_or_changed_is_told_and_the_others_come(folder: Any, inbox: Any):
    files = source(folder)
    with opened(COMPONENT, None, path=str(folder)) as transfer:
        transfer.fetch(Request(study_uid=make_studies(1, seed=5)[0].uid), inbox)  # reads the tree
        files[0].unlink()
        files[1].write_bytes(b"no longer DICOM")
        files[2].unlink()
        os.mkfifo(files[2])
        outcome = transfer.fetch(Request(study_uid=STUDY.uid), inbox)
    assert (outcome.status, outcome.failed_uids) == (0xB000, STUDY.sop_uids[:3])
    assert outcome.status_text.startswith("files that could not be copied: 3; ")
    assert STUDY.sop_uids[3] in inbox.uids


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"folder: with\.path: .* is not a folder"):
        COMPONENT.factory(path=str(tmp_path / "none")).open(context(None))


def test_after_cancel_no_further_file_is_taken(folder: Any, inbox: Any):
    with opened(COMPONENT, None, path=str(folder)) as transfer:
        transfer.cancel()
        outcome = transfer.fetch(Request(study_uid=STUDY.uid), inbox)
    assert (outcome.status, outcome.reached, inbox.sealed) == (None, False, [])
