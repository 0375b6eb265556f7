import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ
from pynetdicom.sop_class import _STORAGE_CLASSES

from pacsfw.dimse.known_uids import known_uids
from pacsfw.dimse.negotiation import Accepted, Rejected, choose_syntax, negotiate
from pacsfw.dimse.pdu import MAX_PDU, ProtocolError
from unit.dimse import wire
from unit.dimse.wire import CT, EXPLICIT, IMPLICIT, VERIFICATION, context, item

KNOWN = known_uids()


def answer(*contexts: bytes, **fields) -> Accepted | Rejected:
    return negotiate(wire.associate_body(contexts, **fields), "PACSFW", MAX_PDU, KNOWN)


def accepted(*contexts: bytes, **fields) -> Accepted:
    got = answer(*contexts, **fields)
    assert isinstance(got, Accepted)
    return got


def rejection(**fields) -> tuple[int, int, int]:
    got = answer(context(1, CT, [EXPLICIT]), **fields)
    assert isinstance(got, Rejected)
    pdu = A_ASSOCIATE_RJ()
    pdu.decode(got.reply)
    return pdu.result, pdu.source, pdu.reason_diagnostic


def test_verification_and_storage_are_accepted() -> None:
    got = accepted(context(1, CT, [EXPLICIT]), context(3, VERIFICATION, [IMPLICIT]))
    assert {number: one.transfer_syntax for number, one in got.contexts.items()} == {
        1: EXPLICIT,
        3: IMPLICIT,
    }
    assert wire.decoded(got.reply) == {1: (0, EXPLICIT), 3: (0, IMPLICIT)}
    assert (got.calling_ae, got.peer_max_pdu) == ("SENDER", 16384)


def test_the_answer_says_who_we_are_and_what_we_take() -> None:
    pdu = A_ASSOCIATE_AC()
    pdu.decode(accepted(context(1, CT, [EXPLICIT])).reply)
    assert pdu.user_information is not None
    assert pdu.user_information.maximum_length == 128 * 1024
    assert str(pdu.user_information.implementation_class_uid).startswith("2.25.")
    assert pdu.user_information.implementation_version_name == "PACSFW_0_1"
    assert pdu.user_information.async_ops_window is None


@pytest.mark.parametrize("uid", sorted(_STORAGE_CLASSES.values()))
def test_every_standard_storage_class_is_stored(uid: str) -> None:
    assert list(accepted(context(1, uid, [EXPLICIT])).contexts) == [1]


@pytest.mark.parametrize(
    "uid",
    ["1.3.46.670589.11.0.0.12.1", "1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.99999"],
)
def test_private_retired_and_future_storage_classes_are_stored(uid: str) -> None:
    assert list(accepted(context(1, uid, [EXPLICIT])).contexts) == [1]


@pytest.mark.parametrize(
    "uid",
    [
        "1.2.840.10008.5.1.4.1.2.2.1",
        "1.2.840.10008.1.20.1",
        "1.2.840.10008.1.3.10",
        "1.2.840.10008.3.1.2.3.3",
        EXPLICIT,
    ],
)
def test_what_is_no_storage_is_refused(uid: str) -> None:
    got = accepted(context(1, uid, [EXPLICIT]), context(3, CT, [EXPLICIT]))
    assert list(got.contexts) == [3]
    assert wire.decoded(got.reply)[1][0] == 3


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([EXPLICIT, IMPLICIT], EXPLICIT),
        ([IMPLICIT, EXPLICIT], EXPLICIT),
        ([ExplicitVRBigEndian, IMPLICIT, EXPLICIT], EXPLICIT),
        ([ExplicitVRBigEndian], ExplicitVRBigEndian),
        ([IMPLICIT], IMPLICIT),
        ([JPEG2000Lossless, EXPLICIT], JPEG2000Lossless),
        ([RLELossless, JPEGBaseline8Bit], RLELossless),
        ([DeflatedExplicitVRLittleEndian, IMPLICIT], IMPLICIT),
        ([DeflatedExplicitVRLittleEndian], None),
        (["1.2.840.113619.5.2", "1.2.3"], None),
        ([CT], None),
    ],
)
def test_the_first_acceptable_syntax_is_chosen(offered: list[str], chosen: str | None) -> None:
    assert choose_syntax(offered, KNOWN) == chosen


