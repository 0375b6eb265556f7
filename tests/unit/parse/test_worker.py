"""Files are read in the same way for `pacsfw parse` and for a collection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread

from pacsfw.api import HEADER
from pacsfw.cli.common import load
from pacsfw.collection.ingest import ingest_spec
from pacsfw.ledger.cells import decode
from pacsfw.ledger.instances import Instance
from pacsfw.parse.tree.file_reader import Parsed
from pacsfw.parse.tree.walk import Item
from pacsfw.parse.worker import ParseSpec
from pacsfw.steps.deliver.targets import wanted_tag
from pacsfw.steps.ingest.ingest import Reparse
from support.run import make_run
from support.trees import write_images, write_tags

CONFIG = """\
storage: {resources: list.csv, directory: archive}
tags:
  - {tag_name: PatientID}
  - {tag_name: StudyDate, type: date}
  - {tag_name: InstanceNumber, type: int}
  - {tag_name: Modality, tag_alias: failing, callback: agestr2years}
"""
WANTED = tuple(map(wanted_tag, (HEADER, "InstanceNumber", "Modality")))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_images(tmp_path / "archive", studies=1, instances=1)[0]


@pytest.fixture
def run(tmp_path: Path, ledger):
    loaded = load(write_tags(tmp_path / "conf.yaml", CONFIG))
    return replace(make_run(ledger), config=loaded.config, registry=loaded.registry)


def parsed(run, image: Path, *, describes: bool = True) -> Parsed:
    reading = ingest_spec(run, WANTED).reading
    spec = ParseSpec(reading=reading, workdir=image.parent, describes=describes)
    outcome = spec.build().read(Item(str(image)))
    assert isinstance(outcome, Parsed)
    return outcome


def ingested(run, image: Path) -> Instance:
    """Read the row as a collection does."""
    spec = ingest_spec(run, WANTED)
    instance = Instance(
        sop_uid="1", digest="d", study_uid="1", series_uid="1", sop_class="1", syntax="1", size=1,
        path=image.relative_to(spec.directory).as_posix(), state="stored",
    )  # fmt: skip
    outcome = spec.build()(Reparse(instance))
    assert isinstance(outcome, Instance)
    return outcome


def spoil(image: Path) -> None:
    """Give its InstanceNumber a value that is no number."""
    dataset = dcmread(image)
    dataset.InstanceNumber = "123456"
    dataset.save_as(image)
    image.write_bytes(image.read_bytes().replace(b"123456", b"4711x "))


def test_parse_and_a_collection_read_the_same_of_a_file(run, image):
    spoil(image)

    of_parse, of_collection = parsed(run, image), ingested(run, image)

    kinds = ("text", "date", "int", "float", *(tag.type for tag in WANTED))
    cells = decode(kinds, of_collection.row)
    assert of_parse.row == tuple(cells[:4])
    assert of_parse.about is not None
    names = [tag.names[0] for tag in WANTED]
    found = {name: cell for name, cell in zip(names, cells[4:], strict=True) if cell is not None}
    assert of_parse.about.attributes == found
    assert found.pop("*")["00200013"] == {"vr": "IS", "Value": ["4711x"]}  # PS3.18 F.2.3
    assert found == {"Modality": "CT"}
    assert tuple(of_parse.errors) == of_collection.errors


def test_what_a_sink_wants_and_cannot_be_decoded_is_an_error_of_both(run, image):
    spoil(image)

    columns = [error.column for error in parsed(run, image).errors]

    assert columns == ["InstanceNumber", "failing", "*InstanceNumber"]
    assert columns == [error.column for error in ingested(run, image).errors]


def test_a_uid_of_the_object_that_cannot_be_decoded_is_an_error(run, image):
    image.write_bytes(image.read_bytes().replace(b"\x20\0\x0e\0UI", b"\x20\0\x0e\0ZZ"))

    outcome = parsed(run, image)

    assert outcome.about is not None
    assert outcome.about.stored.series_uid == ""
    assert ("*SeriesInstanceUID", "decode") in {(e.column, e.stage) for e in outcome.errors}


def test_where_no_sink_wants_more_nothing_more_is_read(run, image):
    spoil(image)

    outcome = parsed(run, image, describes=False)

    assert outcome.about is None
    assert [error.column for error in outcome.errors] == ["InstanceNumber", "failing"]
