"""Command sets: Implicit VR Little Endian elements of group 0000 (PS3.7 section 6.3.1)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from pacsfw.dicom.vr import PADDING

MAX_COMMAND = 16 * 1024
"""Maximum bytes of a command set."""

NO_DATA_SET = 0x0101
"""Command Data Set Type: no data set follows (PS3.7 section E.1)."""

_ELEMENT = struct.Struct("<HHL")


class Element(IntEnum):
    """Element numbers of group 0000 (PS3.7 annex E)."""

    GROUP_LENGTH = 0x0000
    AFFECTED_SOP_CLASS = 0x0002
    COMMAND_FIELD = 0x0100
    MESSAGE_ID = 0x0110
    MESSAGE_ID_RESPONDED_TO = 0x0120
    MOVE_DESTINATION = 0x0600
    PRIORITY = 0x0700
    DATA_SET_TYPE = 0x0800
    STATUS = 0x0900
    OFFENDING_ELEMENT = 0x0901
    ERROR_COMMENT = 0x0902
    AFFECTED_SOP_INSTANCE = 0x1000
    COMPLETED = 0x1021
    FAILED = 0x1022
    WARNING = 0x1023
    MOVE_ORIGINATOR_AET = 0x1030
    MOVE_ORIGINATOR_MESSAGE_ID = 0x1031


# Enumeration members are slow to look up, and these are needed for every instance.
_MESSAGE_ID, _SOP_INSTANCE = Element.MESSAGE_ID, Element.AFFECTED_SOP_INSTANCE
_DATA_SET_TYPE = Element.DATA_SET_TYPE


class Field(IntEnum):
    """Command Field values (PS3.7 section E.1)."""

    C_STORE_RQ = 0x0001
    C_STORE_RSP = 0x8001
    C_ECHO_RQ = 0x0030
    C_ECHO_RSP = 0x8030
    C_FIND_RQ = 0x0020
    C_FIND_RSP = 0x8020
    C_GET_RQ = 0x0010
    C_GET_RSP = 0x8010
    C_MOVE_RQ = 0x0021
    C_MOVE_RSP = 0x8021
    C_CANCEL_RQ = 0x0FFF


@dataclass(frozen=True, slots=True)
class Command:
    """A decoded command set: element number to value bytes."""

    elements: Mapping[int, bytes]

    def number(self, element: int) -> int | None:
        """Return a US value, or None if it is absent.

        Raises
        ------
        ValueError
            The value is not two bytes long.
        """
        value = self.elements.get(element)
        if value is None:
            return None
        if len(value) != 2:
            raise ValueError(f"command element (0000,{element:04X}) is not two bytes long")
        return int.from_bytes(value, "little")

    def hint(self, element: int) -> int | None:
        """Return a number that is not essential; None if it is absent or not understood."""
        value = self.elements.get(element, b"")
        return int.from_bytes(value, "little") if len(value) in (2, 4) else None

    def required(self, element: int) -> int:
        """Return a required US value.

        Raises
        ------
        ValueError
            It is absent or not two bytes long.
        """
        number = self.number(element)
        if number is None:
            raise ValueError(f"command element (0000,{element:04X}) is missing")
        return number

    def text(self, element: int) -> str:
        """Return a UI or AE value as Latin-1 without blanks and NULs around it, or ''."""
        return self.elements.get(element, b"").decode("latin-1").strip(PADDING)

    @property
    def has_data_set(self) -> bool:
        """Whether a data set follows."""
        return self.required(_DATA_SET_TYPE) != NO_DATA_SET

    @property
    def announces_data_set(self) -> bool:
        """Whether a response says that a data set follows; without a word, none does."""
        return self.number(_DATA_SET_TYPE) not in (None, NO_DATA_SET)


def decode_response(data: bytes | bytearray) -> tuple[Command, bool]:
    """Decode the command set of a response; return also whether anything was skipped.

    Elements of other groups (an Orthanc puts (0008,0058) into responses of C-GET) and repeated
    ones are skipped.

    Raises
    ------
    ValueError
        An element is truncated.
    """
    elements: dict[int, bytes] = {}
    odd = False
    for group, element, value in _elements(data):
        if group != 0 or element in elements:
            odd = True
        else:
            elements[element] = value
    return Command(elements), odd


def decode(data: bytes | bytearray) -> Command:
    """Decode a complete command set.

    Raises
    ------
    ValueError
        An element is truncated, of another group or duplicate.
    """
    elements: dict[int, bytes] = {}
    for group, element, value in _elements(data):
        if group != 0:
            raise ValueError(f"command set with an element of group {group:04X}")
        if element in elements:
            raise ValueError(f"command element (0000,{element:04X}) occurs twice")
        elements[element] = value
    return Command(elements)


def _elements(data: bytes | bytearray) -> Iterator[tuple[int, int, bytes]]:
    """Yield group, element number and value.

    Raises
    ------
    ValueError
        An element is truncated.
    """
    position = 0
    while position < len(data):
        if position + _ELEMENT.size > len(data):
            raise ValueError("truncated command set")
        group, element, length = _ELEMENT.unpack_from(data, position)
        start = position + _ELEMENT.size
        position = start + length
        if position > len(data):
            raise ValueError(f"command element ({group:04X},{element:04X}) reaches beyond the end")
        yield group, element, bytes(data[start:position])


class Decoder:
    """Decodes the command sets of one association.

    The command sets of one sender mostly differ only in Message ID and SOP Instance UID; such
    a one is not decoded again.
    """

    def __init__(self) -> None:
        self._like: Mapping[int, bytes] = {}
        self._size = -1
        self._id = self._uid = self._after = 0
        self._parts: tuple[bytes, bytes, bytes] = (b"", b"", b"")

    def decode(self, data: bytes) -> Command:
        """Decode a complete command set like `decode`.

        Raises
        ------
        ValueError
            An element is truncated, of another group or duplicate.
        """
        if len(data) == self._size:
            place, uid, after = self._id, self._uid, self._after
            if (data[:place], data[place + 2 : uid], data[after:]) == self._parts:
                elements = dict(self._like)
                elements[_MESSAGE_ID] = data[place : place + 2]
                elements[_SOP_INSTANCE] = data[uid:after]
                return Command(elements)
        command = decode(data)
        self._remember(data, command.elements)
        return command

    def _remember(self, data: bytes, elements: Mapping[int, bytes]) -> None:
        places = {}
        position = 0
        for element, value in elements.items():
            places[element] = position + _ELEMENT.size
            position += _ELEMENT.size + len(value)
        place, uid = (places.get(each, 0) for each in (_MESSAGE_ID, _SOP_INSTANCE))
        if place and uid > place and len(elements[_MESSAGE_ID]) == 2:
            self._id, self._uid, self._after = (
                place,
                uid,
                uid + len(elements[_SOP_INSTANCE]),
            )
            self._parts = (data[:place], data[place + 2 : uid], data[self._after :])
            self._like, self._size = elements, len(data)


def encode(elements: Mapping[int, bytes | int]) -> bytes:
    """Encode elements in ascending order of their numbers, after their group length.

    Integers become US values; bytes are padded to even length with NUL.
    """
    body = b"".join(_encoded(element, elements[element]) for element in sorted(elements))
    return _encoded(Element.GROUP_LENGTH, struct.pack("<L", len(body))) + body


def _encoded(element: int, value: bytes | int) -> bytes:
    data = value.to_bytes(2, "little") if isinstance(value, int) else value
    if len(data) % 2:
        data += b"\0"
    return _ELEMENT.pack(0, element, len(data)) + data


def response(request: Command, status: int, comment: str = "") -> bytes:
    """Encode the response to a C-STORE, C-ECHO or unrecognized request (PS3.7 section 9.3).

    Parameters
    ----------
    request
        The request; its SOP Class and Instance UIDs are returned byte for byte.
    status
        The Status (PS3.7 annex C).
    comment
        Error Comment without patient data; truncated to 64 characters.

    Raises
    ------
    ValueError
        The request has no command field or message ID.
    """
    elements: dict[int, bytes | int] = {
        Element.COMMAND_FIELD: request.required(Element.COMMAND_FIELD) | 0x8000,
        Element.MESSAGE_ID_RESPONDED_TO: request.required(Element.MESSAGE_ID),
        Element.DATA_SET_TYPE: NO_DATA_SET,
        Element.STATUS: status,
    }
    for element in (Element.AFFECTED_SOP_CLASS, Element.AFFECTED_SOP_INSTANCE):
        if element in request.elements:
            elements[element] = request.elements[element]
    if comment:
        padded = comment[:64].encode("ascii", "replace")
        elements[Element.ERROR_COMMENT] = padded + b" " * (len(padded) % 2)
    return encode(elements)
