"""The sample files are those of their manifest, and each has a licence."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest

from peers.fixtures import SAMPLES, samples

LICENCES = {"Apache-2.0", "CC0-1.0", "MIT"}
IN_THE_REPOSITORY = Path(__file__).parents[1] / "data" / "dicom"


def manifest() -> list[dict[str, str]]:
    with (IN_THE_REPOSITORY / "MANIFEST.csv").open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_the_manifest_names_every_sample_and_its_content() -> None:
    named = {row["path"]: row["sha256"] for row in manifest()}
    about = {"MANIFEST.csv", "README.md"}
    found = {
        path.relative_to(IN_THE_REPOSITORY).as_posix(): path
        for path in IN_THE_REPOSITORY.rglob("*")
        if path.is_file() and path.parent.name != "LICENSES" and path.name not in about
    }
    assert named == {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()
    }


def test_every_sample_has_a_licence_whose_text_is_here() -> None:
    rows = manifest()
    assert {row["licence"] for row in rows} <= LICENCES
    sources = {row["source"] for row in rows if row["licence"] != "CC0-1.0"}
    texts = {path.name.rpartition("__")[0] for path in (IN_THE_REPOSITORY / "LICENSES").iterdir()}
    assert {source.replace("/", "__") for source in sources} == texts


def test_a_test_that_selects_no_sample_fails() -> None:
    with pytest.raises(AssertionError, match="no sample file is called"):
        samples("nothing-has-this-name*")
    assert SAMPLES / "MANIFEST.csv" in samples()
