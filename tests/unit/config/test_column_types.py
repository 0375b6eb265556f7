"""Types and defaults of columns are settled, or refused, when the configuration is read."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from pacsfw.plugins import discover

if TYPE_CHECKING:
    from conftest import Desk

LOST = """\
from __future__ import annotations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal


def price(value) -> Decimal:
    return value


def misspelt(value) -> "int |":
    return value
"""
ADVICE = "change it, or set `type: text` for the tag"


@pytest.fixture
def lost(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Callbacks whose annotations cannot be evaluated, as module ``lost_annotations``."""
    desk.write(LOST, "lost_annotations.py")
    monkeypatch.syspath_prepend(str(desk.folder))


@pytest.mark.parametrize(
    ("column", "column_type", "default"),
    [
        ("callback: int, default_val: '7'", "int", 7),
        ("callback: int, default_val: 0", "int", 0),
        ("callback: int, default_val: ''", "int", None),
        ("callback: [str2datetime, str], default_val: U", "text", "U"),
        ("callback: str2datetime, default_val: '20200102'", "datetime", datetime(2020, 1, 2)),
        ("callback: int, type: text, default_val: U", "text", "U"),
        ("default_val: 7", "text", "7"),
    ],
)
def test_a_default_is_a_cell_of_its_column(
    desk: Desk, column: str, column_type: str, default: Any
) -> None:
    text = f"tags: [{{tag_name: StudyDate, {column}}}]\n"
    (tag,) = desk.load(text, registry_for=discover).config.tags
    assert (tag.type, tag.default) == (column_type, default)


def test_the_last_callback_gives_the_type_unless_it_is_declared(desk: Desk, lost: None) -> None:
    text = "tags: [{tag_name: Rows, type: float, callback: 'lost_annotations:price'}]\n"
    (tag,) = desk.load(text, registry_for=discover).config.tags
    assert tag.type == "float"


def test_what_does_not_fit_is_told_with_everything_else(desk: Desk, lost: None) -> None:
    text = """\
tags:
  - {tag_name: Rows, callback: int, default_val: U}
  - tag_name: StudyDate
    callback: [str, "lost_annotations:price"]
  - {tag_name: Columns, callback: "lost_annotations:misspelt"}
  - {tag_name: StudyTime, type: time, default_val: true}
move: {workers: 0}
"""
    fits, lost_name, misspelt, truth, workers = desk.refusal(text, registry_for=discover)
    assert fits == (
        f"conf.yaml:2:50: tags[0].default_val: 'U' does not fit the column's type 'int'; {ADVICE}"
    )
    assert lost_name == (
        "conf.yaml:4:15: tags[1].callback: the return annotation of price cannot be resolved "
        "(name 'Decimal' is not defined); import its names outside `if TYPE_CHECKING`, "
        "or set the `type` of the tag"
    )
    assert misspelt.startswith(
        "conf.yaml:5:35: tags[2].callback: the return annotation of misspelt cannot be resolved"
    )
    assert truth.startswith("conf.yaml:6:52: tags[3].default_val: true does not fit the column's")
    assert workers == "conf.yaml:7:17: move.workers: 0 is not a number from 1 to 256"


def test_a_secret_default_that_does_not_fit_is_not_shown(desk: Desk) -> None:
    desk.write("sesame", "token")
    text = "tags: [{tag_name: Rows, type: int, default_val: '${file:token}'}]\n"
    (line,) = desk.refusal(text)
    assert line.startswith("conf.yaml:1:49: tags[0].default_val: *** does not fit")
