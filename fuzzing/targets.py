"""What is fuzzed: one function of bytes for each parser that meets bytes of strangers.

Each compares with another reader of the same bytes where there is one. It returns for input
that is refused as it should be, and raises for everything else.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom.filereader import read_dataset
from pynetdicom import pdu as reference

from pacsfw.dicom import integrity
from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import HeaderReader
from pacsfw.dicom.integrity import Damaged
from pacsfw.dicom.part10 import file_head, read_file_meta
from pacsfw.dicom.tagpath import parse
from pacsfw.dimse import command, pdu
from pacsfw.dimse.known_uids import known_uids
from pacsfw.dimse.negotiation import Accepted, negotiate
from pacsfw.dimse.pdu_reader import PduReader

MAX_PDU = 4096
_HEADER = struct.Struct(">BxL")


class _Pieces:
    """A socket whose bytes come in pieces; the first byte of the input says how large."""

    def __init__(self, data: bytes) -> None:
        self._size, self._data = 1 + (data[0] if data else 0) * 7, memoryview(data)[1:]

    def settimeout(self, _seconds: float) -> None: ...

    def setsockopt(self, *_option: int) -> None: ...

    def recv_into(self, buffer: memoryview) -> int:
        count = min(self._size, len(buffer), len(self._data))
        buffer[:count], self._data = self._data[:count], self._data[count:]
        return count


def stream(data: bytes) -> None:
    """PDUs in pieces are the same as PDUs at once."""
    try:
        whole = list(_values_at_once(data[1:]))
    except pdu.PduError:
        whole = None
    reader = PduReader(
        _Pieces(data),  # type: ignore[arg-type]
        max_pdu=MAX_PDU,
        idle_timeout=1.0,
        pdu_timeout=1.0,
    )
    values: list[object] = []
    try:
        while True:
            if got := reader.values():
                values += map(_copied, got)
                continue
            kind, body = reader.read()
            if kind is pdu.PduType.P_DATA:
                values += map(_copied, pdu.pdvs(body))
            else:
                values.append((int(kind), bytes(body)))
    except pdu.ConnectionLost:
        assert whole is None or _joined(values)[: len(whole)] == _joined(whole)
    except pdu.ProtocolError:
        assert whole is None


def _joined(values: list[Any]) -> list[Any]:
    """Join the fragments of data sets: the reader gives out what there is of them."""
    result: list[Any] = []
    for value in values:
        before = result[-1] if result else (0, b"")
        if (
            len(value) == len(before) == 4
            and before[:3] == (value[0], False, False)
            and not value[1]
        ):
            result[-1] = (*value[:3], before[3] + value[3])
        else:
            result.append(value)
    return result


def _values_at_once(data: bytes):
    position = 0
    while position + _HEADER.size <= len(data):
        kind, length = _HEADER.unpack_from(data, position)
        body = data[position + _HEADER.size : position + _HEADER.size + length]
        limit = {1: pdu.MAX_ASSOCIATE, 2: pdu.MAX_ASSOCIATE, 4: MAX_PDU + 6}.get(kind, 64)
        if kind not in range(1, 8) or length > limit:
            raise pdu.ProtocolError("refused")
        if len(body) < length:
            return
        if kind == 4:
            yield from map(_copied, pdu.pdvs(memoryview(body)))
        else:
            yield kind, body
        position += _HEADER.size + length


def _copied(value: tuple[int, bool, bool, memoryview]) -> tuple[int, bool, bool, bytes]:
    context_id, is_command, is_last, fragment = value
    return context_id, is_command, is_last, bytes(fragment)


def values(data: bytes) -> None:
    """Of a P-DATA PDU that is accepted pynetdicom reads the same values."""
    try:
        ours = [_copied(value) for value in pdu.pdvs(memoryview(data))]
    except pdu.ProtocolError:
        return
    theirs = reference.P_DATA_TF()
    theirs.decode(_HEADER.pack(4, len(data)) + data)
    read = [
        (item.presentation_context_id, item.presentation_data_value)
        for item in theirs.presentation_data_value_items
    ]
    assert [(context_id, fragment) for context_id, _, _, fragment in ours] == [
        (context_id, value[1:]) for context_id, value in read
    ]
    assert [(is_command, is_last) for _, is_command, is_last, _ in ours] == [
        (bool(value[0] & 1), bool(value[0] & 2)) for _, value in read
    ]


def association(data: bytes) -> None:
    """Of an association request that is accepted pynetdicom reads the same contexts."""
    called = data[4:20].decode("latin-1").strip(" \0")
    try:
        answer = negotiate(data, called, MAX_PDU, known_uids())
    except pdu.ProtocolError:
        return
    if not isinstance(answer, Accepted):
        return
    theirs = reference.A_ASSOCIATE_RQ()
    try:
        theirs.decode(_HEADER.pack(1, len(data)) + data)
        proposed = {item.context_id: item for item in theirs.presentation_context}
        offers = {
            context_id: (str(item.abstract_syntax), [str(uid) for uid in item.transfer_syntax])
            for context_id, item in proposed.items()
        }
    except Exception:  # noqa: BLE001 - it refuses what the standard says to skip
        return
    for context_id, context in answer.contexts.items():
        abstract, syntaxes = offers[context_id]
        assert abstract.strip(" \0") == context.abstract_syntax
        assert context.transfer_syntax in [syntax.strip(" \0") for syntax in syntaxes]


def command_set(data: bytes) -> None:
    """Of a command set that is accepted pydicom reads the same elements."""
    try:
        ours = command.decode(data)
    except ValueError:
        return
    theirs = read_dataset(BytesIO(data), is_implicit_VR=True, is_little_endian=True)
    read = {element.tag.element: element.value or b"" for element in theirs._dict.values()}
    assert dict(ours.elements) == read
    try:
        answer = command.decode(command.response(ours, 0, "comment"))
    except ValueError:
        return
    assert answer.number(command.Element.STATUS) == 0


_folder = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
_file = Path(_folder.name) / "fuzzed.dcm"
_SYNTAXES = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.4.50",
)
_READER = HeaderReader(
    map(parse, ["StudyInstanceUID", "PatientName", "RequestAttributesSequence[0].StudyID"])
)


def part10(data: bytes) -> None:
    """The head of a file is read, or refused with a reason; and so is its header."""
    _file.write_bytes(data)
    with suppress(ValueError):
        read_file_meta(_file)
    with suppress(UnreadableObject):
        _READER.read(_file).get("PatientName")


def data_set(data: bytes) -> None:
    """What a sender sends behind our own head is read and found whole, or refused with a reason.

    The first byte chooses the transfer syntax.
    """
    syntax = _SYNTAXES[data[0] % len(_SYNTAXES)] if data else _SYNTAXES[0]
    _file.write_bytes(file_head("1.2.3", "1.2.4", syntax, "SENDER") + data[1:])
    try:
        header = _READER.read(_file)
        for keyword in ("PatientName", "StudyInstanceUID", "ReferencedStudySequence"):
            header.get(keyword)
        integrity.check(_file, header)
    except (UnreadableObject, Damaged):
        return


TARGETS: dict[str, Callable[[bytes], None]] = {
    "stream": stream,
    "values": values,
    "association": association,
    "command": command_set,
    "part10": part10,
    "data_set": data_set,
}
