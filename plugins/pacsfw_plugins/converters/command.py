"""The converter ``command``: any program, without a shell (``convert``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Converter

CODES = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}}
SCHEMA = {
    "type": "object",
    "properties": {
        "argv": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string"},
            "examples": [["dcm2json", "{file}", "{out}/{name}.json"]],
            "description": "The program and its arguments, each as it is: there is no shell."
            " Filled in are {file}, {files} (one argument each), {folder} (with links to the"
            " files), {out} (where to write), {name}, {study_uid}, {series_uid}, {sop_uid}.",
        },
        "scope": {
            "enum": ["instance", "series", "study"],
            "default": "instance",
            "description": "What the program is started for.",
        },
        "stdout": {
            "type": ["string", "null"],
            "minLength": 1,
            "default": None,
            "description": "Write what the program prints into a file of this name, in which"
            " the same is filled in; without it that is thrown away.",
        },
        "exit_codes": {**CODES, "default": [0], "description": "Those that mean success."},
        "skip_codes": {
            **CODES,
            "default": [],
            "description": "Those that mean: nothing to convert here.",
        },
        "max_bytes": {
            "type": "integer",
            "minimum": 1,
            "default": 10_000_000_000,
            "description": "How much it may write in all.",
        },
        "media_type": {
            "type": ["string", "null"],
            "default": None,
            "description": "Of what it writes; guessed by the suffix without it.",
        },
        "env": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "default": {},
            "writeOnly": True,
            "description": "Variables for it; of ours it sees only PATH, HOME, LANG, LC_*, TZ"
            " and TMPDIR.",
        },
    },
    "required": ["argv"],
    "additionalProperties": False,
}


@hookimpl
def pacsfw_converters() -> Iterable[Component[Converter]]:
    """Offer ``command``."""
    yield Component(
        name="command",
        factory=lazy("pacsfw_plugins.converters._command:Command"),
        schema=SCHEMA,
        summary="what any other program makes of an object, a series or a study",
    )
