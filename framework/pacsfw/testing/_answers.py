"""The identifiers of C-FIND responses (PS3.4 C.4.1.1.3.2): child process only.

They are encoded directly from text. Creating pydicom data sets would cost more than all the
rest of a response.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import cache

from pydicom.charset import convert_encodings, encode_string
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR, EXPLICIT_VR_LENGTH_16, STR_VR, PersonName

from pacsfw.dicom.vr import NUMBERS
from pacsfw.testing._records import COUNTED_AT, Entity, Texts


class Encoder:
    """Encodes the rows of one query in little endian.

    Parameters
    ----------
    keywords
        The attributes of each row; the character set is added automatically.
    constants
        Values that are the same in each row.
    implicit
        Whether the encoding has no VR.
    no_charset
        Omit SpecificCharacterSet, but not the characters.
    lying_counts
        Make each NumberOf... attribute one too high.
    """

    def __init__(
        self,
        keywords: Iterable[str],
        constants: dict[str, str],
        *,
        implicit: bool,
        no_charset: bool = False,
        lying_counts: bool = False,
    ) -> None:
        self._constants: dict[str, Texts] = {name: (text,) for name, text in constants.items()}
        wanted = {*keywords, *constants} | (set() if no_charset else {"SpecificCharacterSet"})
        tags = {tag: keyword for keyword in wanted if (tag := tag_for_keyword(keyword))}
        self._plan = [(tags[tag], _Element(tag, implicit=implicit)) for tag in sorted(tags)]
        self._lying = lying_counts

    def encode(self, entity: Entity) -> bytes:
        """Encode the row of one entity."""
        charset = entity.texts("SpecificCharacterSet")
        written = []
        for keyword, element in self._plan:
            values = self._constants.get(keyword)
            if values is None:
                values = entity.texts(keyword)
                if self._lying and keyword.startswith("NumberOf") and keyword in COUNTED_AT:
                    values = tuple(str(int(value) + 1) for value in values)
            if values or keyword != "SpecificCharacterSet":
                written.append(element.encode(values, charset))
        return b"".join(written)


class _Element:
    """Encodes one attribute."""

    def __init__(self, tag: int, *, implicit: bool) -> None:
        self._vr = dictionary_VR(tag).split(" ")[0]
        group, element = tag >> 16, tag & 0xFFFF
        self._head = struct.pack("<HH", group, element) + (b"" if implicit else self._vr.encode())
        long = not implicit and self._vr not in EXPLICIT_VR_LENGTH_16
        self._length = struct.Struct("<L" if implicit else "<2xL" if long else "<H")

    def encode(self, values: Texts, charset: Texts) -> bytes:
        """Encode it with these values; empty if they cannot be encoded."""
        data = self._data(values, charset)
        if len(data) % 2:
            data += b"\0" if self._vr == "UI" else b" "
        return self._head + self._length.pack(len(data)) + data

    def _data(self, values: Texts, charset: Texts) -> bytes:
        text = "\\".join(values)
        if self._vr in NUMBERS:
            return _packed(self._vr, values)
        if self._vr not in STR_VR:
            return b""
        if text.isascii() or self._vr not in CUSTOMIZABLE_CHARSET_VR:
            return text.encode("ascii", "replace")
        encodings = _encodings(charset)
        if self._vr == "PN":
            return b"\\".join(PersonName(value).encode(encodings) for value in values)
        return encode_string(text, encodings)


def _packed(vr: str, values: Texts) -> bytes:
    number = float if vr in ("FL", "FD") else int
    try:
        return b"".join(struct.pack("<" + NUMBERS[vr], number(value)) for value in values)
    except (struct.error, ValueError):  # a file with an invalid value
        return b""


@cache
def _encodings(charset: Texts) -> list[str]:
    return convert_encodings(list(charset))
