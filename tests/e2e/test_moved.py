"""A collection is recognized by its content, wherever it is and by whatever path it is reached."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing

import pyarrow as pa
import pytest
from pyarrow import parquet

from pacsfw.cli import main
from support.documented import rows
from support.trees import TAGS, write_images, write_tags

CONFIG = """\
find: {{start_date: 20200101, end_date: 20201231, use: folder, with: {{path: {source}}}}}
move: {{use: folder, with: {{path: {source}}}}}
storage: {{resources: my/list.csv, directory: dicom}}
sinks:
  - {{use: jsonl, with: {{path: my/rows.jsonl}}}}
  - {{use: parquet, with: {{path: my/rows.parquet}}}}
  - {{use: sql, with: {{path: "sqlite:///my/rows.db"}}}}
"""


class Moving:
    """A collection of a folder of images, in a folder that can be moved."""

    def __init__(self, tmp_path):
        self.source = tmp_path / "scans"
        self.images = write_images(self.source, studies=2, instances=2)
        self.folder = tmp_path / "a"
        self.folder.mkdir()
        self.configure(lambda text: text)

    def configure(self, change):
        text = CONFIG.format(source=self.source) + TAGS
        write_tags(self.folder / "conf.yaml", change(text))

    def run(self, *command, at=None):
        return main([*(command or ("run",)), str((at or self.folder) / "conf.yaml")])

    def paths(self, at=None):
        """The paths in each table, and in each table of errors."""
        my = (at or self.folder) / "my"
        with closing(sqlite3.connect(my / "rows.db")) as connection:
            in_sql = connection.execute("SELECT dicom_path FROM instances").fetchall()
        return [
            sorted(found)
            for found in (
                [row["dicom_path"] for row in rows(my / "resources_meta.csv")],
                [
                    json.loads(line)["dicom_path"]
                    for line in (my / "rows.jsonl").read_text().splitlines()
                ],
                parquet.read_table(my / "rows.parquet").column("dicom_path").to_pylist(),
                [path for (path,) in in_sql],
            )
        ]


@pytest.fixture
def moving(tmp_path):
    made = Moving(tmp_path)
    assert made.run() == 0
    return made


def stored_below(folder):
    return sorted(
        str(path) for path in folder.rglob("*") if path.is_file() and ".pacsfw" not in path.parts
    )


def check(moving, folder):
    [found, *others] = moving.paths(folder)
    assert found == stored_below(folder / "dicom")
    assert len(found) == 4
    assert others == [found] * 3


def test_a_collection_that_was_moved_goes_on_and_its_paths_are_renewed(moving, tmp_path, capsys):
    b = tmp_path / "b"
    moving.folder.rename(b)
    capsys.readouterr()

    assert moving.run(at=b) == 0

    check(moving, b)
    assert capsys.readouterr().err == ""


def test_a_collection_is_the_same_through_a_link_and_back_again(moving, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(moving.folder)

    for folder in (link, moving.folder, link):
        assert moving.run(at=folder) == 0
        check(moving, folder)


def test_only_the_dataset_folder_moves_to_another_disk(moving, tmp_path):
    disk = tmp_path / "disk"
    shutil.move(moving.folder / "dicom", disk)
    moving.configure(lambda text: text.replace("directory: dicom", f"directory: {disk}"))

    assert moving.run() == 0

    [found, *others] = moving.paths()
    assert found == stored_below(disk)
    assert others == [found] * 3


def test_new_studies_come_into_the_tables_of_a_moved_collection(moving, tmp_path):
    b = tmp_path / "b"
    moving.folder.rename(b)
    for number, path in enumerate(write_images(tmp_path / "more", studies=3, instances=2)[4:]):
        path.rename(moving.source / f"new{number}.dcm")

    assert main(["find", str(b / "conf.yaml")]) == 0
    assert moving.run(at=b) == 0

    assert [len(found) for found in moving.paths(b)] == [6] * 4


def test_a_table_of_another_collection_is_still_refused(moving, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    text = (moving.folder / "conf.yaml").read_text()
    (other / "conf.yaml").write_text(text)
    (other / "my").mkdir()
    shutil.copy(moving.folder / "my" / "resources_meta.csv", other / "my")

    assert moving.run(at=other) == 2

    assert "holds rows that this collection did not write" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["resources_meta.csv", "rows.jsonl"])
def test_a_table_that_was_edited_without_a_change_of_its_length_is_refused(moving, name, capsys):
    table = moving.folder / "my" / name
    before = table.read_bytes()
    table.write_bytes(before.replace(b"SYN1-00000", b"SYN1-99999"))
    edited = table.read_bytes()

    assert moving.run() == 2

    assert f"{name}: holds other rows than this collection has written" in capsys.readouterr().err
    assert table.read_bytes() == edited

    table.unlink()
    assert moving.run() == 0
    assert sorted(table.read_bytes().splitlines()) == sorted(before.splitlines())


def test_another_time_of_a_table_is_no_edit(moving):
    table = moving.folder / "my" / "resources_meta.csv"
    content = table.read_bytes()
    table.unlink()
    table.write_bytes(content)

    assert moving.run() == 0
    assert table.read_bytes() == content


RELATIVE = "directory: dicom, dicom_path: relative"


def test_relative_paths_are_those_in_the_dataset_folder_and_stay_as_they_are(moving, tmp_path):
    moving.configure(lambda text: text.replace("directory: dicom", RELATIVE))
    assert moving.run() == 0
    [found, *others] = moving.paths()
    dicom = moving.folder / "dicom"
    assert [str(dicom / path) for path in found] == stored_below(dicom)
    assert others == [found] * 3

    before = {path: path.stat().st_ino for path in (moving.folder / "my").glob("*.csv")}
    b = tmp_path / "b"
    moving.folder.rename(b)
    assert moving.run(at=b) == 0

    assert moving.paths(b) == [found] * 4
    assert {b / "my" / path.name: inode for path, inode in before.items()} == {
        path: path.stat().st_ino for path in (b / "my").glob("*.csv")
    }

    (b / "conf.yaml").write_text(
        (b / "conf.yaml").read_text().replace(RELATIVE, "directory: dicom")
    )
    assert moving.run(at=b) == 0
    check(moving, b)


def test_relative_paths_of_errors_too(moving):
    (moving.source / "cut.dcm").write_bytes(moving.images[0].read_bytes()[:700])
    failing = "  - {tag_name: Modality, tag_alias: failing, type: int}\n"
    moving.configure(lambda text: text.replace("directory: dicom", RELATIVE) + failing)

    main(["parse", str(moving.folder / "conf.yaml")])

    files = {row["file"] for row in rows(moving.folder / "my" / "resources_meta_errors.csv")}
    dicom = moving.folder / "dicom"
    assert files
    assert {str(dicom / path) for path in files} <= set(stored_below(dicom))
    assert not any(path.startswith("/") for path in files)


@pytest.mark.parametrize("name", ["resources_meta.csv", "rows.jsonl", "resources_meta_columns.csv"])
def test_verify_compares_all_rows_of_a_table(moving, name, capsys):
    assert moving.run("verify", "--offline") == 0
    table = moving.folder / "my" / name
    old, new = (
        (b"PatientID,text", b"StudyDate,text") if "columns" in name else (b"-00000", b"-9999")
    )
    table.write_bytes(table.read_bytes().replace(old, new))
    capsys.readouterr()

    assert moving.run("verify", "--offline") == 1

    assert re.search(rf"edited table +{table}\n", capsys.readouterr().out.replace("\n     ", ""))


def test_verify_compares_the_rows_of_a_parquet_table(moving, capsys):
    [part] = (moving.folder / "my" / "rows.parquet").iterdir()
    content = parquet.read_table(part)
    column = content.schema.get_field_index("PatientID")
    other = pa.array(["somebody"] * content.num_rows)
    parquet.write_table(content.set_column(column, "PatientID", other), part)
    capsys.readouterr()

    assert moving.run("verify", "--offline") == 1

    assert "edited table" in capsys.readouterr().out


def test_verify_leaves_out_tables_that_are_due(moving):
    moving.configure(lambda text: text.replace("directory: dicom", RELATIVE))

    assert moving.run("verify", "--offline") == 0


CONVERT = """\
convert:
  - jsonmeta
  - {use: jsonmeta, id: other, directory: my/other}
"""


@pytest.mark.parametrize("only_directory", [False, True])
def test_converted_files_of_a_moved_collection_are_known(moving, tmp_path, only_directory, capsys):
    moving.configure(lambda text: text + CONVERT)
    assert moving.run() == 0
    before = sorted(path.name for path in tmp_path.rglob("*.json"))
    assert len(before) == 2 * 4
    b = tmp_path / "b"
    if only_directory:
        (moving.folder / "dicom").rename(b)
        moving.configure(lambda text: text.replace("directory: dicom", f"directory: {b}") + CONVERT)
        b = moving.folder
    else:
        moving.folder.rename(b)

    assert moving.run(at=b) == 0
    assert moving.run("verify", "--offline", at=b) == 0

    assert sorted(path.name for path in tmp_path.rglob("*.json")) == before
