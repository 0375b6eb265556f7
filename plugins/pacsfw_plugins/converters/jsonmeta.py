"""The converter ``jsonmeta``: the attributes of each object as JSON (``convert``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Converter

SCHEMA = {
    "type": "object",
    "properties": {
        "inline_bytes": {
            "type": "integer",
            "minimum": 0,
            "default": 1024,
            "description": "Binary values of more bytes are left out, pixel data always.",
        },
        "invalid": {
            "enum": ["fail", "omit"],
            "default": "fail",
            "description": "What to do about a value that JSON cannot hold, such as a number"
            " that is none: fail the object, or leave out the attribute.",
        },
        "indent": {
            "type": ["integer", "null"],
            "minimum": 0,
            "maximum": 8,
            "default": None,
            "description": "Blanks per level, for people; everything on one line without it.",
        },
    },
    "additionalProperties": False,
}


@hookimpl
def pacsfw_converters() -> Iterable[Component[Converter]]:
    """Offer ``jsonmeta``."""
    yield Component(
        name="jsonmeta",
        factory=lazy("pacsfw_plugins.converters._jsonmeta:JsonMeta"),
        schema=SCHEMA,
        summary="a JSON file beside each object (DICOM JSON Model, without bulk data)",
    )
