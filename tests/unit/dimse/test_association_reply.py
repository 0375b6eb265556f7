"""What peers put into an A-ASSOCIATE-AC, and what of it counts."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacsfw.dimse.association_reply import read
from pacsfw.dimse.negotiation import Context

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
FIND, MOVE = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2"
PROPOSED = {1: (FIND, (EXPLICIT, IMPLICIT)), 3: (MOVE, (IMPLICIT,))}
FIXED = bytes((0, 1)) + bytes(66)


def item(kind, value):
    return struct.pack(">BxH", kind, len(value)) + value


def context(context_id, syntax=EXPLICIT, result=0, more=b""):
    syntax = b"" if syntax is None else item(0x40, syntax.encode())
    return item(0x21, bytes((context_id, 0, result, 0)) + syntax + more)


def user(*items):
    return item(0x50, b"".join(items))


MAXIMUM = item(0x51, struct.pack(">L", 16384))
USER = user(MAXIMUM)


@pytest.mark.parametrize(
    "more",
    [
        user(MAXIMUM, item(0x55, b"More than 16 letters, M\xfcnchen")),
        user(item(0x52, b"1.2.PACS.v7"), MAXIMUM, item(0x5A, b"?")),
        item(0x99, b"unknown") + USER,
        context(77) + USER,
        context(3, result=3, syntax=None) + USER,
        context(4, IMPLICIT) + USER,
        USER + b"\x50\x00\xff\xff cut",
    ],
    ids=["name", "class UID", "unknown item", "not proposed", "rejected", "even ID", "cut"],
)  # fmt: skip
def test_what_the_standard_says_to_skip_is_skipped(more):
    reply = read(FIXED + context(1) + more, PROPOSED)

    assert dict(reply.contexts) == {1: Context(FIND, EXPLICIT)}
    assert reply.max_pdu == 16384


@pytest.mark.parametrize("padding", ["\0", " ", "\0 "])
def test_a_padded_transfer_syntax_is_the_one_that_was_offered(padding):
    reply = read(FIXED + context(1, EXPLICIT + padding), PROPOSED)

    assert reply.contexts[1].transfer_syntax == EXPLICIT


def test_a_context_with_a_syntax_that_was_not_offered_is_not_usable():
    reply = read(FIXED + context(1, BIG) + context(3, BIG), PROPOSED)

    assert dict(reply.contexts) == {}


def test_no_syntax_is_needed_where_only_one_was_offered():
    assert read(FIXED + context(3, None), PROPOSED).contexts == {3: Context(MOVE, IMPLICIT)}
    assert read(FIXED + context(1, None), PROPOSED).contexts == {}


@pytest.mark.parametrize("body", [b"", FIXED, FIXED + USER, b"HTTP/1.1 400 Bad Request" * 4])
def test_no_context_at_all_is_no_response(body):
    assert read(body, PROPOSED) is None


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything(data):
    read(FIXED + data, PROPOSED)
