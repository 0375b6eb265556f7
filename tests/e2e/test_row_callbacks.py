"""Row callbacks in a collection, in `pacsfw parse` and in Python: the same cells everywhere."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import pytest

from pacsfw import DicomTag, RowTag, parse_dicom, parse_dir
from pacsfw.errors import ConfigError
from pacsfw.testing import EmbeddedPACS, make_studies, write_studies

SIZES = """\
from typing import NamedTuple

from pacsfw import Component, hookimpl


class Sizes(NamedTuple):
    pixels: int
    label: str | None


class Sizing:
    def __init__(self, unit="px"):
        self.unit = unit

    def __call__(self, header) -> Sizes:
        if header.Modality == "MR":
            raise ValueError(str(header.PatientName))
        return Sizes(header.Rows * header.Columns, self.unit)


@hookimpl
def pacsfw_row_callbacks():
    options = {"unit": {"type": "string"}}
    schema = {"type": "object", "properties": options, "additionalProperties": False}
    yield Component(name="sizes", factory=Sizing, schema=schema, summary="sizes")
"""
TAGS = [
    {"tag_name": "SOPInstanceUID"},
    {"row_callback": {"use": "sizes", "with": {"unit": "dots"}}, "tag_alias": "my"},
    {"tag_name": "Modality"},
    {"row_callback": "patient-age"},
]


def read(path):
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def write(folder, text=SIZES):
    folder.mkdir(exist_ok=True)
    plugin = folder / "sizes.py"
    plugin.write_text(text, encoding="utf-8")
    plugin.chmod(0o600)
    return {"load": ["./sizes.py"]}


def pacsfw(folder, *words):
    command = [sys.executable, "-m", "pacsfw", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def studies():
    return make_studies(2, modalities=[["CT", "MR"]], instances=2)


@pytest.fixture
def pacs(studies, pacsfw_port):
    """A PACS that knows the collections of `pacsfw_run`."""
    with EmbeddedPACS(studies, destinations={"PACSFW": ("127.0.0.1", pacsfw_port)}) as running:
        yield running


def test_a_collection_has_its_columns_and_its_failures(pacsfw_run, pacs, studies, tmp_path):
    run = pacsfw_run(pacs, plugins=write(tmp_path / "collection"), tags=TAGS)

    assert run.code == 0, run.said
    columns = "SOPInstanceUID my_pixels my_label Modality patient_age patient_age_from dicom_path"
    assert list(run.rows[0]) == columns.split()
    cells = {(r["Modality"], r["my_pixels"], r["my_label"], r["patient_age"]) for r in run.rows}
    assert cells == {("CT", "256", "dots", "50.0"), ("MR", "", "", "50.0")}
    errors = read(run.folder / "resources_meta_errors.csv")
    assert len(errors) == 2 * sum(row["Modality"] == "MR" for row in run.rows)
    assert {(e["column"], e["stage"], e["reason"]) for e in errors} == {
        (column, "callback", "ValueError at sizes.py:17") for column in ("my_pixels", "my_label")
    }
    assert all(error["plugin"].startswith("'sizes' (from ") for error in errors)
    origins = {row["column"]: row for row in read(run.folder / "resources_meta_columns.csv")}
    assert origins["my_pixels"]["callback"] == "sizes"
    assert origins["my_pixels"]["type"] == "int"
    assert "sha256:" in origins["my_pixels"]["plugin"]
    assert origins["patient_age"]["callback"] == "patient-age"
    assert origins["patient_age"]["plugin"].startswith("pacsfw ")
    doctor = pacsfw(run.folder, "plugins", "doctor", "-f", "conf.json")
    assert "my_pixels" in doctor.stdout
    names = {str(dataset.PatientName) for study in studies for dataset in study.datasets()}
    assert names
    assert not any(name in run.said + doctor.stdout for name in names)


@pytest.mark.full
def test_an_edited_row_callback_is_read_again_and_the_same_one_is_not(pacsfw_run, pacs, tmp_path):
    sections = {"plugins": write(tmp_path / "collection"), "tags": TAGS}
    before = pacsfw_run(pacs, **sections).rows
    write(tmp_path / "collection", SIZES.replace("header.Rows * header.Columns", "header.Rows"))

    run = pacsfw_run(pacs, **sections)

    assert {row["my_pixels"] for row in run.rows} == {"16", ""}
    uids = [sorted(row["SOPInstanceUID"] for row in rows) for rows in (run.rows, before)]
    assert uids[0] == uids[1]
    written = (run.folder / "resources_meta.csv").stat().st_ino
    again = pacsfw_run(pacs, **sections)
    # Rewriting replaces the file.
    assert (again.folder / "resources_meta.csv").stat().st_ino == written


@pytest.mark.full
def test_other_options_are_read_again(pacsfw_run, pacs, tmp_path):
    plugins = write(tmp_path / "collection")
    pacsfw_run(pacs, plugins=plugins, tags=TAGS)
    other = json.loads(json.dumps(TAGS).replace("dots", "dashes"))

    run = pacsfw_run(pacs, plugins=plugins, tags=other)

    assert {row["my_label"] for row in run.rows} == {"dashes", ""}


@pytest.mark.full
def test_parse_gives_the_same_cells_in_any_number_of_processes(tmp_path, studies):
    files = tmp_path / "scans"
    write_studies(files, studies)
    conf = tmp_path / "tags.json"
    conf.write_text(json.dumps({"plugins": write(tmp_path), "tags": TAGS}), encoding="utf-8")
    conf.chmod(0o600)
    tables = []
    for workers in (1, 2):
        table = f"table{workers}.csv"
        done = pacsfw(tmp_path, "parse", "-i", files, "-f", conf, "-o", table, "--workers", workers)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "my_pixels: ValueError at sizes.py:17" in done.stdout
        tables.append(read(tmp_path / table))
    assert tables[0] == tables[1]
    assert {row["my_pixels"] for row in tables[0]} == {"256", ""}
    assert len(tables[0]) == sum(len(study.sop_uids) for study in studies)


def test_one_that_ends_its_process_costs_its_cells(tmp_path, studies):
    files = tmp_path / "scans"
    paths = write_studies(files, studies)
    text = SIZES.replace(
        "raise ValueError(str(header.PatientName))", "__import__('os').abort()"
    ).replace('header.Modality == "MR"', f'header.SOPInstanceUID == "{paths[1].stem}"')
    uid = parse_dicom(paths[1], "SOPInstanceUID")["SOPInstanceUID"]
    text = text.replace(f'"{paths[1].stem}"', f'"{uid}"')
    conf = tmp_path / "tags.json"
    conf.write_text(json.dumps({"plugins": write(tmp_path, text), "tags": TAGS}))
    conf.chmod(0o600)

    pacsfw(tmp_path, "parse", "-i", files, "-f", conf, "-o", "table.csv", "--workers", "1")

    rows = read(tmp_path / "table.csv")
    assert len(rows) == len(paths)
    lost = [row for row in rows if not row["my_pixels"]]
    assert [row["SOPInstanceUID"] for row in lost] == [uid]
    assert lost[0]["patient_age"] == "50.0"
    errors = read(tmp_path / "table_errors.csv")
    assert [error["column"] for error in errors] == ["my_pixels", "my_label"]
    assert all(error["plugin"].startswith("'sizes' (from ") for error in errors)
    assert all(error["stage"] == "callback" for error in errors)


def shape(header):
    return {"size": [header.Rows, header.Columns], "is_ct": header.get("Modality") == "CT"}


def area(header) -> int:
    return header.Rows * header.Columns


def test_functions_in_python(tmp_path, studies):
    paths = write_studies(tmp_path, studies)
    tags = [
        RowTag(shape, "s", columns={"size": "ints", "is_ct": "bool"}),
        DicomTag("Modality"),
        RowTag(area),
        {"row_callback": lambda header: header.get("Laterality"), "type": "text", "tag_alias": "l"},
        RowTag("is-localizer", "localizer"),
    ]
    rows = list(parse_dir(tmp_path, tags))
    assert len(rows) == len(paths)
    assert set(rows[0]) == {"s_size", "s_is_ct", "Modality", "area", "l", "localizer", "dicom_path"}
    assert {row["s_is_ct"] for row in rows} == {True, False}
    assert all(row["s_size"] == [16, 16] and row["area"] == 256 for row in rows)
    assert all(row["l"] is None and not row.errors for row in rows)
    alone = parse_dicom(paths[0], tags)
    assert dict(alone) == {k: v for k, v in rows[0].items() if k != "dicom_path"}


def test_functions_of_a_module_work_in_processes(tmp_path, studies):
    paths = write_studies(tmp_path, studies)
    rows = list(parse_dir(tmp_path, [RowTag(area), RowTag(area, "again")], workers=2))
    assert [(row["area"], row["again"]) for row in rows] == [(256, 256)] * len(paths)


def test_a_function_without_columns_is_refused_in_python():
    with pytest.raises(ConfigError, match=r"tags\[0\].row_callback: its columns are not known"):
        parse_dir(".", [RowTag(shape)])
