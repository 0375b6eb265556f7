"""Archives: every member is read or named, under its own name, within bounds, from any place on."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest

from pacsfw.dicom.header import HeaderReader
from pacsfw.dicom.tagpath import parse
from pacsfw.parse.tree import tars, unpacking
from pacsfw.parse.tree.archives import DEEPEST, EMPTY
from pacsfw.parse.tree.dicomdir import CLASS
from pacsfw.parse.tree.file_reader import (
    DAMAGED,
    NOT_DICOM,
    PACKED,
    UNREADABLE,
    FileReader,
    Parsed,
    Unparsed,
)
from pacsfw.parse.tree.files import InProcess, TreeReader, position
from pacsfw.parse.tree.member_names import MemberNames
from pacsfw.parse.tree.walk import Item
from support.trees import write_images


@pytest.fixture(scope="module")
def dicom(tmp_path_factory) -> bytes:
    return write_images(tmp_path_factory.mktemp("images"), 1, 1)[0].read_bytes()


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    folder.mkdir()
    return Tree(folder, tmp_path / "work")


class Tree:
    """A folder, and what is read of it."""

    def __init__(self, folder: Path, work: Path) -> None:
        self.folder, self.work = folder, work
        work.mkdir()

    def read(self, root=None, after=None, limit=0, is_stopped=lambda: False):
        headers = HeaderReader(map(parse, (CLASS, "SOPInstanceUID")))
        reader = FileReader(headers, lambda header, path: Parsed((), ()), self.work)
        root = str(root or self.folder)
        tree = TreeReader(root, InProcess(reader), self.work, is_stopped=is_stopped)
        yield from tree.read(after, limit)
        reader.close()
        assert not list(self.work.iterdir())

    def found(self, root=None):
        """Return the places, with the reason of those without a row."""
        return {
            os.path.relpath(item.place, self.folder): getattr(outcome, "reason", "")
            for item, outcome in self.read(root)
        }


def zipped(members, method=zipfile.ZIP_DEFLATED) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that occur twice
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            with archive.open(info, "w") as member:  # unlike others, also with an empty name
                member.write(content)
    return written.getvalue()


def tarred(members, *, mode="w") -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode=mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content not in (tarfile.DIRTYPE, tarfile.SYMTYPE):
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content, "elsewhere"
                archive.addfile(info)
    return written.getvalue()


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("name", ["a.dcm.gz", "a"])
def test_a_compressed_instance_is_read_whatever_its_name(tree, dicom, packed, name):
    (tree.folder / name).write_bytes(packed(dicom))

    assert tree.found() == {name: ""}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("name", ["a.tgz", "a"])
def test_a_tar_archive_is_read_whatever_its_name(tree, dicom, mode, name):
    members = [("s/", tarfile.DIRTYPE), ("s/2", dicom), ("s/1", dicom), ("l", tarfile.SYMTYPE)]
    (tree.folder / name).write_bytes(tarred(members, mode=mode))

    assert tree.found() == {f"{name}/s/2": "", f"{name}/s/1": "", f"{name}/l": tars.LINK}


@pytest.mark.parametrize("name", ["a.ZIP", "a"])
def test_a_zip_archive_is_read_whatever_its_name(tree, dicom, name):
    members = [("f/", b""), ("f/z", dicom), ("f/a", dicom), ("top", b"text"), ("", dicom)]
    (tree.folder / name).write_bytes(zipped(members))

    found = tree.found()

    assert list(found) == [f"{name}/f/z", f"{name}/f/a", f"{name}/top", f"{name}/_"]
    assert set(found.values()) == {"", "not DICOM"}


def test_archives_one_within_another_are_read_to_a_depth(tree, dicom):
    content = zipped([("1.dcm", dicom)])
    for name in ("3.zip", "2.zip", "1.tgz"):
        members = [(name, content), ("beside.dcm.gz", gzip.compress(dicom))]
        content = tarred(members, mode="w:gz") if name == "2.zip" else zipped(members)
    (tree.folder / "0.zip").write_bytes(content)

    found = tree.found()

    reason = f"in {DEEPEST} archives one within another: unpack them"
    assert found == {
        "0.zip/1.tgz/2.zip/3.zip": reason,
        "0.zip/1.tgz/2.zip/beside.dcm.gz": "",
        "0.zip/1.tgz/beside.dcm.gz": "",
        "0.zip/beside.dcm.gz": "",
    }
    assert list(found) == [
        "0.zip/1.tgz/2.zip/3.zip",
        "0.zip/1.tgz/2.zip/beside.dcm.gz",
        "0.zip/1.tgz/beside.dcm.gz",
        "0.zip/beside.dcm.gz",
    ]


@pytest.fixture
def many(tree, dicom):
    """A tree with archives of each kind, one within another, and files between them."""
    inner = zipped([("x", dicom), ("y", b"text"), ("z", dicom)])
    outer = [("1", dicom), ("in.zip", inner), ("2", dicom), ("in.tar", tarred([("t", dicom)]))]
    (tree.folder / "a.zip").write_bytes(zipped(outer))
    (tree.folder / "b").write_bytes(dicom)
    (tree.folder / "c.tgz").write_bytes(tarred([*outer, ("in.zip", inner)], mode="w:gz"))
    (tree.folder / "d.zip").write_bytes(zipped([("folder/", b"")]))
    (tree.folder / "e.zip").write_bytes(b"none")
    (tree.folder / "f.tar").write_bytes(tarred([("1", dicom), ("2", dicom)])[: -len(dicom)])
    return tree


def test_from_any_place_on_what_follows_is_the_same(many):
    everything = list(many.read())

    assert len(everything) == 20
    for number, (item, _) in enumerate(everything):
        after = position(str(many.folder), item)
        assert list(many.read(after=after)) == everything[number + 1 :]
        assert list(many.read(after=after, limit=2)) == everything[number + 1 : number + 3]


def test_a_stop_within_an_archive_loses_nothing(many):
    everything = list(many.read())
    for calls in range(1, 40):
        left = iter([False] * calls)

        before = list(many.read(is_stopped=lambda left=left: next(left, True)))

        after = position(str(many.folder), before[-1][0]) if before else None
        assert before + list(many.read(after=after)) == everything


def test_one_archive_is_a_tree_too(many):
    root = many.folder / "a.zip"
    inside = [(item, outcome) for item, outcome in many.read() if item.path == str(root)]

    assert list(many.read(root)) == inside
    for number, (item, _) in enumerate(inside):
        assert list(many.read(root, position(str(root), item))) == inside[number + 1 :]


def test_what_looks_like_an_archive_and_is_not_read_is_named_and_not_harmless(tree, dicom):
    contents = {
        "7z": b"7z\xbc\xaf\x27\x1c" + bytes(99),
        "rar": b"Rar!\x1a\x07\0" + bytes(99),
        "zst": b"\x28\xb5\x2f\xfd" + bytes(99),
        "iso": bytes(32769) + b"CD001" + bytes(99),
        "named.tgz": b"text",
        "named.gz": b"text",
        "named.zip": b"text",
        "cut.gz": gzip.compress(dicom)[:-40],
        "damaged.gz": b"\x1f\x8b\x08" + bytes(99),
        "cut": zipped([("1", dicom)])[:-40],
        "zip.gz": gzip.compress(zipped([("1", dicom)])),
        "dicom.dcm.zip": dicom[:200],
    }
    for name, content in contents.items():
        (tree.folder / name).write_bytes(content)

    outcomes = {Path(item.path).name: outcome for item, outcome in tree.read()}

    assert {outcome.kind for outcome in outcomes.values()} == {DAMAGED, PACKED, UNREADABLE}
    assert outcomes["zst"] == Unparsed(PACKED, "a zstd file: not read, unpack it")
    assert outcomes["iso"].reason == "a disc image (ISO 9660): not read, unpack it"
    assert outcomes["zip.gz"].reason == "a zip archive in a compressed file: not read, unpack it"


def test_compressed_files_that_are_no_dicom_are_harmless(tree):
    (tree.folder / "scan.nii.gz").write_bytes(gzip.compress(bytes(999)))
    (tree.folder / "BZh is a text").write_bytes(b"BZh is a text")

    assert {outcome.kind for _, outcome in tree.read()} == {NOT_DICOM}


def test_an_instance_whose_preamble_is_that_of_an_archive_is_an_instance(tree, dicom):
    (tree.folder / "a.zip").write_bytes(b"PK\x03\x04" + dicom[4:])

    assert tree.found() == {"a.zip": ""}


def test_an_archive_without_files_is_named(tree, dicom):
    listed = bytearray(zipped([("1", dicom)]))
    listed[listed.rindex(b"PK\x05\x06") + 8 :] = bytes(14)
    (tree.folder / "a.zip").write_bytes(zipped([("folder/", b"")]))
    (tree.folder / "b.zip").write_bytes(zipped([]))
    (tree.folder / "c.zip").write_bytes(listed)

    assert tree.found() == {
        "a.zip": EMPTY,
        "b.zip": EMPTY,
        "c.zip": "not a zip archive, or damaged",
    }


def test_members_of_one_name_have_their_own_places(tree, dicom):
    names = ["f/1", "f/1", "f\\1", "./f//1", "f/1#1", "f", "f/1/2", "g/x", "g"]
    (tree.folder / "a.zip").write_bytes(zipped([(name, dicom) for name in names]))
    (tree.folder / "b.tar").write_bytes(tarred([(name, dicom) for name in names]))

    found = list(tree.found())

    assert len(found) == 2 * len(names)
    assert found[:4] == ["a.zip/f/1", "a.zip/f/1#1", "a.zip/f/1#2", "a.zip/f/1#3"]
    assert found == list(tree.found())


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("../../etc/passwd", "_/_/etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\scans\\1", "C_/scans/1"),
        ("c:1", "c_1"),
        ("\\\\server\\share\\1", "server/share/1"),
        ("a/..\\../b", "a/_/_/b"),
        ("", "_"),
        ("./.", "_"),
        ("f.x/1 .", "f.x/1 ."),
    ],
)
def test_the_name_of_a_member_never_leads_out_of_its_archive(name, place):
    assert MemberNames().unique(name, 7) == place
    assert MemberNames("in.zip").unique(name, 7) == f"in.zip/{place}"


@pytest.fixture
def small_limits(monkeypatch):
    monkeypatch.setattr(unpacking, "ALWAYS", 1 << 20)
    monkeypatch.setattr(tars, "ALWAYS", 1 << 20)


def test_a_bomb_is_named_and_not_written(tree, dicom, small_limits, monkeypatch):
    bomb = dicom + bytes(8 << 20)
    lying = bytearray(zipped([("1", bomb)]))
    size = len(bomb).to_bytes(4, "little")
    while (at := lying.find(size)) >= 0:
        lying[at : at + 4] = (1000).to_bytes(4, "little")
    for name, content in {
        "a.zip": zipped([("1", bomb)]),
        "b.gz": gzip.compress(bomb),
        "c.bz2": bz2.compress(bomb),
        "d.xz": lzma.compress(bomb),
        "e.tgz": tarred([("1", bomb), ("2", dicom)], mode="w:gz"),
        "f": bytes(lying),
    }.items():
        (tree.folder / name).write_bytes(content)
    written, write = [], unpacking.copy

    def watched(source, target, most):
        try:
            write(source, target, most)
        finally:
            written.append(target.tell())

    for module in ("archives", "tars", "zips"):
        monkeypatch.setattr(f"pacsfw.parse.tree.{module}.copy", watched)

    found = tree.found()

    damaged = found.pop("f/1")
    assert damaged == "the archive is damaged"
    assert set(found) == {"a.zip/1", "b.gz", "c.bz2", "d.xz", "e.tgz/1", "e.tgz"}
    assert set(found.values()) == {unpacking.TOO_LARGE}
    assert max(written) <= 2 << 20


def test_what_compresses_well_is_read(tree, dicom):
    (tree.folder / "a.gz").write_bytes(gzip.compress(dicom + bytes(8 << 20)))

    assert tree.found() == {"a.gz": ""}


def end_of_first(content: bytes) -> int:
    """Return the offset in a tar archive after its first member."""
    return 512 + len(content) + -len(content) % 512


def test_a_header_of_a_tar_archive_does_not_fill_the_memory(tree, dicom):
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    with (tree.folder / "a.tar").open("wb") as file:
        file.write(tarred([("1", dicom)])[: end_of_first(dicom)] + info.tobuf())
        file.truncate(1 << 30)

    assert tree.found() == {"a.tar/1": "", "a.tar": "a header of the archive is too long"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data, end: data[:end], "the archive is cut: members may be missing"),
        (lambda data, end: data[:1024], "the archive is damaged"),
        (lambda data, end: data[:end] + b"x" * 9999, "the archive is damaged: members may be"),
        (lambda data, end: data + data, "the archive is damaged: members may be missing"),
    ],
)
def test_the_end_of_a_tar_archive_that_is_none_is_named(tree, dicom, change, reason):
    data = change(tarred([("1", dicom)]), end_of_first(dicom))
    (tree.folder / "a.tar").write_bytes(data)

    found = tree.found()

    assert found["a.tar"].startswith(reason)
    assert found["a.tar/1"] == ("the archive is damaged" if len(data) == 1024 else "")


def test_damaged_and_encrypted_members_are_named(tree, dicom):
    data = bytearray(zipped([("1", dicom), ("2", dicom)], zipfile.ZIP_STORED))
    data[300] ^= 1
    (tree.folder / "a.zip").write_bytes(data)
    data = bytearray(zipped([("1", dicom)]))
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    (tree.folder / "b.zip").write_bytes(data)

    assert tree.found() == {
        "a.zip/1": "the archive is damaged",
        "a.zip/2": "",
        "b.zip/1": "it is encrypted",
    }


def test_an_archive_that_cannot_be_read_is_named(tree, dicom):
    path = tree.folder / "a.zip"
    path.write_bytes(zipped([("1", dicom)]))
    read = tree.read()
    headers = HeaderReader(map(parse, (CLASS, "SOPInstanceUID")))
    reader = FileReader(headers, lambda header, path: Parsed((), ()), tree.work)
    item = Item(str(path), (5,), "5")

    assert reader.read(item) == Unparsed(DAMAGED, "the archive has changed since it was listed")

    reader.close()
    path.unlink()
    assert reader.read(item).kind == UNREADABLE
    assert list(read) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a zip archive, or damaged"),
        (b"PK\x05\x06" + b"\xff" * 18, "not a zip archive, or damaged"),
        (b"PK\x05\x06" + bytes(8) + (1 << 27).to_bytes(4, "little") + bytes(6), "too many"),
    ],
)
def test_an_archive_that_cannot_be_listed_is_named(tree, content, reason):
    path = tree.folder / "x.zip"
    with path.open("wb") as file:
        file.truncate(1 << 28 if reason == "too many" else 0)
        file.seek(0, 2)
        file.write(content)

    [(place, lost)] = tree.found().items()

    assert place == "x.zip"
    assert reason in lost


def test_a_zip64_archive_is_listed(tree, dicom):
    path = tree.folder / "x.zip"
    data = zipped([("a", dicom)])
    at = data.rindex(b"PK\x05\x06")
    size, offset = data[at + 12 : at + 16] + bytes(4), data[at + 16 : at + 20] + bytes(4)
    one = (1).to_bytes(8, "little")
    record = b"PK\x06\x06" + (44).to_bytes(8, "little") + bytes(12) + one * 2 + size + offset
    locator = b"PK\x06\x07" + bytes(4) + at.to_bytes(8, "little") + (1).to_bytes(4, "little")
    end = data[at : at + 12] + b"\xff" * 8 + bytes(2)
    path.write_bytes(data[:at] + record + locator + end)

    assert tree.found() == {"x.zip/a": ""}


def test_a_tar_archive_with_too_many_members_is_named(tree, dicom, monkeypatch):
    monkeypatch.setattr(tars, "MOST_MEMBERS", 2)
    (tree.folder / "a.tar").write_bytes(tarred([(name, dicom) for name in "123"]))

    assert tree.found() == {
        "a.tar/1": "",
        "a.tar/2": "",
        "a.tar": "the archive has too many members: unpack it",
    }
