"""The documented configuration loads unchanged, as YAML and as JSON."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pacsfw.api import Node
from pacsfw.config import Use, shown
from pacsfw.plugins import PluginPlan

if TYPE_CHECKING:
    from conftest import Desk


def as_json(text: str) -> str:
    """Return the documented configuration as JSON: the same tree, times as texts."""
    return json.dumps(yaml.load(text, yaml.BaseLoader) | {"$schema": "x"}).replace(
        '"11112"', "11112"
    )


def test_every_section_has_its_values(desk: Desk) -> None:
    config = desk.load(desk.documented).config
    assert config.net is not None
    assert config.net.local == Node(aetitle="mytitle", port=11112)
    assert config.net.called == Node(aetitle="theirtitle", ip="127.0.0.1", port=11112)
    assert config.net.dest == config.net.local
    assert config.find is not None
    assert (config.find.start, config.find.end) == (date(2020, 1, 1), date(2020, 12, 12))
    assert config.find.search_fields == ("StudyInstanceUID", "PatientID")
    assert (config.find.modality, config.find.level) == ("CT", "STUDY")
    assert config.move is not None
    assert (config.move.window.start, config.move.window.end) == (time(20), time(8))
    assert (config.move.workers, config.move.receivers, config.move.attempts) == (2, 1, 3)
    assert [use.name for use in (config.find.use, config.move.use)] == ["cfind", "cmove"]


def test_paths_start_from_the_folder_of_the_file(desk: Desk) -> None:
    storage = desk.load(desk.documented).config.storage
    assert storage is not None
    assert storage.resources == str(desk.folder / "my/resources.csv")
    assert storage.resources_meta == str(desk.folder / "my/resources_meta.csv")
    assert storage.directory == desk.folder / "my/dicom/dir"
    assert storage.state == desk.folder / "my/dicom/dir/.pacsfw"
    assert storage.sort_by.name == "PATIENT"


def test_paths_in_tables_are_absolute_or_relative(desk: Desk) -> None:
    storage = desk.load(desk.documented).config.storage
    assert storage is not None
    assert not storage.relative_paths
    text = desk.documented.replace("sort_by: PATIENT", "sort_by: PATIENT\n    dicom_path: relative")
    storage = desk.load(text).config.storage
    assert storage is not None
    assert storage.relative_paths


def test_tags_keep_their_order_names_and_defaults(desk: Desk) -> None:
    tags = desk.load(desk.documented).config.tags
    assert [tag.alias for tag in tags] == [
        "PatientName",
        "study_date",
        "Laterality",
        "StudyInstanceUID",
        "SOPInstanceUID",
    ]
    assert [tag.default for tag in tags] == [None, None, "U", None, None]
    assert tags[1].names == ("StudyDate",)
    assert [use.name for use in tags[1].callbacks] == ["pacsanini.convert:str2datetime"]
    assert tags[3].callbacks == ()
    assert tags[0].where == "conf.yaml:26:7: tags[0]"
    assert tags[0].callbacks[0].where == "conf.yaml:27:17: tags[0].callback"


def test_json_gives_the_same_configuration_as_yaml(desk: Desk) -> None:
    from_yaml = desk.load(desk.documented).config
    from_json = desk.load(as_json(desk.documented), "conf.json").config

    def bare(use: Use) -> Use:
        return replace(use, where="")

    assert from_json.net == from_yaml.net
    assert from_json.find is not None
    assert from_yaml.find is not None
    assert replace(from_json.find, use=bare(from_json.find.use)) == replace(
        from_yaml.find, use=bare(from_yaml.find.use)
    )
    assert {**from_json.raw, "$schema": ""} == {**from_yaml.raw, "$schema": ""}


def test_the_only_warning_is_about_the_shared_port(desk: Desk) -> None:
    assert desk.load(desk.documented).config.warnings == (
        (
            "conf.yaml:8:15: net.local_node.port: 127.0.0.1:11112 is the address of called_node; "
            "we cannot listen there as well, so nothing will arrive"
        ),
    )


def test_what_is_shown_loads_as_the_same_configuration(desk: Desk) -> None:
    config = desk.load(desk.documented).config
    again = desk.load(shown(config)).config
    assert again.raw == config.raw


def test_a_configuration_can_be_pickled(desk: Desk) -> None:
    config = desk.load(desk.documented + "plugins: {disable: [x]}\n").config
    assert pickle.loads(pickle.dumps(config)) == config


def test_an_empty_chain_of_callbacks_is_none(desk: Desk) -> None:
    assert desk.load("tags: [{tag_name: PatientID, callback: []}]\n").config.tags[0].callbacks == ()


def test_any_section_may_be_left_out(desk: Desk) -> None:
    config = desk.load("tags: []\n").config
    assert (config.net, config.find, config.move, config.storage) == (None, None, None, None)


def test_a_command_says_which_sections_it_needs(desk: Desk) -> None:
    config = desk.load("net: {local_node: {aetitle: ME}}\n").config
    config.require("net", "net.local_node")
    with pytest.raises(Exception, match="find is missing") as caught:
        config.require("net.called_node", "find", "net.dest_node.port", "tags")
    path = desk.folder / "conf.yaml"
    assert str(caught.value).splitlines() == [
        f"{path}: net.called_node is missing; this command requires it",
        f"{path}: find is missing; this command requires it",
        f"{path}: net.dest_node.port is missing; this command requires it",
        f"{path}: tags is missing; this command requires it",
    ]


def test_extension_keys_are_understood(desk: Desk) -> None:
    config = desk.load(
        """\
