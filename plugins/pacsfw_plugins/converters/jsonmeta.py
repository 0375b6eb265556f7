"""The converter ``jsonmeta``: the attributes of each instance as JSON (``convert``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Converter
from pacsfw_plugins._options import options

SCHEMA = options(
    {
        "inline_bytes": {
            "type": "integer",
            "minimum": 0,
            "default": 1024,
            "description": "Omit binary values with more bytes. Pixel data is always omitted.",
        },
        "invalid": {
            "enum": ["fail", "omit"],
            "default": "fail",
            "description": "For a value that JSON cannot represent, such as an invalid number:"
            " fail the conversion of the instance, or omit the attribute.",
        },
        "indent": {
            "type": ["integer", "null"],
            "minimum": 0,
            "maximum": 8,
            "default": None,
            "description": "Spaces of indentation per level; without it everything is on one line.",
        },
    }
)


@hookimpl
def pacsfw_converters() -> Iterable[Component[Converter]]:
    """Offer ``jsonmeta``."""
    yield Component(
        name="jsonmeta",
        factory=lazy("pacsfw_plugins.converters._jsonmeta:JsonMeta"),
        schema=SCHEMA,
        summary="a JSON file for each instance (DICOM JSON Model, without bulk data)",
    )