def test_a_context_without_an_acceptable_syntax_is_refused() -> None:
    got = accepted(context(1, CT, [DeflatedExplicitVRLittleEndian]))
    assert not got.contexts
    assert wire.decoded(got.reply)[1][0] == 4


@pytest.mark.parametrize("called", [b"OTHER".ljust(16), b"pacsfw".ljust(16), b" " * 16, bytes(16)])
def test_another_called_ae_title_is_rejected_for_good(called: bytes) -> None:
    assert rejection(called=called) == (1, 1, 7)


def test_another_application_context_is_rejected() -> None:
    assert rejection(application=b"1.2.3") == (1, 1, 2)


def test_another_protocol_version_is_rejected() -> None:
    assert rejection(version=2) == (1, 2, 2)


@pytest.mark.parametrize(
    ("calling", "title"),
    [
        (b"SENDER\0\0\0\0\0\0\0\0\0\0", "SENDER"),
        (b" " * 16, ""),
        (bytes(16), ""),
        (b"B\xfcro".ljust(16), "Büro"),
        (b"a\\b".ljust(16), "a\\b"),
    ],
)
def test_an_odd_calling_ae_title_is_let_in_and_sent_back(calling: bytes, title: str) -> None:
    got = accepted(context(1, CT, [EXPLICIT]), calling=calling, called=b"PACSFW\0".ljust(16))
    assert got.calling_ae == title
    assert got.reply[10:42] == b"PACSFW\0".ljust(16) + calling


def test_items_that_nobody_knows_are_skipped() -> None:
    user = item(0x51, struct.pack(">L", 0)) + item(0x99, b"?") + item(0x55, b"\xff\xfe")
    got = accepted(context(1, CT, [EXPLICIT]), extra=item(0x77, b"new"), user=user)
    assert (list(got.contexts), got.peer_max_pdu) == ([1], 0)


def test_no_user_information_means_no_limit() -> None:
    body = wire.associate_body([context(1, CT, [EXPLICIT])], user=b"")[:-4]
    got = negotiate(body, "PACSFW", MAX_PDU, KNOWN)
    assert isinstance(got, Accepted)
    assert got.peer_max_pdu == 0


@pytest.mark.parametrize(
    "contexts",
    [
        [],
        [context(2, CT, [EXPLICIT])],
        [context(1, CT, [EXPLICIT])] * 2,
        [context(1, CT, [])],
        [item(0x20, b"\1\0\0")],
        [item(0x20, b"\1\0\0\0" + item(0x40, EXPLICIT.encode()))],
        [item(0x20, b"\1\0\0\0" + item(0x30, CT.encode()) + b"\x40\0\xff\xff")],
        [context(1, CT, [EXPLICIT] * 300)],
        [context(1, CT, [EXPLICIT])] * 200,
        [b"\x20\0\xff\xff\1"],
    ],
)
def test_a_malformed_or_excessive_request_is_a_protocol_error(contexts: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        answer(*contexts)


def test_a_request_cut_anywhere_is_a_protocol_error_or_rejected() -> None:
    body = wire.associate_body(wire.default_contexts())
    end_of_contexts = len(body) - len(item(0x50, item(0x51, bytes(4)) + item(0x52, b"1.2.3")))
    for length in range(end_of_contexts - 1):
        try:
            got = negotiate(body[:length], "PACSFW", MAX_PDU, KNOWN)
        except ProtocolError:
            continue
        assert isinstance(got, Rejected) or len(got.contexts) == 1


@given(st.binary(max_size=200))
def test_garbage_after_a_good_start_never_breaks_the_negotiation(garbage: bytes) -> None:
    body = wire.associate_body(wire.default_contexts())[:68] + garbage
    try:
        negotiate(body, "PACSFW", MAX_PDU, KNOWN)
    except ProtocolError:
        return


@given(st.integers(68, 200), st.integers(0, 255))
def test_one_wrong_byte_never_breaks_the_negotiation(position: int, value: int) -> None:
    body = bytearray(wire.associate_body(wire.default_contexts()))
    body[position % len(body)] = value
    try:
        negotiate(bytes(body), "PACSFW", MAX_PDU, KNOWN)
    except ProtocolError:
        return
