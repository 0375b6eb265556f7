"""The composed schema for editors agrees with what the loader accepts and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

import pacsfw
from pacsfw.api import Component
from pacsfw.config import schema, yaml_text
from pacsfw.config.schemas import frame
from pacsfw.plugins import PluginPlan
from pacsfw.plugins.records import Offer
from pacsfw.plugins.registry import Registry

if TYPE_CHECKING:
    from conftest import Desk


def accepted(desk: Desk, text: str) -> bool:
    composed = schema(desk.registry_for(PluginPlan()))
    return Draft202012Validator(composed).is_valid(yaml_text.read(text, "c").tree)


def test_the_frame_is_a_valid_schema() -> None:
    Draft202012Validator.check_schema(frame())


def test_the_composed_schema_is_valid_and_is_json(desk: Desk) -> None:
    composed = schema(desk.registry_for(PluginPlan()))
    Draft202012Validator.check_schema(composed)
    assert json.loads(json.dumps(composed)) == composed


def test_a_registry_without_plugins_composes_as_well() -> None:
    Draft202012Validator.check_schema(schema(Registry([])))


def test_every_key_that_a_user_may_write_is_described() -> None:
    def undescribed(part: Any, path: str) -> list[str]:
        found = []
        for key, inner in part.get("properties", {}).items():
            if not inner.get("description") and "$ref" not in inner:
                found.append(f"{path}.{key}")
            found += undescribed(inner, f"{path}.{key}")
        return found

    assert undescribed(frame(), "") == []


def test_the_documented_configuration_is_accepted(desk: Desk) -> None:
    text = desk.documented.replace("pacsanini.convert:str2datetime", "pacsfw.convert:x")
    assert accepted(desk, text)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("sinks: [{use: csv, with: {path: x}}]", True),
        ("sinks: [{use: csv, with: {pth: x}}]", False),
        ("sinks: [{use: nothing}]", False),
        ("sinks: [{use: house/csv, with: {path: x}}]", True),
        ("observers: [bell]", True),
        ("observers: [horn]", False),
        ("move: {use: auto}", True),
        ("move: {use: car}", False),
        ("move: {with: {speed: 3}}", True),
        ("move: {with: {sped: 3}}", False),
        ("move: {use: cmove, with: {speed: fast}}", False),
        ("storage: {resources: a, directory: b, sort_by: PATIENT}", True),
        ("storage: {resources: a, directory: b, sort_by: patient}", False),
        ("storage: {resources: a, directory: b, sort_by: '{PatientID}'}", True),
        ("tags: [{tag_name: A, callback: [int, {use: str}, 'a.b:c']}]", True),
        ("tags: [{tag_name: A, callback: [itn]}]", False),
        ("tags: [{row_callback: age}, {row_callback: 'a.b:c', columns: {a: int}}]", True),
        ("tags: [{row_callback: aeg}]", False),
        ("tags: [{row_callback: age, tag_name: Rows}]", False),
        ("tags: [{row_callback: {use: age, with: {x: 1}}}]", False),
        ("tags: [{tag_name: Rows, columns: {a: int}}]", False),
        ("tags: [{columns: {a: int}}]", False),
        ("lamp: {watt: 40}", True),
        ("lamp: {watt: bright}", False),
        ("convert: [oven, {use: oven, id: two, workers: 2}]", True),
        ("convert: [{use: oven, workers: 0}]", False),
    ],
)
def test_options_and_names_of_components_are_part_of_it(desk: Desk, text: str, good: bool) -> None:
    assert accepted(desk, text) == good


def test_references_inside_a_plugin_schema_stay_inside_it() -> None:
    options = {
        "type": "object",
        "properties": {"n": {"$ref": "#/$defs/small"}},
        "$defs": {"small": {"maximum": 3}},
    }
    offer = Offer("observer", Component(name="o p", factory=str, schema=options), "p", "d", "1")
    validator = Draft202012Validator(schema(Registry([offer])))
    assert validator.is_valid({"observers": [{"use": "o p", "with": {"n": 3}}]})
    assert not validator.is_valid({"observers": [{"use": "o p", "with": {"n": 4}}]})


def test_a_broken_schema_of_a_plugin_costs_that_plugin_only() -> None:
    offer = Offer("observer", Component(name="o", factory=str, schema={"type": 5}), "p", "d", "1")
    validator = Draft202012Validator(schema(Registry([offer])))
    assert validator.is_valid({"observers": [{"use": "o", "with": {"n": 3}}]})


def test_the_schema_folder_holds_no_python() -> None:
    folder = Path(pacsfw.__file__).parents[2] / "schemas"
    assert list(folder.rglob("*.py")) == []
