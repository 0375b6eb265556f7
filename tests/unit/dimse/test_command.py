from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode as pynetdicom_decode
from pynetdicom.dsutils import encode as pynetdicom_encode

from pacsfw.dimse import command
from pacsfw.dimse.command import Element
from unit.dimse import wire


def test_a_command_of_pynetdicom_is_read() -> None:
    dataset = Dataset()
    dataset.AffectedSOPClassUID = wire.CT
    dataset.CommandField = 1
    dataset.MessageID = 300
    dataset.CommandDataSetType = 1
    dataset.MoveOriginatorApplicationEntityTitle = "MOVER"
    data = pynetdicom_encode(dataset, True, True)
    assert data is not None
    read = command.decode(data)
    assert read.text(Element.AFFECTED_SOP_CLASS) == wire.CT
    assert read.number(Element.MESSAGE_ID) == 300
    assert read.text(Element.MOVE_ORIGINATOR_AET) == "MOVER"
    assert read.has_data_set
    assert read.number(Element.MOVE_ORIGINATOR_MESSAGE_ID) is None


def test_pynetdicom_reads_our_response() -> None:
    request = command.decode(wire.store_request("1.2.345"))
    data = command.response(request, 0xA700, "disk full")
    read = pynetdicom_decode(BytesIO(data), True, True)
    assert (read.CommandField, read.MessageIDBeingRespondedTo) == (0x8001, 7)
    assert (read.Status, read.ErrorComment) == (0xA700, "disk full")
    assert (read.AffectedSOPClassUID, read.AffectedSOPInstanceUID) == (wire.CT, "1.2.345")
    assert read.CommandDataSetType == 0x0101
    assert read.CommandGroupLength == len(data) - 12


def test_a_uid_that_is_none_comes_back_byte_for_byte() -> None:
    request = command.decode(wire.store_request("\xff../x"))
    answer = command.decode(command.response(request, 0))
    assert answer.elements[Element.AFFECTED_SOP_INSTANCE] == b"\xff../x\0"[:6]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\0", "truncated"),
        (b"\0\0\0\1\4\0\0\0\1\0", "reaches beyond"),
        (b"\0\0\0\1\xff\xff\xff\xff", "reaches beyond"),
        (b"\x08\0\0\1\0\0\0\0", "group 0008"),
        (b"\0\0\0\1\0\0\0\0" * 2, "twice"),
    ],
)
def test_a_damaged_command_set_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        command.decode(data)


@given(st.binary(max_size=80))
def test_garbage_is_refused_or_understood_whole(data: bytes) -> None:
    try:
        read = command.decode(data)
    except ValueError:
        return
    assert sum(8 + len(value) for value in read.elements.values()) == len(data)


@given(st.dictionaries(st.integers(1, 0xFFFF), st.binary(max_size=20).map(lambda b: b * 2)))
def test_what_is_encoded_is_decoded(elements: dict[int, bytes]) -> None:
    read = dict(command.decode(command.encode(elements)).elements)
    read.pop(Element.GROUP_LENGTH)
    assert read == elements


@pytest.mark.parametrize("element", [0x0100, 0x0110, 0x0800])
def test_a_request_without_what_it_needs_is_refused(element: int) -> None:
    request = command.decode(wire.store_request(**{f"e{element:04x}": None}))
    with pytest.raises(ValueError, match="missing"):
        _ = request.has_data_set, command.response(request, 0)


def test_a_long_comment_is_cut_to_what_the_element_may_hold() -> None:
    request = command.decode(wire.store_request())
    answer = command.decode(command.response(request, 0xC210, "x" * 100))
    assert answer.elements[Element.ERROR_COMMENT] == b"x" * 64
