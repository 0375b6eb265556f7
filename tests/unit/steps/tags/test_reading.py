"""The cells of an object: those of its row, those that sinks want, and what failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from pacsfw.api import HEADER
from pacsfw.config import Tag, Use
from pacsfw.plugins import PluginPlan, discover
from pacsfw.steps.tags.reading import CellReader, Cells, ReadingSpec
from pacsfw.testing import make_studies
from support.python_callbacks import explode, shout

BAD_NUMBER = b"4711x "


def tag(name: str, *callbacks: str, kind: str = "text", alias: str = "") -> Tag:
    return Tag(
        names=(name,), alias=alias or name, default=None, callbacks=tuple(map(Use, callbacks)),
        type=kind, where="here",
    )  # fmt: skip


WHOLE = tag(HEADER, kind="json", alias="*header")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    (study,) = make_studies(1, modalities=(("CT",),), instances=1)
    (path,) = study.write(tmp_path / "image")
    return path


def damage(image: Path) -> None:
    """Give its InstanceNumber a value that is no number."""
    dataset = dcmread(image)
    dataset.InstanceNumber = "123456"
    dataset.save_as(image)
    image.write_bytes(image.read_bytes().replace(b"123456", BAD_NUMBER))


def read(image: Path, *tags: Tag, wanted: tuple[Tag, ...] = (), **functions: object) -> Cells:
    spec = ReadingSpec(
        plugins=PluginPlan(), tags=tags, wanted=wanted, functions=functions, call_seconds=0
    )
    reader = CellReader(spec, discover(spec.plugins))
    return reader.read(reader.headers().read(image))


def test_what_sinks_want_is_apart_from_the_row_and_in_its_order(image: Path) -> None:
    number = tag("InstanceNumber", kind="int")

    cells = read(image, tag("Modality"), wanted=(number, WHOLE, tag("PatientID")))

    assert cells.row == ("CT",)
    first, whole, last = cells.wanted
    assert (first, last) == (1, "SYN1-00000")
    assert whole["00080060"]["Value"] == ["CT"]
    assert cells.errors == ()


def test_what_sinks_want_fails_like_a_column(image: Path) -> None:
    damage(image)
    number = tag("InstanceNumber", kind="int", alias="*InstanceNumber")

    cells = read(image, tag("InstanceNumber", kind="int"), wanted=(WHOLE, number))

    whole, wanted = cells.wanted
    assert (cells.row, wanted) == ((None,), None)
    assert whole["00200013"]["Value"] == [BAD_NUMBER.decode().strip()]
    assert [(error.column, error.stage) for error in cells.errors] == [
        ("InstanceNumber", "type"),
        ("*InstanceNumber", "type"),
    ]
    assert "4711" not in repr(cells.errors)


def test_an_error_names_the_callback_and_the_plugin_that_has_it(image: Path) -> None:
    [error] = read(image, tag("PatientID", "agestr2years")).errors

    assert error.stage == "callback"
    assert error.plugin == discover(PluginPlan()).describe("callback", "agestr2years")
    assert "pacsfw" in error.plugin


def test_a_function_of_the_user_is_called_by_its_name(image: Path) -> None:
    cells = read(
        image, tag("PatientID", "shout", "explode"), tag("Modality", "shout"),
        shout=shout, explode=explode,
    )  # fmt: skip

    assert cells.row == (None, "CT!")
    assert [error.plugin for error in cells.errors] == ["explode"]
