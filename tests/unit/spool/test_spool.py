import errno
import hashlib
import os
import pickle
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pacsfw.dicom.part10 import read_file_meta
from pacsfw.spool.adoption import adopt, adopt_from
from pacsfw.spool.records import (
    Begun,
    Discarded,
    Sealed,
    SpoolRecord,
    new_writer,
    number_of,
    spool_id,
)
from pacsfw.spool.writer import Spool
from pacsfw.steps.ingest.commit import dataset_digest

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


class Recorded:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = new_writer()
        self.records: list[SpoolRecord] = []
        self._spool = Spool(folder, self.records.append, self.writer)

    def begin(self, sop_uid: str = "1.2.3", originator: str = "ME", message: int | None = 7):
        return self._spool.begin(CT, sop_uid, EXPLICIT, "PACS", originator, message)


@pytest.fixture
def spool(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path)


@contextmanager
def small_files() -> Iterator[None]:
    """Let no file grow beyond 4096 bytes; not even the one that the test runner reports to."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_sealed_file_holds_the_bytes_behind_our_head(spool: Recorded) -> None:
    writer = spool.begin()
    writer.write(memoryview(b"abcd"))
    writer.write(b"efgh")
    writer.seal()
    sealed = spool.records[-1]
    assert isinstance(sealed, Sealed)
    meta = read_file_meta(sealed.path)
    assert (meta.sop_class, meta.sop_uid, meta.source_aet) == (CT, "1.2.3", "PACS")
    assert sealed.path.read_bytes()[meta.offset_of_dataset :] == b"abcdefgh"
    assert sealed.size == 8


def test_the_digest_is_that_of_the_data_set_as_it_came(tmp_path: Path) -> None:
    records: list[SpoolRecord] = []
    writer = Spool(tmp_path, records.append, digest=True).begin(CT, "1.2.3", EXPLICIT, "PACS")
    writer.write(b"abcd")
    writer.write_parts([memoryview(b"ef"), b"gh"])
    writer.seal()
    sealed = records[-1]
    assert isinstance(sealed, Sealed)
    assert sealed.digest == hashlib.sha256(b"abcdefgh").hexdigest() == dataset_digest(sealed.path)


def test_begun_is_reported_when_it_is_announced_and_never_after_the_end(spool: Recorded) -> None:
    writer = spool.begin()
    assert spool.records == []
    writer.announce()
    writer.announce()
    assert [type(record) for record in spool.records] == [Begun]
    writer.seal()
    spool.begin().seal()
    writer.announce()
    assert [type(record) for record in spool.records] == [Begun, Sealed, Sealed]


def test_only_the_owner_may_read_a_spool_file(spool: Recorded) -> None:
    spool.begin().seal()
    (path,) = spool.folder.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


def test_begun_and_sealed_share_an_id_and_travel_between_processes(spool: Recorded) -> None:
    writer = spool.begin()
    writer.announce()
    writer.seal()
    begun, sealed = pickle.loads(pickle.dumps(spool.records))
    assert isinstance(begun, Begun)
    assert spool_id(begun) == spool_id(sealed)
    assert [begun, sealed] == spool.records


def test_a_discarded_object_leaves_nothing(spool: Recorded) -> None:
    writer = spool.begin()
    writer.write(b"abcd")
    writer.discard("the sender went away")
    writer.discard()
    assert list(spool.folder.iterdir()) == []
    assert [type(record) for record in spool.records] == [Discarded]


def test_discarding_a_sealed_object_keeps_it(spool: Recorded) -> None:
    writer = spool.begin()
    writer.seal()
    writer.discard()
    assert isinstance(spool.records[-1], Sealed)
    assert len(list(spool.folder.iterdir())) == 1


def test_an_empty_data_set_is_still_a_file(spool: Recorded) -> None:
    spool.begin().seal()
    (path,) = spool.folder.iterdir()
    assert read_file_meta(path).offset_of_dataset == path.stat().st_size


def test_a_write_that_does_not_fit_says_so_and_can_be_discarded(spool: Recorded) -> None:
    writer = spool.begin()
    with small_files(), pytest.raises(OSError) as raised:
        writer.write(bytes(10_000))
    assert raised.value.errno in (errno.EFBIG, errno.ENOSPC)
    writer.discard()
    assert list(spool.folder.iterdir()) == []


def test_a_file_that_cannot_be_created_is_reported_as_discarded(tmp_path: Path) -> None:
    spool = Recorded(tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        spool.begin()
    assert [type(record) for record in spool.records] == [Discarded]


@pytest.mark.parametrize("sop_uid", ["../../x", "", "a/b", "\xff\0", "1" * 300])
def test_a_hostile_uid_names_no_file(spool: Recorded, sop_uid: str) -> None:
    spool.begin(sop_uid, originator="../x", message=None).seal()
    (path,) = spool.folder.iterdir()
    assert set(path.stem) <= set("0123456789abcdef_")


def test_adopt_gives_back_what_was_sealed(spool: Recorded) -> None:
    spool.begin().seal()
    spool.begin("4.5", originator="", message=None).seal()
    sealed = [record for record in spool.records if isinstance(record, Sealed)]
    assert sorted(adopt(spool.folder), key=lambda record: record.sop_uid) == sealed


def test_adopt_removes_unfinished_files(spool: Recorded) -> None:
    spool.begin().write(b"abcd")
    assert adopt(spool.folder) == []
    assert list(spool.folder.iterdir()) == []


def test_adopt_puts_an_unreadable_file_aside(
    spool: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    spool.begin().seal()
    (path,) = spool.folder.iterdir()
    os.truncate(path, 0)
    assert adopt(spool.folder) == []
    assert [left.suffix for left in spool.folder.iterdir()] == [".unreadable"]
    assert "unreadable" in caplog.text


def test_what_a_dead_writer_left_is_told_from_what_others_write(spool: Recorded) -> None:
    told = spool.begin("1")
    told.seal()
    spool.begin("2").seal()
    spool.begin("3").write(b"abcd")
    other = Recorded(spool.folder)
    other.begin("4").write(b"abcd")
    other.begin("5").seal()
    ended = [number_of(spool.records[0].path.name)]
    assert adopt_from(spool.folder, spool.writer, ended) == [spool.records[1]]
    left = [path for path in spool.folder.iterdir() if path.suffix == ".part"]
    assert [path.name[:16] for path in left] == [other.writer]


def test_pieces_are_written_in_order_however_many_and_large(spool: Recorded) -> None:
    pieces = [bytes([number % 251]) * (number % 7) for number in range(3000)] + [bytes(300_000)]
    writer = spool.begin()
    writer.write(b"first")
    writer.write_parts(pieces)
    writer.seal()
    (sealed,) = spool.records
    offset = read_file_meta(sealed.path).offset_of_dataset
    assert sealed.path.read_bytes()[offset:] == b"first" + b"".join(pieces)


def test_the_address_of_a_sender_survives_a_restart(tmp_path: Path) -> None:
    records: list[SpoolRecord] = []
    spool = Spool(tmp_path, records.append)
    spool.begin(CT, "1.2.3", EXPLICIT, "PACS", "ME", 7, "fe80::1").seal()
    spool.begin(CT, "1.2.4", EXPLICIT, "PACS", "", None, "192.0.2.1").seal()

    assert adopt(tmp_path) == records


def test_a_spool_file_of_an_earlier_version_is_adopted_without_an_address(spool: Recorded) -> None:
    spool.begin().seal()
    (path,) = spool.folder.iterdir()
    path.rename(path.with_name(path.name.replace("_.dcm", ".dcm")))

    (sealed,) = adopt(spool.folder)

    assert (sealed.originator_ae, sealed.originator_message_id, sealed.address) == ("ME", 7, "")
