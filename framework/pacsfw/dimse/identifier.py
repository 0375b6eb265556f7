"""Identifiers of C-FIND and C-MOVE: the keys we send and the text of the answers (PS3.4 C.4)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from io import BytesIO

from pydicom import config
from pydicom.charset import convert_encodings, decode_bytes, encode_string
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.uid import ImplicitVRLittleEndian
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR, STR_VR

from pacsfw.api import Level
from pacsfw.dicom.values import text_of
from pacsfw.errors import ConfigError

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"

UNIQUE_KEYS: Mapping[str, tuple[str, ...]] = {
    "STUDY": ("StudyInstanceUID",),
    "SERIES": ("StudyInstanceUID", "SeriesInstanceUID"),
    "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
}
"""The unique keys of the Study Root model, from the top to the level (PS3.4 C.6.2.1)."""

DEFAULT_CHARSET = "ISO_IR 192"

_NUMBERS = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_DELIMITERS = set(b"\t\n\f\r^=\\")
"""Each ends what an escape sequence began (PS3.5 section 6.1.2.5.3)."""
_ONE_VALUE = {"ST", "LT", "UT", "UR"}


def build(
    level: Level, match: Mapping[str, str], returns: Iterable[str] = (), charset: str = ""
) -> Dataset:
    r"""Build the identifier of a request.

    Parameters
    ----------
    level
        STUDY, SERIES or IMAGE.
    match
        Keyword to matching value (PS3.4 C.2.2.2); the unique keys above the level have to
        be among them.
    returns
        Further keywords, sent empty. The unique keys of the level are always added.
    charset
        Specific Character Set for values that are not ASCII, several joined by ``\``;
        empty for UTF-8.

    Raises
    ------
    ValueError
        A keyword is unknown, or a unique key above the level is missing.
    ConfigError
        The character set cannot express a value.
    """
    if level not in UNIQUE_KEYS:
        raise ValueError(f"level {level} is not of the Study Root model")
    *above, own = UNIQUE_KEYS[level]
    for key in above:
        if not match.get(key):
            raise ValueError(f"a query at level {level} needs a value for {key}")
    identifier = Dataset()
    if not all(value.isascii() for value in match.values()):
        charsets = (charset or DEFAULT_CHARSET).split("\\")
        _check_expressible(match.values(), charsets)
        identifier.SpecificCharacterSet = charsets
    keys = {own: "", **dict.fromkeys(returns, ""), **match}
    identifier.add(_element("QueryRetrieveLevel", level))
    for keyword, value in keys.items():
        identifier.add(_element(keyword, value))
    return identifier


def _element(keyword: str, value: str) -> DataElement:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword!r} is no DICOM keyword")
    vr = dictionary_VR(tag)
    content: object = [] if vr == "SQ" else value or None
    if value and vr in _NUMBERS:
        content = [int(part) for part in value.split("\\")]
    # Ranges and wildcards are no valid values, only valid keys.
    return DataElement(tag, vr, content, validation_mode=config.IGNORE)


def _check_expressible(values: Iterable[str], charsets: list[str]) -> None:
    encodings = convert_encodings(list(charsets))
    for value in values:
        if decode_bytes(encode_string(value, encodings), encodings, _DELIMITERS) != value:
            named = "\\".join(charsets)
            raise ConfigError(f"net.called_node.charset: {named} cannot express a value to find")


def encode(identifier: Dataset, transfer_syntax: str) -> bytes:
    """Encode an identifier in the syntax of its presentation context."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = transfer_syntax == ImplicitVRLittleEndian
    buffer.is_little_endian = True
    write_dataset(buffer, identifier)
    return buffer.getvalue()


def decode(data: bytes, transfer_syntax: str) -> Dataset:
    """Decode an identifier; its values stay as bytes until they are looked at.

    Raises
    ------
    ValueError
        It is malformed. The message quotes nothing of it.
    """
    implicit = transfer_syntax == ImplicitVRLittleEndian
    try:
        return read_dataset(BytesIO(data), implicit, True, bytelength=len(data))
    except Exception as err:  # noqa: BLE001 - pydicom raises what it likes, and quotes values
        raise ValueError(f"malformed identifier ({type(err).__name__})") from None


def texts(identifier: Dataset) -> dict[str, str]:
    r"""Return an answer as keyword to text: several values joined by ``\``, padding stripped.

    Read from the bytes, because pydicom's conversion quotes values that it dislikes in
    warnings. Private elements, sequences and binary values are left out.
    """
    encodings = convert_encodings(_charsets(identifier))
    found = {}
    for tag in identifier.keys():  # noqa: SIM118 - iterating a data set converts its values
        keyword = keyword_for_tag(tag)
        element = identifier.get_item(tag)
        if keyword and element is not None:
            text = _text(element, encodings)
            if text is not None:
                found[keyword] = text
    return found


def _charsets(identifier: Dataset) -> list[str]:
    element = identifier.get_item("SpecificCharacterSet")
    text = "" if element is None else _text(element, ["iso8859"])
    return (text or "").split("\\")


def _text(element: RawDataElement | DataElement, encodings: list[str]) -> str | None:
    vr = str(element.VR or "UN")
    if vr == "UN":
        vr = str(dictionary_VR(element.tag))
    if isinstance(element, DataElement):
        return text_of(element.value) if vr in STR_VR or vr in _NUMBERS else None
    value = element.value or b""
    if vr in _NUMBERS:
        return _numbers(value, vr, little_endian=element.is_little_endian)
    if vr not in STR_VR:
        return None
    if vr in CUSTOMIZABLE_CHARSET_VR:
        text = decode_bytes(value, encodings, _DELIMITERS)
    else:
        text = value.decode("latin-1")
    if vr in _ONE_VALUE:
        return text.rstrip(" \0")
    return "\\".join(part.strip(" \0") for part in text.split("\\"))


def _numbers(value: bytes, vr: str, *, little_endian: bool) -> str:
    item = ("<" if little_endian else ">") + _NUMBERS[vr]
    whole = len(value) - len(value) % struct.calcsize(item)
    return "\\".join(str(number) for (number,) in struct.iter_unpack(item, value[:whole]))
