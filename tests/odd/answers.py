"""PACS whose associations and responses are odd in one way each, and harmless."""

from __future__ import annotations

import copy
import struct
import time

from odd.pacs import Odd
from odd.wire import EXPL, IMPL, command, encode, item, pdu, pdv, s


class LongVersionName(Odd):
    """A version name longer than 16 letters, not all of them ASCII."""

    def user_info(self, rq):
        name = "Vendor PACS M\xfcnchen 12.1.4".encode("latin-1")
        return item(0x51, struct.pack(">L", self.max_pdu)) + item(0x52, b"1.2.3") + item(0x55, name)


class UnknownItems(Odd):
    """Items that nobody knows, and a context that was not proposed."""

    def user_info(self, rq):
        return super().user_info(rq) + item(0x5A, b"\1\2vendor")

    def ac_contexts(self, conn, rq):
        return super().ac_contexts(conn, rq) + self.ac_context(77, 0, IMPL) + item(0x99, b"?")


class EmptyCounts(Odd):
    """Counts of sub-operations that are there and empty."""

    counts = b""

    def move_rsp(self, *given, **named):
        response = super().move_rsp(*given, **named)
        return {**response, **dict.fromkeys((0x1020, 0x1021, 0x1022, 0x1023), self.counts)}


class LongCounts(EmptyCounts):
    """Counts of four bytes."""

    counts = struct.pack("<L", 1)


class PendingSaysData(Odd):
    """A pending response of C-MOVE announces a data set that does not come."""

    def after_store(self, conn, cid, cmd, left, done, failed):
        conn.message(cid, self.move_rsp(cmd, 0xFF00, left, done, failed, has_data=True))


class SuccessSaysData(Odd):
    """The final responses announce a data set that does not come."""

    def find_end(self, conn, cid, cmd, q, n):
        conn.message(cid, self.find_rsp(cmd, 0, True))

    def move_end(self, conn, cid, cmd, q, done, failed):
        conn.message(cid, self.move_rsp(cmd, 0, None, done, failed, has_data=True))


class StrayElements(Odd):
    """(0008,0058) in the command sets of responses, and an element twice."""

    stray = struct.pack("<HHL", 0x0008, 0x0058, 4) + b"1.2\0" + struct.pack("<HHLH", 0, 0x900, 2, 1)

    def serve(self, conn):
        send = conn.message

        def message(cid, cmd, data=None):
            if cmd[0x100] not in (0x8020, 0x8021):
                return send(cid, cmd, data)
            conn.send(pdu(4, pdv(cid, 3, command(cmd) + self.stray)))
            if data is not None:
                conn.data(cid, data)
            return None

        conn.message = message
        super().serve(conn)


class ElementsTwice(Odd):
    """Every row has its PatientID twice."""

    def encode_row(self, row, syntax):
        only = copy.deepcopy(row)
        for element in list(only):
            if element.keyword != "PatientID":
                del only[element.tag]
        return encode(row, syntax) + encode(only, syntax)


class OtherSyntax(Odd):
    """Rows are encoded in the transfer syntax that was not agreed on."""

    def encode_row(self, row, syntax):
        return encode(row, EXPL if syntax == IMPL else IMPL)


class AllInOnePdu(Odd):
    """The last row and the final response come in one PDU."""

    def find(self, conn, cid, cmd, q):
        syntax, rows = conn.contexts[cid][1], list(self.rows(q))
        for row in rows[:-1]:
            conn.message(cid, self.find_rsp(cmd, 0xFF00, True), self.encode_row(row, syntax))
        tail = pdv(cid, 3, command(self.find_rsp(cmd, 0, False)))
        if rows:
            first = pdv(cid, 3, command(self.find_rsp(cmd, 0xFF00, True)))
            tail = first + pdv(cid, 2, self.encode_row(rows[-1], syntax)) + tail
        conn.send(pdu(4, tail))


class NoRelease(Odd):
    """A release is never answered."""

    answers_release = False


class BusyAfterRelease(Odd):
    """No other association for a second after one."""

    seconds = 1.0
    last = 0.0

    def associate(self, conn, rq):
        if time.monotonic() - self.last < self.seconds:
            conn.send(pdu(3, bytes((0, 2, 3, 2))))
            return False
        conn.is_taken = True
        return super().associate(conn, rq)

    def serve(self, conn):
        try:
            super().serve(conn)
        finally:
            if getattr(conn, "is_taken", False):
                self.last = time.monotonic()


class NamesTheCause(Odd):
    """Every retrieve fails, and the Error Comment says why."""

    def move(self, conn, cid, cmd, q):
        patient = s(self.objects[0].PatientName)
        comment = f"tape CT0412 of {patient}"
        conn.message(cid, {**self.move_rsp(cmd, 0xC002), 0x902: comment})


HARMLESS = (
    LongVersionName, UnknownItems, EmptyCounts, LongCounts, PendingSaysData, SuccessSaysData,
    StrayElements, ElementsTwice, OtherSyntax, AllInOnePdu, NoRelease, BusyAfterRelease,
)  # fmt: skip
