"""The bundled cohorts: what they read, and what they refuse without quoting a value."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from pacsfw.errors import ConfigError, RemoteError
from pacsfw.plugins import PluginPlan, discover
from pacsfw.steps.find.cohort import read


def build(name: str, **options: Any) -> Any:
    return discover(PluginPlan(installed=False)).build("cohort", name, options)


def workbook(path: Path, rows: list[list[Any]], title: str = "orders") -> Path:
    book = Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def keys(cohort: Any) -> list[dict[str, str]]:
    return [dict(member.keys) for member in read(cohort.rows())]


def test_a_sheet_has_dates_whole_numbers_and_texts(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "orders.xlsx",
        [
            [],
            ["AccessionNumber", "StudyDate", "_note", None],
            ["007", date(2020, 1, 2), 0.5 * 4, "beside"],
            [815.0, datetime(2020, 1, 3), "x", None],
            [None, None, None, None],
            [12, None, None, None],
        ],
    )
    assert keys(build("excel", path=str(path))) == [
        {"AccessionNumber": "007", "StudyDate": "20200102"},
        {"AccessionNumber": "815", "StudyDate": "20200103"},
        {"AccessionNumber": "12"},
    ]
    assert [member.where for member in read(build("excel", path=str(path)).rows())] == [
        *("orders.xlsx:3", "orders.xlsx:4", "orders.xlsx:6"),
    ]


def test_a_sheet_is_chosen_by_name(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", [["PatientID"], ["1"]], "Müller")
    assert keys(build("excel", path=str(path), sheet="Müller")) == [{"PatientID": "1"}]
    with pytest.raises(ConfigError, match="has no sheet 'x'; it has 'Müller'"):
        list(build("excel", path=str(path), sheet="x").rows())


def test_what_is_no_value_of_a_cohort_is_named_with_its_row(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        [["PatientID", "StudyDate"], [1.5, None], ["1", datetime(2020, 1, 2, 3)], [True, None]],
    )
    with pytest.raises(ConfigError) as caught:
        read(build("excel", path=str(path)).rows())
    assert list(caught.value.problems) == [
        "a.xlsx:2: PatientID is a float, neither a text nor a whole number",
        "a.xlsx:3: StudyDate is a date with a time; give only the date",
        "a.xlsx:4: PatientID is a bool, neither a text nor a whole number",
    ]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 Doe^John", b"Doe^John\n"])
def test_what_is_no_workbook_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"a\.xlsx: is not a readable workbook") as caught:
        list(build("excel", path=str(path)).rows())
    assert "Doe" not in str(caught.value)


@pytest.fixture
def ris(tmp_path: Path) -> str:
    path = tmp_path / "ris.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE orders (number, patient, day, project)")
        rows = [("007", "P1", "20200102", "a"), ("0815", None, None, "b"), (12, "P3", None, "a")]
        database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", rows)
    database.close()
    return f"sqlite:///{path}"


QUERY = (
    "SELECT number AS AccessionNumber, patient AS PatientID, day AS StudyDate, project AS _p "
    "FROM orders WHERE project IN (:project, 'b') ORDER BY number"
)


def test_a_database_gives_the_rows_of_a_query(ris: str) -> None:
    cohort = build("sql", url=ris, query=QUERY, parameters={"project": "a"})
    assert keys(cohort) == [
        {"AccessionNumber": "12", "PatientID": "P3"},
        {"AccessionNumber": "007", "PatientID": "P1", "StudyDate": "20200102"},
        {"AccessionNumber": "0815"},
    ]
    cohort.close()


def test_a_query_changes_nothing(ris: str) -> None:
    gone = "DELETE FROM orders RETURNING number AS AccessionNumber"
    deleting = build("sql", url=ris, query=gone)
    assert len(keys(deleting)) == 3
    deleting.close()
    assert len(keys(build("sql", url=ris, query=QUERY, parameters={"project": "a"}))) == 3


def test_a_wrong_query_is_told_without_values(ris: str) -> None:
    for query in ("SELEC 'Doe^John'", "SELECT x FROM orders WHERE patient = 'Doe^John'", QUERY):
        with pytest.raises(ConfigError, match="the query fails") as caught:
            list(build("sql", url=ris, query=query).rows())
        assert "Doe" not in str(caught.value)


def test_a_database_that_is_away_is_a_remote_error_without_the_password() -> None:
    pytest.importorskip("psycopg")
    url = "postgresql+psycopg://me:sesame@127.0.0.1:9/ris"
    with pytest.raises(RemoteError, match=r"127\.0\.0\.1:9/ris: OperationalError") as caught:
        list(build("sql", url=url, query="SELECT 1 AS PatientID").rows())
    assert "sesame" not in str(caught.value)


def test_a_url_that_names_no_driver_is_refused_early() -> None:
    for url in ("no url of Doe^John", "unheard://me:sesame@host/db"):
        with pytest.raises(ConfigError, match="the URL of a database cannot be used") as caught:
            build("sql", url=url, query="SELECT 1")
        assert "sesame" not in str(caught.value)
        assert "Doe" not in str(caught.value)


def test_values_of_databases_become_values_of_dicom() -> None:
    from pacsfw_plugins.cohorts._values import plain

    values = (Decimal("7"), time(1, 2, 3), date(2020, 2, 29), "007", 7, None)
    assert [plain(value) for value in values] == [7, "010203", "20200229", "007", 7, None]
