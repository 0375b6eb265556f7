"""Every file below a folder, once, in order, and from any place on."""

from __future__ import annotations

import os
import socket

import pytest

from pacsfw.parse.tree import entries as entries_of
from pacsfw.parse.tree.walk import SPECIAL, Item, Position, walk


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    for name in ("b/2", "b/10", "a", "b.c", "c/deep/er/x", "c/y", ".pacsfw/ledger.sqlite", "ö\n"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    (root / "b" / "3.ZIP").write_bytes(b"")
    return root


def places(root, *args):
    return [os.path.relpath(item.place, root) for item in walk(str(root), *args)]


EXPECTED = [
    "a", "b/10", "b/2", "b/3.ZIP", "b.c", "c/deep/er/x", "c/y", "ö\n",
]  # fmt: skip


def test_every_file_is_met_once_in_order(root):
    assert places(root) == EXPECTED


def test_from_any_place_on_what_follows_is_the_same(root):
    items = list(walk(str(root)))
    for number, item in enumerate(items):
        path = os.path.relpath(item.path, root)
        assert list(walk(str(root), Position(path))) == items[number + 1 :]
        # An archive is met again if the position is that of a member.
        assert list(walk(str(root), Position(path, (3,)))) == items[number:]


@pytest.mark.parametrize("gone", ["b/2", "b"])
def test_it_goes_on_where_it_was_although_that_is_gone(root, gone):
    left = places(root, Position("b/2"))
    (root / gone).rename(root.parent / "elsewhere")

    assert places(root, Position("b/2")) == [
        place for place in left if gone == "b/2" or not place.startswith("b/")
    ]


def test_folders_and_files_to_ignore_are_not_met(root):
    ignore = frozenset({str(root / "c"), str(root / "a"), str(root / "b" / "3.ZIP")})

    assert places(root, None, ignore) == ["b/10", "b/2", "b.c", "ö\n"]


def test_one_file_is_a_tree_too(root):
    path = str(root / "b" / "2")

    assert list(walk(path)) == list(walk(path, Position("2", (3,)))) == [Item(path)]
    assert not list(walk(path, Position("2")))


def test_what_is_no_file_is_named_and_never_opened(root):
    os.mkfifo(root / "c" / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "c" / "s"))

        found = {os.path.basename(item.path): item.lost for item in walk(str(root / "c"))}

    assert found == {"pipe": SPECIAL, "s": SPECIAL, "x": "", "y": ""}
    assert [item.lost for item in walk(str(root / "c" / "pipe"))] == [SPECIAL]
    assert [item.lost for item in walk(os.devnull)] == [SPECIAL]


def test_links_to_files_are_files_and_links_to_folders_are_named(root):
    (root / "c" / "link").symlink_to(root / "a")
    (root / "c" / "loop").symlink_to(root)
    (root / "c" / "nowhere").symlink_to(root / "nothing")

    found = {os.path.basename(item.path): item for item in walk(str(root / "c"))}

    assert sorted(found) == ["link", "loop", "nowhere", "x", "y"]
    assert found["link"].lost == ""
    assert (found["loop"].is_file, found["loop"].lost) == (
        False,
        "a link to a folder: not followed",
    )
    assert (found["nowhere"].is_file, bool(found["nowhere"].lost)) == (True, True)


def test_a_folder_that_cannot_be_listed_is_named_and_the_rest_is_met(root, monkeypatch):
    real = os.scandir

    def scandir(path):
        if path == str(root / "b"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    lost = Item(str(root / "b"), lost="cannot be listed: Permission denied", is_file=False)

    assert [item for item in walk(str(root)) if item.lost] == [lost]
    assert places(root) == ["a", "b", "b.c", "c/deep/er/x", "c/y", "ö\n"]


class Listing:
    """What scandir gives, of files with these names."""

    def __init__(self, names):
        self._names = names

    def __enter__(self):
        return iter([_File(name) for name in self._names])

    def __exit__(self, *args):
        pass


class _File:
    def __init__(self, name):
        self.name = self.path = name

    def is_dir(self):
        return False

    def is_file(self):
        return True


def test_a_huge_folder_is_sorted_in_pieces(monkeypatch):
    names = [f"{number * 7919 % 1000:03}\udcff\n" for number in range(1000)]
    monkeypatch.setattr(entries_of, "IN_MEMORY", 64)
    monkeypatch.setattr(os, "scandir", lambda folder: Listing(names))

    assert [entry.name for entry in entries_of.entries("x")] == sorted(names)
