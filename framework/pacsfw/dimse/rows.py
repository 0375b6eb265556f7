"""The text of query results, read directly from their bytes (PS3.5 section 7, annex A).

A PACS returns thousands of small data sets. Making a pydicom data set of each takes several
times as long as the PACS needs to send it, so this module reads the elements itself and keeps
only text.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pydicom.valuerep import STR_VR

from pacsfw.dicom import charset
from pacsfw.dicom.charset import ESCAPE
from pacsfw.dicom.vr import LONG, NUMBERS, PADDING, SHORT, SINGLE_VALUED, TEXT

_Header: TypeAlias = tuple[int, str, int, int]
"""Tag (its group in the lower half), value representation, offset of the value, length."""

_TAG_AND_LENGTH = struct.Struct("<LL")
_TAG_VR_LENGTH = struct.Struct("<L2sH")
_LENGTH = struct.Struct("<L")
_UNDEFINED = 0xFFFFFFFF
_MAY_BE_UNDEFINED = frozenset({"", "SQ", "UN", "OB", "OW"})
_ITEM, _ITEM_END, _SEQUENCE_END = 0xE000FFFE, 0xE00DFFFE, 0xE0DDFFFE
_DEEPEST = 64


def read(data: bytes, transfer_syntax: str, undeclared: str = "") -> dict[str, str]:
    r"""Return a data set as keyword to text: several values joined by ``\``, padding stripped.

    Private elements, sequences, binary values and repeating groups (PS3.5 section 7.6) are
    skipped.

    Parameters
    ----------
    data
        The encoded data set.
    transfer_syntax
        Implicit VR Little Endian; anything else is read as Explicit VR Little Endian.
    undeclared
        The character set of text that is not ASCII although the data set declares none;
        ISO 8859-1 if it is empty or not valid.

    Raises
    ------
    ValueError
        It is malformed. The message quotes none of its content.
    """
    try:
        return _walk(data, transfer_syntax == ImplicitVRLittleEndian, undeclared)
    except struct.error:
        raise ValueError("malformed data set: truncated") from None


def read_as_sent(
    data: bytes, transfer_syntax: str, undeclared: str = ""
) -> tuple[dict[str, str], bool]:
    """Read a data set that may not be in the transfer syntax agreed on.

    Returns
    -------
    tuple
        The row like `read`, and whether it is in the other of the two syntaxes.

    Raises
    ------
    ValueError
        It is malformed in both.
    """
    try:
        return read(data, transfer_syntax, undeclared), False
    except ValueError:
        is_implicit = transfer_syntax == ImplicitVRLittleEndian
        other = ExplicitVRLittleEndian if is_implicit else ImplicitVRLittleEndian
        with contextlib.suppress(ValueError):
            row = read(data, other, undeclared)
            if row:
                return row, True
        raise


def _walk(data: bytes, implicit: bool, undeclared: str) -> dict[str, str]:
    header = _implicit if implicit else _explicit
    found: dict[str, str] = {}
    encoded: dict[str, tuple[bytes, str]] = {}
    position, size = 0, len(data)
    while position < size:
        tag, vr, start, length = header(data, position)
        if length == _UNDEFINED:
            position = _after_items(data, vr, start, header)
            continue
        position = start + length
        if position > size:
            raise ValueError("malformed data set: an element reaches beyond the end")
        keyword, kind = _known(tag, vr)
        if not keyword:
            continue
        if keyword in found:
            continue  # some PACS return an element twice; the first one is in order
        value = data[start:position]
        if kind in NUMBERS:
            found[keyword] = _numbers(value, NUMBERS[kind])
        elif (value.isascii() and ESCAPE not in value) or kind not in TEXT:
            found[keyword] = _stripped(value.decode("latin-1"), kind)
        else:
            # The character set may be declared later, if elements are out of order.
            found[keyword], encoded[keyword] = "", (value, kind)
    declared = found.get("SpecificCharacterSet", "") if encoded else ""
    for keyword, (value, kind) in encoded.items():
        found[keyword] = _stripped(charset.text(value, declared, undeclared), kind)
    return found


def _implicit(data: bytes, position: int) -> _Header:
    tag, length = _TAG_AND_LENGTH.unpack_from(data, position)
    return tag, "", position + 8, length


def _explicit(data: bytes, position: int) -> _Header:
    tag, code, length = _TAG_VR_LENGTH.unpack_from(data, position)
    vr = SHORT.get(code)
    if vr is not None:
        return tag, vr, position + 8, length
    vr = LONG.get(code)
    if vr is None:
        raise ValueError("malformed data set: an element without a value representation")
    (length,) = _LENGTH.unpack_from(data, position + 8)
    return tag, vr, position + 12, length


@lru_cache(maxsize=4096)
def _known(tag: int, vr: str) -> tuple[str, str]:
    """Return keyword and value representation; no keyword if there is no text form.

    Raises
    ------
    ValueError
        The tag is allowed only inside a sequence.
    """
    group, element = tag & 0xFFFF, tag >> 16
    if group == _ITEM & 0xFFFF:
        raise ValueError("malformed data set: an item outside a sequence")
    number = group << 16 | element
    keyword = keyword_for_tag(number)
    if not keyword or tag_for_keyword(keyword) != number:
        return "", ""
    kind = vr if vr not in ("", "UN") else dictionary_VR(number)
    return (keyword, kind) if kind in STR_VR or kind in NUMBERS else ("", "")


def _after_items(
    data: bytes,
    vr: str,
    position: int,
    header: Callable[[bytes, int], _Header],
    depth: int = 0,
) -> int:
    """Return the end of the value of undefined length that begins at ``position``."""
    if vr not in _MAY_BE_UNDEFINED:
        raise ValueError("malformed data set: a value of undefined length that is not a sequence")
    if depth >= _DEEPEST:
        raise ValueError("malformed data set: sequences are nested too deeply")
    if vr == "UN":
        header = _implicit  # PS3.5 section 6.2.2, note 2
    while True:
        tag, length = _TAG_AND_LENGTH.unpack_from(data, position)
        position += 8
        if tag == _SEQUENCE_END:
            return position
        if tag != _ITEM:
            raise ValueError(
                "malformed data set: a sequence contains an element that is not an item"
            )
        if length == _UNDEFINED:
            position = _after_elements(data, position, header, depth)
        else:
            position += length


def _after_elements(
    data: bytes, position: int, header: Callable[[bytes, int], _Header], depth: int
) -> int:
    """Return the end of the item of undefined length whose elements begin at ``position``."""
    while _TAG_AND_LENGTH.unpack_from(data, position)[0] != _ITEM_END:
        _, vr, start, length = header(data, position)
        if length == _UNDEFINED:
            position = _after_items(data, vr, start, header, depth + 1)
        else:
            position = start + length
    return position + 8


def _numbers(value: bytes, letter: str) -> str:
    item = struct.Struct("<" + letter)
    whole = len(value) - len(value) % item.size
    return "\\".join(str(number) for (number,) in item.iter_unpack(value[:whole]))


def _stripped(text: str, kind: str) -> str:
    if kind in SINGLE_VALUED:
        return text.rstrip(PADDING)
    if "\\" in text:
        return "\\".join(part.strip(PADDING) for part in text.split("\\"))
    return text.strip(PADDING)
