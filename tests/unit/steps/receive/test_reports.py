"""What receiver processes tell the driver, and what they answer, made quickly."""

import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacsfw.dimse import command, pdu, status
from pacsfw.spool.records import Begun, Discarded, Sealed
from pacsfw.steps.receive.reports import Note, Ready, Refused, decode, encode
from pacsfw.steps.receive.responses import Responses
from pacsfw.steps.receive.store_request import Message
from pacsfw.steps.receive.worker import _Numbers
from pacsfw.workers.frames import Frames, write_frame
from unit.dimse import wire

TEXT = st.text(st.characters(max_codepoint=255), max_size=300)
MESSAGE_ID = st.none() | st.integers(0, 65535)
REPORT = st.one_of(
    st.builds(Begun, TEXT, TEXT, TEXT, TEXT, TEXT, MESSAGE_ID),
    st.builds(Sealed, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, MESSAGE_ID, st.integers(0, 1 << 40)),
    st.builds(Discarded, TEXT, TEXT, TEXT),
    st.builds(Note, st.integers(0, 50), TEXT),
    st.builds(Refused, TEXT),
    st.just(Ready()),
)
UID = st.from_regex(r"[0-9.]{1,64}", fullmatch=True)


@given(st.lists(REPORT, max_size=6), st.lists(st.integers(1, 900), min_size=1, max_size=5))
def test_reports_arrive_as_they_were_told_however_the_pipe_cuts_them(reports, sizes) -> None:
    reading, writing = os.pipe()
    with open(reading, "rb") as stream:
        for report in reports:
            write_frame(writing, encode(report))
        os.close(writing)
        data = stream.read()
    frames, got = Frames(), []
    while data:
        for size in sizes:
            got += map(decode, frames.feed(data[:size]))
            data = data[size:]
    assert got == reports
    assert [type(report) for report in got] == [type(report) for report in reports]


@given(st.lists(st.tuples(UID, st.integers(0, 65535), st.booleans()), min_size=1, max_size=8))
def test_alike_requests_are_decoded_as_by_themselves(requests) -> None:
    decoder = command.Decoder()
    for uid, message_id, with_origin in requests:
        origin = {} if with_origin else {"e1030": None, "e1031": None}
        data = wire.store_request(uid, e0110=message_id, **origin)
        assert decoder.decode(data).elements == command.decode(data).elements


@pytest.mark.parametrize("at", [0, 4, 20, 50, -20])
def test_a_request_that_is_broken_after_a_good_one_is_refused_like_any(at: int) -> None:
    decoder = command.Decoder()
    data = wire.store_request()
    decoder.decode(data)
    broken = bytearray(data)
    broken[at] ^= 0xFF
    try:
        expected = command.decode(bytes(broken)).elements
    except ValueError as error:
        with pytest.raises(ValueError, match=str(error).replace("(", r"\(").replace(")", r"\)")):
            decoder.decode(bytes(broken))
    else:
        assert decoder.decode(bytes(broken)).elements == expected


@given(
    st.lists(
        st.tuples(
            UID,
            st.integers(0, 65535),
            st.sampled_from([1, 3]),
            st.sampled_from([(0, ""), (status.OUT_OF_RESOURCES, "disk full")]),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([0, 64, 131072]),
)
def test_responses_by_pattern_are_those_made_anew(requests, peer_max_pdu: int) -> None:
    responses = Responses(peer_max_pdu)
    for uid, message_id, context_id, (code, comment) in requests:
        request = command.decode(wire.store_request(uid, e0110=message_id))
        message = Message(request, context_id, code, comment, note=lambda *_: None)
        anew = pdu.p_data(context_id, command.response(request, code, comment), peer_max_pdu)
        assert responses.to(message) == anew


def test_a_request_without_message_id_gets_no_response_by_pattern() -> None:
    responses = Responses(0)
    good = command.decode(wire.store_request())
    responses.to(Message(good, 1, 0, note=lambda *_: None))
    bad = command.decode(wire.store_request(e0110=None))
    with pytest.raises(ValueError, match="missing"):
        responses.to(Message(bad, 1, 0, note=lambda *_: None))
    longer = command.decode(wire.store_request(e0110=struct.pack("<L", 7)))
    with pytest.raises(ValueError, match="two bytes"):
        responses.to(Message(longer, 1, 0, note=lambda *_: None))


@given(st.permutations(range(12)), st.integers(0, 12))
def test_numbers_are_remembered_in_whatever_order_they_come(order, count: int) -> None:
    numbers = _Numbers()
    for number in order[:count]:
        numbers.add(number)
    assert {number for number in range(14) if number in numbers} == set(order[:count])
