"""The schema of the configuration: the frame, and the frame with every plugin."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jsonschema import Draft202012Validator

from pacsfw.plugins import BUNDLED
from pacsfw.plugins.registry import Registry

AUTO = "auto"
"""The ``move.use`` that chooses a transfer by what the PACS offers."""

_POSITIONS = {
    "query": ("properties", "find"),
    "cohort": ("$defs", "cohort"),
    "transfer": ("properties", "move"),
    "layout": ("$defs", "layout"),
    "callback": ("$defs", "callback"),
    "row-callback": ("$defs", "row_callback"),
    "converter": ("$defs", "converter"),
    "sink": ("$defs", "sink"),
    "observer": ("$defs", "observer"),
}
"""Kind of component -> the part of the frame in which ``use`` and ``with`` select one."""


def frame() -> dict[str, Any]:
    """Return the schema of pacsfw's own sections (JSON Schema 2020-12)."""
    return copy.deepcopy(_read("conf.schema.json"))


def profile() -> dict[str, Any]:
    """Return the schema of a PACS profile."""
    return copy.deepcopy(_read("profile.schema.json"))


@cache
def _read(name: str) -> dict[str, Any]:
    folder: Traversable = files("pacsfw") / "schemas"
    if not folder.is_dir():  # a checkout; the wheel contains them in the package
        folder = Path(__file__).parents[3] / "schemas"
    loaded: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
    return loaded


def with_sections(registry: Registry) -> dict[str, Any]:
    """Return the frame, with any content allowed in the sections of plugins."""
    schema = frame()
    for key in claimed(schema, registry):
        schema["properties"][key] = {}
    return schema


def claimed(schema: Mapping[str, Any], registry: Registry) -> list[str]:
    """Return the top-level keys of plugins; they cannot replace those of the frame."""
    own = schema["properties"]
    return [
        key
        for key in registry.sections
        if key not in own or own[key].get("$ref") == "#/$defs/unavailable"
    ]


def fill_defaults(schema: Mapping[str, Any], tree: dict[str, Any]) -> None:
    """Add the defaults of the schema to the sections that are present."""
    _fill(schema, tree, schema.get("$defs", {}))


def _fill(schema: Mapping[str, Any], tree: dict[str, Any], shared: Mapping[str, Any]) -> None:
    for key, named in schema.get("properties", {}).items():
        # Keys next to a `$ref` take precedence over its target.
        inner = {**shared.get(named.get("$ref", "").removeprefix("#/$defs/"), {}), **named}
        if isinstance(tree.get(key), dict):
            _fill(inner, tree[key], shared)
        elif key not in tree and "default" in inner:
            tree[key] = copy.deepcopy(inner["default"])


def schema(registry: Registry) -> dict[str, Any]:
    """Compose one schema for editors, with the names and options of every component."""
    composed = frame()
    for key in claimed(composed, registry):
        section = registry.sections[key].section
        composed["properties"][key] = {
            "description": section.summary,
            **_embedded("section", key, section.schema),
        }
    for kind, (group, name) in _POSITIONS.items():
        _offer(composed[group][name], kind, registry)
    return composed


def _offer(part: dict[str, Any], kind: str, registry: Registry) -> None:
    """Add the components of a kind to the part of the schema that selects one."""
    # A plain name that pacsfw itself offers means the bundled component: it comes last.
    bundled_last = sorted(registry.offers(kind), key=lambda offer: offer.distribution == BUNDLED)
    offers = {offer.component.name: offer for offer in bundled_last}
    known = sorted({*offers, *({AUTO} if kind == "transfer" else ())})
    names: list[dict[str, Any]] = [{"enum": known}] if known else []
    names.append({"description": "module:attribute or distribution/name", "pattern": "[:/]"})
    named = {
        "description": part["properties"]["use"].get("description", ""),
        "type": "string",
        "anyOf": names,
    }
    if "default" in part["properties"]["use"]:
        named["default"] = part["properties"]["use"]["default"]
    part["properties"]["use"] = named
    rules = [
        {
            "if": {"type": "object", "properties": {"use": {"const": name}}, **_must(part, name)},
            "then": {
                "properties": {"with": _embedded(kind, name, offer.component.schema)},
            },
        }
        for name, offer in sorted(offers.items())
    ]
    if rules:  # an empty allOf is not a schema
        part["allOf"] = rules
    if "string" in part["type"]:
        others = {
            "layout": [{"description": "a template", "pattern": "[{]"}],
            "cohort": [{"description": "a file", "type": "string"}],
        }
        part["anyOf"] = [{"type": "object"}, *names, *others.get(kind, [])]


def _must(part: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a rule that also applies without ``use`` if it is about the default."""
    default = part["properties"]["use"].get("default")
    return {} if name == default else {"required": ["use"]}


def _embedded(kind: str, name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plugin's schema under its own id, so that its ``#/...`` references work."""
    if not Draft202012Validator(Draft202012Validator.META_SCHEMA).is_valid(schema):
        return {"description": f"The schema of {kind} {name!r} is broken."}
    return {"$id": f"urn:pacsfw:{kind}:{quote(name)}", **schema}
