"""Row callbacks: cells from the whole header, and faults that cost these cells only."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pacsfw.api import Column
from pacsfw.config import RowColumns, Tag, Use
from pacsfw.errors import Retry, Skip
from pacsfw.plugins import PluginPlan, discover
from pacsfw.steps.tags.reading import CellReader, ReadingSpec
from pacsfw.testing import make_studies

NAME = "SECRET^NAME"
BUNDLED = PluginPlan(installed=False)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (study,) = make_studies(1, instances=3)
    return study.write(tmp_path)


def tag(name: str) -> Tag:
    return Tag(names=(name,), alias=name, default=None, callbacks=(), type="text", where="")


def of(function: Any, **columns: Any) -> RowColumns:
    """The columns of a function: name -> type; ``one=type`` is its value itself."""
    return RowColumns(
        use=Use(function.__name__),
        columns=tuple(Column(name, kind) for name, kind in columns.items()),
        keys=tuple("" if name == "one" else name for name in columns),
        where="",
    )


def reader(*entries: Tag | RowColumns, functions: Any = (), seconds: float = 0) -> CellReader:
    named = {each.__name__: each for each in functions}
    spec = ReadingSpec(plugins=BUNDLED, tags=entries, call_seconds=seconds, functions=named)
    return CellReader(spec, discover(BUNDLED))


def read(files: list[Path], function: Any, seconds: float = 0, **columns: Any) -> Any:
    """Return the cells of the first file, those of two tags around it included."""
    cells = reader(
        tag("Modality"), of(function, **columns), tag("Rows"), functions=[function], seconds=seconds
    )
    return cells.read(cells.headers().read(files[0]))


class Named(NamedTuple):
    rows: int
    text: str | None = None


@dataclass
class Data:
    rows: int


def test_its_cells_stand_where_its_entry_does(files: list[Path]) -> None:
    def size(header: Any) -> Any:
        return {"rows": header.Rows, "columns": str(header.get("Columns"))}

    found = read(files, size, rows="int", columns="text")
    assert found.row == ("CT", 16, "16", "16")
    assert found.errors == ()


@pytest.mark.parametrize("result", [{"rows": 3}, Named(3), Data(3)])
def test_the_result_may_be_any_mapping_and_lack_columns(files: list[Path], result: Any) -> None:
    def some(header: Any) -> Any:
        return result

    found = read(files, some, rows="int", text="text")
    assert found.row == ("CT", 3, None, "16")
    assert found.errors == ()


def test_none_is_an_instance_without_values(files: list[Path]) -> None:
    def nothing(header: Any) -> Any:
        return None

    assert read(files, nothing, a="int", b="text").row == ("CT", None, None, "16")


def test_one_value_is_the_cell_itself(files: list[Path]) -> None:
    def pair(header: Any) -> Any:
        return {"a": 1}

    assert read(files, pair, one="json").row == ("CT", {"a": 1}, "16")


def test_what_it_reads_is_read_in_advance_for_the_next_files(files: list[Path]) -> None:
    def dates(header: Any) -> Any:
        return header.get("StudyDate"), header.get("PatientBirthDate"), header.get("Laterality")

    cells = reader(of(dates, one="json"), functions=[dates])
    headers = cells.headers()
    first = headers.read(files[0])
    before = first.plan
    assert not {path.text for path in before.paths} & {"StudyDate", "Laterality"}
    cells.read(first)
    second = headers.read(files[1])
    cells.read(second)
    assert {"StudyDate", "PatientBirthDate", "Laterality"} <= {p.text for p in second.plan.paths}
    assert second.plan is headers.plan  # nothing was read again


def test_an_absent_attribute_is_none_and_a_misspelt_one_an_error(files: list[Path]) -> None:
    def misspelt(header: Any) -> Any:
        return {"a": header.get("Laterality"), "b": header.get("Lateralty")}

    found = read(files, misspelt, a="text", b="text")
    assert found.row == ("CT", None, None, "16")
    assert [error.column for error in found.errors] == ["a", "b"]
    assert {(e.stage, e.plugin) for e in found.errors} == {("callback", "misspelt")}
    assert found.errors[0].reason.startswith("ValueError at test_row_callbacks.py:")


class Panic(BaseException):
    pass


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError(NAME), "ValueError at test_row_callbacks.py:"),
        (Panic(NAME), "Panic at test_row_callbacks.py:"),
        (SystemExit(NAME), "tried to exit the program (SystemExit)"),
        (Skip(NAME), "raised Skip, which its kind cannot"),
        (Retry(NAME), "raised Retry, which its kind cannot"),
    ],
)
def test_an_exception_empties_its_cells_and_names_it_without_its_text(
    files: list[Path], error: BaseException, reason: str
) -> None:
    def failing(header: Any) -> Any:
        raise error

    found = read(files, failing, a="int", b="text")
    assert found.row == ("CT", None, None, "16")
    assert [error.column for error in found.errors] == ["a", "b"]
    assert found.errors[0].reason.startswith(reason)
    assert NAME not in str(found.errors)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"a": 1, NAME: 2, 3: 4}, "returned keys that are no columns: 2"),
        ([1, 2], "returned list, not a mapping"),
        (7, "returned int, not a mapping"),
    ],
)
def test_a_result_that_was_not_announced_is_an_error(
    files: list[Path], result: Any, reason: str
) -> None:
    def odd(header: Any) -> Any:
        return result

    found = read(files, odd, a="int", b="text")
    assert found.row == ("CT", None, None, "16")
    assert [(e.column, e.stage, e.reason, e.plugin) for e in found.errors] == [
        (column, "callback", reason, "odd") for column in ("a", "b")
    ]


def test_a_value_that_does_not_fit_empties_only_its_cell(files: list[Path]) -> None:
    def mixed(header: Any) -> Any:
        return {"a": "x", "b": object(), "c": 5, "d": 10**40}

    found = read(files, mixed, a="int", b="text", c="int", d="int")
    assert found.row == ("CT", None, None, 5, None, "16")
    assert [(e.column, e.stage, e.plugin) for e in found.errors] == [
        (column, "type", "mixed") for column in ("a", "b", "d")
    ]


def test_what_the_instance_cannot_be_read_for_is_not_its_fault(files: list[Path]) -> None:
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[: whole.index(b"\xe0\x7f\x10\x00") - 3])

    def late(header: Any) -> Any:
        return {"a": header.get("WindowCenter"), "b": header.get("PixelData")}

    found = read(files, late, a="text", b="text")
    assert found.row[1:3] == (None, None)
    late_errors = [e for e in found.errors if e.column in ("a", "b")]
    assert [(e.stage, e.plugin) for e in late_errors] == [("decode", ""), ("decode", "")]


def test_one_that_hangs_is_stopped_and_named(files: list[Path]) -> None:
    def hanging(header: Any) -> Any:
        time.sleep(60)

    found = read(files, hanging, seconds=0.2, a="int")
    assert found.row == ("CT", None, "16")
    assert [(e.reason, e.plugin) for e in found.errors] == [("took longer than 0.2 s", "hanging")]


def test_a_bundled_one_is_named_with_its_distribution(files: list[Path]) -> None:
    entry = RowColumns(
        use=Use("patient-age"),
        columns=(Column("years", "int"), Column("by")),
        keys=("patient_age", "patient_age_from"),
        where="",
    )
    cells = reader(entry)
    found = cells.read(cells.headers().read(files[0]))
    assert found.row == (50, "PatientAge")
