"""Rows of good, odd and damaged files against dcmdump: every difference has a reason."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.fixtures import samples
from support.against_dcmdump import (
    COLUMNS,
    GUESSES,
    NO_ROW_OF_WHAT_IT_READS,
    ROW_OF_WHAT_IT_REFUSES,
    compare,
)
from support.mutations import mutated

pytestmark = pytest.mark.skipif(shutil.which("dcmdump") is None, reason="no dcmdump")


def test_every_sample_is_what_dcmdump_prints_or_the_difference_has_a_reason() -> None:
    found = compare(path for path in samples() if path.stat().st_size < 2_000_000)

    assert found.unexplained == []
    assert found.cells > 3_000


def test_the_reasons_are_few() -> None:
    others = {"DICOMDIR", GUESSES}
    assert len(ROW_OF_WHAT_IT_REFUSES | NO_ROW_OF_WHAT_IT_READS) + len(others) == 10


def written(folder: Path, sources: list[Path], number: int, seed: int) -> Iterator[Path]:
    chance = random.Random(seed)
    for count in range(number):
        path = folder / f"{count:05d}.dcm"
        path.write_bytes(mutated(chance.choice(sources).read_bytes(), chance))
        yield path


@pytest.mark.parametrize(
    ("number", "seed"), [(300, 15), pytest.param(2000, 3, marks=pytest.mark.full)]
)
def test_damaged_files_are_what_dcmdump_prints_or_the_difference_has_a_reason(
    number: int, seed: int, tmp_path: Path, good_samples: list[Path]
) -> None:
    small = [path for path in good_samples if path.stat().st_size < 40_000]

    found = compare(written(tmp_path, small, number, seed))

    assert found.unexplained == []
    assert found.cells > 5 * len(COLUMNS)
