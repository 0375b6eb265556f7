"""Whatever the bytes: no row is empty without an error, and no cell depends on other columns."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from pacsfw.parse.tree.file_reader import FileReader, Parsed
from pacsfw.parse.tree.walk import Item
from support.against_dcmdump import COLUMNS, reader
from support.mutations import mutated


@pytest.fixture(scope="module")
def small(good_samples: list[Path]) -> list[bytes]:
    return [path.read_bytes() for path in good_samples if path.stat().st_size < 40_000]


def check(contents: Iterable[bytes], path: Path, rows: FileReader) -> int:
    """Read all of these; return the number of rows."""
    found = 0
    for content in contents:
        path.write_bytes(content)
        outcome = rows.read(Item(str(path)))
        if isinstance(outcome, Parsed):
            found += 1
            assert any(cell is not None for cell in outcome.row) or outcome.errors
        else:
            assert outcome.reason
    return found


def truncated(whole: bytes, end: int) -> Iterator[bytes]:
    return (whole[:length] for length in range(min(len(whole), end)))


def test_a_file_cut_anywhere_has_a_row_or_a_reason(small: list[bytes], tmp_path: Path) -> None:
    assert check(truncated(small[0], 1500), tmp_path / "cut.dcm", reader()) > 100


@pytest.mark.full
def test_ten_files_cut_at_every_byte_have_a_row_or_a_reason(
    small: list[bytes], tmp_path: Path
) -> None:
    rows = reader()
    for whole in sorted(small, key=len)[:: len(small) // 10][:10]:
        check(truncated(whole, len(whole)), tmp_path / "cut.dcm", rows)


@pytest.mark.parametrize(
    "number", [1500, pytest.param(100_000, marks=(pytest.mark.full, pytest.mark.timeout(900)))]
)
def test_damaged_files_have_a_row_or_a_reason(
    number: int, small: list[bytes], tmp_path: Path
) -> None:
    chance = random.Random(number)
    damaged = (mutated(chance.choice(small), chance) for _ in range(number))

    assert check(damaged, tmp_path / "damaged.dcm", reader()) > number // 3


@pytest.mark.parametrize("number", [40, pytest.param(1500, marks=pytest.mark.full)])
def test_a_cell_does_not_depend_on_other_columns(
    number: int, small: list[bytes], tmp_path: Path
) -> None:
    chance, path = random.Random(7), tmp_path / "damaged.dcm"
    together = reader()
    alone = [reader([column]) for column in COLUMNS]
    contents = [*small, *(mutated(chance.choice(small), chance) for _ in range(number))]
    for content in contents:
        path.write_bytes(content)
        outcome = together.read(Item(str(path)))
        ones = [one.read(Item(str(path))) for one in alone]
        if not isinstance(outcome, Parsed):
            assert not any(isinstance(one, Parsed) for one in ones)
            continue
        assert tuple(one.row[0] for one in ones if isinstance(one, Parsed)) == outcome.row
        failed = [column for column in COLUMNS if column in {e.column for e in outcome.errors}]
        found = [error.column for one in ones for error in one.errors if error.column]
        assert found == failed
