"""The names of the parts of a Parquet data set: generation and number."""

from __future__ import annotations

import re

PART = re.compile(r"part-(\d{4,})-(\d{5,})\.parquet")


def part_name(generation: int, number: int) -> str:
    """Return the name of a part."""
    return f"part-{generation:04}-{number:05}.parquet"


def numbers_of(name: str) -> tuple[int, int]:
    """Return generation and number of a part."""
    match = PART.fullmatch(name)
    assert match is not None  # noqa: S101 - only names of our parts
    return int(match[1]), int(match[2])
