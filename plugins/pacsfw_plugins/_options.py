"""JSON Schemas that the options of several components share."""

from __future__ import annotations

from collections.abc import Mapping

from pacsfw.api import JSONSchema


def options(properties: Mapping[str, JSONSchema], *required: str) -> JSONSchema:
    """Return the schema of a component that accepts these options and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def path_option(description: str, *examples: str) -> JSONSchema:
    """Return the schema of a path."""
    schema = {"type": "string", "minLength": 1, "description": description}
    return {**schema, "examples": list(examples)} if examples else schema


def seconds_option(default: float, description: str) -> JSONSchema:
    """Return the schema of a timeout in seconds."""
    return {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": default,
        "description": description,
    }


def choice_option(description: str, default: str, *others: str) -> JSONSchema:
    """Return the schema of a choice between words."""
    return {"enum": [default, *others], "default": default, "description": description}


ROOT = choice_option(
    "The information model: Study Root or Patient Root. auto: Study Root, unless the PACS accepts"
    " Patient Root only.",
    "auto",
    "study",
    "patient",
)
LEVEL = choice_option(
    "The level at which retrieves begin: SERIES if the PACS fails at whole studies.",
    "STUDY",
    "SERIES",
    "IMAGE",
)