net:
  local_node: {aetitle: " ME ", port: 104, bind: 127.0.0.2}
  called_node: {aetitle: PACS, ip: pacs.example, port: 104, charset: ISO_IR 192,
                max_associations: 4}
  dest_node: {aetitle: OTHER, ip: 10.0.0.1, port: 105}
find: {start_date: 20200101, modality: MR, query_level: patient, undated: false, use: house/cfind}
move: {timezone: Europe/Zurich, days: [mon, sun], start_time: 7, end_time: "12:30:15",
       use: cmove, with: {speed: 3}, workers: 4, receivers: 2, attempts: 9,
       recheck_after: 7d}
storage:
  resources: sqlite:///rows.db
  resources_meta: /data/meta.csv
  directory: ~/dicom
  state: state
  sort_by: "{PatientID}/{SOPInstanceUID}.dcm"
tags:
  - tag_name: [StudyDate, SeriesDate]
    type: text
    callback: [int, {use: str}]
sinks:
  - {use: csv, with: {path: rows.csv}, id: rows, on_error: fail}
observers: [bell]
lamp: {watt: 40}
"""
    ).config
    assert config.net is not None
    assert config.net.called is not None
    assert config.net.local.aetitle == "ME"
    assert (config.net.called.charset, config.net.called.max_associations) == ("ISO_IR 192", 4)
    assert config.net.dest == Node(aetitle="OTHER", ip="10.0.0.1", port=105)
    assert config.find is not None
    assert (config.find.start, config.find.end) == (date(2020, 1, 1), date(2020, 1, 1))
    assert config.move is not None
    assert config.move.recheck_after == timedelta(days=7)
    assert config.find.level == "PATIENT"
    assert config.move is not None
    assert config.move.window.days == frozenset({0, 6})
    assert config.move.window.end == time(12, 30, 15)
    assert config.move.use.options == {"speed": 3}
    assert config.storage is not None
    assert config.storage.resources == f"sqlite:///{desk.folder}/rows.db"
    assert config.storage.directory == desk.folder / "home/dicom"
    assert config.storage.sort_by.options == {"pattern": "{PatientID}/{SOPInstanceUID}.dcm"}
    assert config.tags[0].names == ("StudyDate", "SeriesDate")
    assert [use.name for use in config.tags[0].callbacks] == ["int", "str"]
    assert config.sinks == (
        Use("csv", {"path": str(desk.folder / "rows.csv")}, "rows", config.sinks[0].where),
    )
    assert config.observers[0].name == "bell"
    assert config.sections == {"lamp": {"watt": 40}}


def test_the_file_in_the_home_folder_starts_from_the_working_directory(desk: Desk) -> None:
    from pacsfw.config import load

    desk.write(desk.documented, "home/pacsaninirc.yaml")
    config = load(None, desk.registry_for, env={}, cwd=desk.folder, home=desk.folder / "home")
    assert config.config.base == desk.folder


def seen(plans: list[PluginPlan], desk: Desk) -> Any:
    def registry_for(plan: PluginPlan) -> Any:
        plans.append(plan)
        return desk.registry_for(plan)

    return registry_for


def test_plugins_are_planned_before_anything_else_is_understood(desk: Desk) -> None:
    plans: list[PluginPlan] = []
    desk.write("", "my_layout.py")
    desk.load(
        "plugins: {load: ['./${NAME}.py'], disable: [old]}\n",
        registry_for=seen(plans, desk),
        env={"NAME": "my_layout"},
    )
    assert plans == [PluginPlan((Path(desk.folder / "my_layout.py"),), ("old",))]


def test_disabling_what_does_not_exist_is_worth_a_warning(desk: Desk) -> None:
    config = desk.load("plugins: {disable: [old]}\n").config
    assert config.warnings == ("conf.yaml:1:21: plugins.disable[0]: no plugin is named 'old'",)
