"""The converter ``command``: any program, without a shell (``convert``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Converter
from pacsfw_plugins._options import options

CODES = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}}
SCHEMA = options(
    {
        "argv": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string"},
            "examples": [["dcm2json", "{file}", "{out}/{name}.json"]],
            "description": "The program and its arguments, which no shell interprets."
            " Placeholders: {file}, {files} (one argument each), {folder} (with links to the"
            " files), {out} (the folder to write to), {name}, {study_uid}, {series_uid},"
            " {sop_uid}.",
        },
        "scope": {
            "enum": ["instance", "series", "study"],
            "default": "instance",
            "description": "Start the program once for each of these.",
        },
        "stdout": {
            "type": ["string", "null"],
            "minLength": 1,
            "default": None,
            "description": "The name of a file for the standard output of the program, with the"
            " same placeholders; without a name the output is discarded.",
        },
        "exit_codes": {**CODES, "default": [0], "description": "Exit codes that mean success."},
        "skip_codes": {
            **CODES,
            "default": [],
            "description": "Exit codes that mean that there is nothing to convert.",
        },
        "max_bytes": {
            "type": "integer",
            "minimum": 1,
            "default": 10_000_000_000,
            "description": "Limit in bytes of all files that the program writes.",
        },
        "media_type": {
            "type": ["string", "null"],
            "default": None,
            "description": "Media type of the files; guessed from their suffix if not given.",
        },
        "env": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "default": {},
            "writeOnly": True,
            "description": "Environment variables, in addition to PATH, HOME, LANG, LC_*, TZ and"
            " TMPDIR.",
        },
    },
    "argv",
)


@hookimpl
def pacsfw_converters() -> Iterable[Component[Converter]]:
    """Offer ``command``."""
    yield Component(
        name="command",
        factory=lazy("pacsfw_plugins.converters._command:Command"),
        schema=SCHEMA,
        summary="runs any program for each instance, series or study",
    )
