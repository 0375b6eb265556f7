"""Identifiers of C-FIND, C-MOVE and C-GET requests (PS3.4 section C.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from pydicom import config
from pydicom.charset import encode_string
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ImplicitVRLittleEndian

from pacsfw.api import Level
from pacsfw.dicom import charset as charsets
from pacsfw.dicom.vr import NUMBERS
from pacsfw.errors import ConfigError

Root: TypeAlias = Literal["STUDY", "PATIENT"]
"""The Query/Retrieve Information Models, by their top level (PS3.4 C.6)."""

PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
PATIENT_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_ROOT_GET = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"

UNIQUE_KEYS: Mapping[str, tuple[str, ...]] = {
    "STUDY": ("StudyInstanceUID",),
    "SERIES": ("StudyInstanceUID", "SeriesInstanceUID"),
    "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
}
"""The unique keys of the Study Root model, from the top to the level (PS3.4 C.6.2.1)."""

DEFAULT_CHARSET = "ISO_IR 192"


def unique_keys(level: Level, root: Root) -> tuple[str, ...]:
    """Return the unique keys from the top of the model to the level (PS3.4 C.6.1.1, C.6.2.1).

    Raises
    ------
    ValueError
        The model does not have this level.
    """
    if root == "PATIENT":
        return ("PatientID", *UNIQUE_KEYS.get(level, ()))
    if level not in UNIQUE_KEYS:
        raise ValueError(f"the Study Root model has no level {level}")
    return UNIQUE_KEYS[level]


def build(
    level: Level,
    match: Mapping[str, str],
    returns: Iterable[str] = (),
    charset: str = "",
    root: Root = "STUDY",
) -> Dataset:
    r"""Build the identifier of a request.

    Parameters
    ----------
    level
        A level of the model.
    match
        Keyword to matching value (PS3.4 C.2.2.2); must contain the unique keys above the
        level.
    returns
        Additional keywords, sent empty. The unique keys of the level are always added.
    charset
        Specific Character Set for values that are not ASCII; several are joined by ``\``.
        Empty: UTF-8.
    root
        The information model. In the Patient Root, PatientID is a unique key above every
        other level.

    Raises
    ------
    ValueError
        A keyword is unknown, the model does not have the level, or a unique key above it
        is missing.
    ConfigError
        The character set cannot express a value.
    """
    *above, own = unique_keys(level, root)
    for key in above:
        if not match.get(key):
            raise ValueError(f"a query at level {level} needs a value for {key}")
    identifier = Dataset()
    if not all(value.isascii() for value in match.values()):
        declared = charset or DEFAULT_CHARSET
        _check_expressible(match.values(), declared)
        identifier.SpecificCharacterSet = declared.split("\\")
    keys = {own: "", **dict.fromkeys(returns, ""), **match}
    identifier.add(_element("QueryRetrieveLevel", level))
    for keyword, value in keys.items():
        identifier.add(_element(keyword, value))
    return identifier


def _element(keyword: str, value: str) -> DataElement:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword!r} is not a DICOM keyword")
    vr = dictionary_VR(tag)
    content: object = [] if vr == "SQ" else value or None
    if value and vr in NUMBERS:
        content = [int(part) for part in value.split("\\")]
    # Ranges and wildcards are valid keys, but not valid values.
    return DataElement(tag, vr, content, validation_mode=config.IGNORE)


def _check_expressible(values: Iterable[str], declared: str) -> None:
    encodings = charsets.encodings(declared)
    for value in values:
        if charsets.decode(encode_string(value, encodings), encodings) != value:
            raise ConfigError(
                f"net.called_node.charset: {declared} cannot encode a value of the query"
            )


def encode(identifier: Dataset, transfer_syntax: str) -> bytes:
    """Encode an identifier in the transfer syntax of its presentation context."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = transfer_syntax == ImplicitVRLittleEndian
    buffer.is_little_endian = True
    write_dataset(buffer, identifier)
    return buffer.getvalue()
