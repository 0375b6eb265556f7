"""Collect DICOM data from a PACS and turn it into a research dataset."""

from typing import TYPE_CHECKING, Any

from pacsfw.api import Component, lazy
from pacsfw.hookspecs import hookimpl

if TYPE_CHECKING:
    from pacsfw.collection.collection import Collection
    from pacsfw.parse import (
        DicomTag,
        DicomTagGroup,
        ParseWarning,
        RowTag,
        get_tag_value,
        parse_dicom,
        parse_dicoms,
        parse_dir,
    )

__version__ = "0.1.0"

_OF_COLLECTION = "Collection"
"""Imported on first use, like `_OF_PARSE`."""
_OF_PARSE = (
    "DicomTag",
    "DicomTagGroup",
    "ParseWarning",
    "RowTag",
    "get_tag_value",
    "parse_dicom",
    "parse_dicoms",
    "parse_dir",
)
"""Names of `pacsfw.parse`, which imports pydicom and is therefore imported on first use."""

__all__ = [
    "Collection",
    "Component",
    "DicomTag",
    "DicomTagGroup",
    "ParseWarning",
    "RowTag",
    "__version__",
    "get_tag_value",
    "hookimpl",
    "lazy",
    "parse_dicom",
    "parse_dicoms",
    "parse_dir",
]


def __getattr__(name: str) -> Any:
    if name == _OF_COLLECTION:
        from pacsfw.collection.collection import Collection

        return Collection
    if name not in _OF_PARSE:
        raise AttributeError(f"module 'pacsfw' has no attribute {name!r}")
    from pacsfw import parse

    return getattr(parse, name)


def __dir__() -> list[str]:
    return [*globals(), _OF_COLLECTION, *_OF_PARSE]
