"""Legal storage that will hardly work is worth a warning, and nothing is created for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pacsfw.cli import main

if TYPE_CHECKING:
    from conftest import Desk

STORED = "storage: {{resources: {}, directory: {}, sort_by: {}}}\n"
SAME = "instances may get the same path: only a file name with {SOPInstanceUID} is unique"
WHY = "not writable"


def warnings(
    desk: Desk, resources: str = "a.csv", directory: str = "d", sort_by: str = "PATIENT"
) -> list[str]:
    config = desk.load(STORED.format(resources, directory, sort_by)).config
    return [warning.removeprefix("conf.yaml:") for warning in config.warnings]


@pytest.mark.parametrize(
    "sort_by",
    [
        "'{SOPInstanceUID}/{PatientID}.dcm'",
        "'{{SOPInstanceUID}}-{StudyDate}'",
        "{use: template, with: {pattern: '{StudyInstanceUID}.dcm'}}",
        "{use: house/template, with: {pattern: image.dcm}}",
    ],
)
def test_a_template_whose_file_names_may_repeat_is_worth_a_warning(
    desk: Desk, sort_by: str
) -> None:
    assert warnings(desk, sort_by=sort_by) == [f"1:52: storage.sort_by: {SAME}"]


@pytest.mark.parametrize(
    "sort_by",
    [
        "PATIENT",
        "'{PatientID}/{SOPInstanceUID}.dcm'",
        "'{{{SOPInstanceUID}}}'",
        "{use: template, with: {pattern: 'x-{SOPInstanceUID}'}}",
    ],
)
def test_a_unique_file_name_is_not(desk: Desk, sort_by: str) -> None:
    assert warnings(desk, sort_by=sort_by) == []


def test_folders_that_can_be_created_are_not_and_are_left_to_the_run(desk: Desk) -> None:
    assert warnings(desk, resources="x/y/a.csv", directory="x/d") == []
    assert warnings(desk, resources="sqlite:///a.db, resources_meta: b.csv") == []
    assert not (desk.folder / "x").exists()


def test_a_file_in_the_way_of_a_folder_is_worth_a_warning(desk: Desk) -> None:
    desk.write("", "file")
    desk.write("", "other")
    assert warnings(desk, resources="other/a.csv", directory="file/in/it") == [
        f"1:46: storage.directory: {WHY}: {desk.folder}/file is not a folder",
        f"1:22: storage.resources: {WHY}: {desk.folder}/other is not a folder",
    ]


def test_so_is_a_link_to_nowhere(desk: Desk) -> None:
    (desk.folder / "link").symlink_to("gone")
    (line,) = warnings(desk, directory="link/d")
    assert line.endswith("link is not a folder")


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="permissions of POSIX, which root ignores"
)
def test_so_is_a_folder_that_we_may_not_change(desk: Desk) -> None:
    (desk.folder / "closed").mkdir(mode=0o500)
    (line,) = warnings(desk, directory="closed/d")
    assert line.endswith("closed")


def test_a_secret_folder_is_not_shown(desk: Desk) -> None:
    desk.write("sesame", "sesame")
    (line,) = warnings(desk, directory="'${file:sesame}'")
    assert line.endswith("/*** is not a folder")


def test_config_check_prints_them(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.write(STORED.format("a.csv", "d", "'{StudyInstanceUID}.dcm'"))
    assert main(["config", "check", "conf.yaml"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "conf.yaml: ok",
        f"warning: conf.yaml:1:52: storage.sort_by: {SAME}",
    ]
