"""A small correct PACS on raw sockets; cases bend one thing each."""

from __future__ import annotations

import socket
import struct
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self

from pydicom import config, dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from odd.wire import (
    ECHO,
    EXPL,
    FIND_P,
    FIND_S,
    IMPL,
    MOVE_S,
    NO_DATA,
    Conn,
    Gone,
    command,
    decode,
    encode,
    item,
    items,
    matches,
    num,
    parse_command,
    pdu,
    pdv,
    recv_pdu,
    s,
    txt,
)
from pacsfw.testing import write_studies


class Odd:
    """A correct little PACS; scenarios override what they bend."""

    aetitle = "ODDPACS"
    accept = {FIND_S, MOVE_S, FIND_P, ECHO}
    prefer = IMPL
    max_pdu = 16384
    find_delay = 0.0
    answers_release = True

    def __init__(self, studies, aetitle="ODDPACS", destinations=None, **_: Any) -> None:
        self.aetitle = aetitle
        with tempfile.TemporaryDirectory(prefix="odd-pacs-") as folder:
            self.objects = [dcmread(path) for path in write_studies(Path(folder), studies)]
        for each in self.objects:
            del each.file_meta
        self.destinations = dict(destinations or {})
        self.log = []
        self.n_assoc = self.moves = 0
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def uids(self, level, study=""):
        key = {"STUDY": "StudyInstanceUID", "IMAGE": "SOPInstanceUID"}[level]
        return {s(o[key].value) for o in self.objects if study in ("", s(o.StudyInstanceUID))}

    def _accept(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(c,), daemon=True).start()

    def note(self, *a):
        self.log.append(" ".join(map(str, a)))

    def _serve(self, c):
        conn = Conn(self, c)
        c.settimeout(600)
        try:
            self.serve(conn)
        except (Gone, ConnectionError, TimeoutError, BrokenPipeError) as e:
            self.note("gone", type(e).__name__)
        finally:
            c.close()

    # ---- association
    def serve(self, conn):
        kind, body = recv_pdu(conn.sock)
        if kind != 1:
            return
        rq = self.parse_rq(body)
        conn.rq = rq
        self.n_assoc += 1
        conn.number = self.n_assoc
        if not self.associate(conn, rq):
            return
        cmd, data, cid = b"", b"", 0
        pending = None
        while True:
            kind, body = recv_pdu(conn.sock)
            if kind == 5:
                self.note("release-rq")
                if self.answers_release:
                    conn.send(pdu(6, bytes(4)))
                else:
                    time.sleep(60)
                return
            if kind == 7:
                self.note("abort from scu", body.hex())
                return
            p = 0
            while p < len(body):
                n, cid, flags = struct.unpack_from(">LBB", body, p)
                frag = body[p + 6 : p + 4 + n]
                p += 4 + n
                if flags & 1:
                    cmd += frag
                else:
                    data += frag
                if flags & 2:
                    if flags & 1:
                        pending, cmd = parse_command(cmd), b""
                        if num(pending[0x800]) == NO_DATA:
                            self.dispatch(conn, cid, pending, None)
                    else:
                        d, data = data, b""
                        self.dispatch(conn, cid, pending, d)

    def parse_rq(self, body):
        out = {
            "called": txt(body[4:20]),
            "calling": txt(body[20:36]),
            "contexts": [],
            "roles": [],
            "raw": body,
        }
        for k, v in items(body[68:]):
            if k == 0x20:
                cid, a, ts = v[0], "", []
                for kk, vv in items(v[4:]):
                    text = vv.decode().strip("\0 ")
                    if kk == 0x30:
                        a = text
                    else:
                        ts.append(text)
                out["contexts"].append((cid, a, ts))
            if k == 0x50:
                for kk, vv in items(v):
                    if kk == 0x51:
                        out["max"] = struct.unpack(">L", vv)[0]
                    if kk == 0x54:
                        ul = struct.unpack_from(">H", vv)[0]
                        out["roles"].append((vv[2 : 2 + ul].decode(), vv[2 + ul], vv[3 + ul]))
        return out

    def choose(self, abstract, syntaxes):
        if abstract not in self.accept:
            return 3, syntaxes[0]
        return 0, self.prefer if self.prefer in syntaxes else syntaxes[0]

    def ac_context(self, cid, result, syntax):
        return item(0x21, bytes((cid, 0, result, 0)) + item(0x40, syntax.encode()))

    def user_info(self, rq):
        return (
            item(0x51, struct.pack(">L", self.max_pdu))
            + item(0x52, b"1.2.826.0.1.3680043.10.999.1")
            + item(0x55, b"ODD_1")
        )

    def ac_contexts(self, conn, rq):
        parts = b""
        for cid, a, ts in rq["contexts"]:
            result, syntax = self.choose(a, ts)
            if result == 0:
                conn.contexts[cid] = (a, syntax)
            parts += self.ac_context(cid, result, syntax)
        return parts

    def associate(self, conn, rq):
        conn.max = rq.get("max", 0)
        body = struct.pack(">HH", 1, 0) + rq["raw"][4:36] + bytes(32)
        body += (
            item(0x10, b"1.2.840.10008.3.1.1.1")
            + self.ac_contexts(conn, rq)
            + item(0x50, self.user_info(rq))
        )
        conn.send(pdu(2, body))
        return True

    # ---- messages
    def dispatch(self, conn, cid, cmd, data):
        f = num(cmd[0x100])
        syntax = conn.contexts[cid][1]
        if f == 0x30:
            conn.message(
                cid,
                {
                    0x002: txt(cmd[2]),
                    0x100: 0x8030,
                    0x120: num(cmd[0x110]),
                    0x800: NO_DATA,
                    0x900: 0,
                },
            )
        elif f == 0x20:
            q = decode(data, syntax)
            self.note(
                "FIND",
                q.get("QueryRetrieveLevel"),
                {
                    e.keyword: s(e.value)
                    for e in q
                    if e.keyword != "QueryRetrieveLevel" and e.value not in (None, "", [])
                },
            )
            self.find(conn, cid, cmd, q)
        elif f == 0x21:
            q = decode(data, syntax)
            self.moves += 1
            self.note(
                "MOVE",
                q.get("QueryRetrieveLevel"),
                {e.keyword: s(e.value) for e in q if e.keyword != "QueryRetrieveLevel"},
                "to",
                txt(cmd[0x600]),
            )
            self.move(conn, cid, cmd, q)
        elif f == 0xFFF:
            self.note("CANCEL")
        elif f == 0x8001:
            conn.state.setdefault("stored", []).append(num(cmd[0x900]))
        else:
            self.note("other", hex(f))

    def select(self, q, level):
        keys = {e.keyword: (s(e.value), e.VR) for e in q if e.keyword and e.VR != "SQ"}
        out = []
        for ds in self.objects:
            ok = True
            for k, (v, vr) in keys.items():
                if (
                    k
                    in (
                        "QueryRetrieveLevel",
                        "SpecificCharacterSet",
                        "ModalitiesInStudy",
                        "RetrieveAETitle",
                    )
                    or k.startswith("NumberOf")
                    or not v
                ):
                    continue
                if not matches(s(ds.get(k)), v, vr):
                    ok = False
                    break
            if ok:
                out.append(ds)
        return out

    def rows(self, q):
        level = s(q.get("QueryRetrieveLevel"))
        key = {
            "PATIENT": "PatientID",
            "STUDY": "StudyInstanceUID",
            "SERIES": "SeriesInstanceUID",
            "IMAGE": "SOPInstanceUID",
        }[level]
        groups = {}
        for ds in self.select(q, level):
            groups.setdefault(s(ds.get(key)), []).append(ds)
        wanted = s(q.get("ModalitiesInStudy"))
        for _uid, group in groups.items():
            if (
                level == "STUDY"
                and wanted
                and not any(matches(s(d.Modality), wanted, "CS") for d in group)
            ):
                continue
            yield self.row(q, level, group)

    def row(self, q, level, group):
        r = Dataset()
        first = group[0]
        for e in q:
            k = e.keyword
            if k == "QueryRetrieveLevel":
                r.QueryRetrieveLevel = level
                continue
            if e.VR == "SQ":
                continue
            if k == "ModalitiesInStudy":
                v = sorted({s(d.Modality) for d in group})
            elif k == "NumberOfStudyRelatedInstances" or k == "NumberOfSeriesRelatedInstances":
                v = str(len(group))
            elif k == "NumberOfStudyRelatedSeries":
                v = str(len({s(d.SeriesInstanceUID) for d in group}))
            elif k == "RetrieveAETitle":
                v = self.aetitle
            else:
                v = first.get(k)
            r.add(
                DataElement(e.tag, e.VR, v if v is not None else "", validation_mode=config.IGNORE)
            )
        return r

    def find_rsp(self, cmd, status, has_data):
        return {
            0x002: txt(cmd[2]),
            0x100: 0x8020,
            0x120: num(cmd[0x110]),
            0x800: 0x0102 if has_data else NO_DATA,
            0x900: status,
        }

    def encode_row(self, row, syntax):
        return encode(row, syntax)

    def find(self, conn, cid, cmd, q):
        syntax = conn.contexts[cid][1]
        n = 0
        for row in self.rows(q):
            conn.message(cid, self.find_rsp(cmd, 0xFF00, True), self.encode_row(row, syntax))
            n += 1
        self.find_end(conn, cid, cmd, q, n)

    def find_end(self, conn, cid, cmd, q, n):
        conn.message(cid, self.find_rsp(cmd, 0, False))

    # ---- move
    def move_rsp(
        self, cmd, status, remaining=None, completed=0, failed=0, warning=0, has_data=False
    ):
        out = {
            0x002: txt(cmd[2]),
            0x100: 0x8021,
            0x120: num(cmd[0x110]),
            0x800: 0x0102 if has_data else NO_DATA,
            0x900: status,
            0x1021: completed,
            0x1022: failed,
            0x1023: warning,
        }
        if remaining is not None:
            out[0x1020] = remaining
        return out

    def move_select(self, q):
        return self.select(q, s(q.QueryRetrieveLevel))

    def move(self, conn, cid, cmd, q):
        dest = txt(cmd[0x600])
        objs = self.move_select(q)
        if dest not in self.destinations:
            conn.message(cid, self.move_rsp(cmd, 0xA801))
            return
        done = failed = 0
        out = StoreOut(self, *self.destinations[dest], called=dest, msgid=num(cmd[0x110]))
        try:
            out.open(sorted({(s(o.SOPClassUID), self.syntax_for(o)) for o in objs}))
            for n, o in enumerate(objs):
                st = self.store(out, o)
                if st == 0:
                    done += 1
                else:
                    failed += 1
                self.after_store(conn, cid, cmd, len(objs) - n - 1, done, failed)
        except (Gone, OSError) as e:
            self.note("store broke", repr(e))
            failed += len(objs) - done - failed
        finally:
            out.close()
        self.move_end(conn, cid, cmd, q, done, failed)

    def after_store(self, conn, cid, cmd, left, done, failed):
        conn.message(cid, self.move_rsp(cmd, 0xFF00, left, done, failed))

    def move_end(self, conn, cid, cmd, q, done, failed):
        status = 0 if not failed else 0xB000 if done else 0xA702
        conn.message(cid, self.move_rsp(cmd, status, None, done, failed))

    def syntax_for(self, ds):
        return EXPL

    def object_bytes(self, ds, syntax):
        return encode(ds, syntax)

    def store(self, out, ds):
        return out.store(ds, self.syntax_for(ds))


class StoreOut:
    """Sends objects to the collector over one association."""

    def __init__(self, pacs, host, port, called, msgid, calling=None):
        self.pacs, self.addr, self.called, self.msgid = pacs, (host, port), called, msgid
        self.calling = calling or pacs.aetitle
        self.sock, self.contexts, self.id = None, {}, 0

    def rq(self, wanted):
        body = (
            struct.pack(">HH", 1, 0)
            + self.called.encode().ljust(16)
            + self.calling.encode().ljust(16)
            + bytes(32)
        )
        body += item(0x10, b"1.2.840.10008.3.1.1.1")
        for n, (a, t) in enumerate(wanted):
            body += item(
                0x20, bytes((2 * n + 1, 0, 0, 0)) + item(0x30, a.encode()) + item(0x40, t.encode())
            )
        body += item(
            0x50,
            item(0x51, struct.pack(">L", 16384))
            + item(0x52, b"1.2.826.0.1.3680043.10.999.1")
            + item(0x55, b"ODD_1"),
        )
        return pdu(1, body)

    def open(self, wanted):
        self.sock = socket.create_connection(self.addr, 10)
        self.sock.settimeout(60)
        self.sock.sendall(self.rq(wanted))
        kind, body = recv_pdu(self.sock)
        if kind != 2:
            self.pacs.note("association refused", kind, body.hex())
            raise Gone
        self.max = 16384
        for k, v in items(body[68:]):
            if k == 0x21 and v[2] == 0:
                self.contexts[wanted[v[0] // 2]] = v[0]
            if k == 0x50:
                for kk, vv in items(v):
                    if kk == 0x51:
                        self.max = struct.unpack(">L", vv)[0]
        self.pacs.note(
            "store assoc, contexts accepted", len(self.contexts), "of", len(wanted), "max", self.max
        )

    def store_cmd(self, ds):
        self.id += 1
        return {
            0x002: s(ds.SOPClassUID),
            0x100: 0x0001,
            0x110: self.id,
            0x700: 0,
            0x800: 0x0102,
            0x1000: s(ds.SOPInstanceUID),
            0x1030: "mytitle",
            0x1031: self.msgid,
        }

    chunk = None

    def store(self, ds, syntax, data=None, cmd=None):
        key = (s(ds.SOPClassUID), syntax)
        if key not in self.contexts:
            return 0x0122
        cid = self.contexts[key]
        data = self.pacs.object_bytes(ds, syntax) if data is None else data
        self.sock.sendall(pdu(4, pdv(cid, 3, command(cmd or self.store_cmd(ds)))))
        step = self.chunk or min(self.max or 1 << 16, 1 << 16) - 6
        parts = [data[i : i + step] for i in range(0, len(data), step)] or [b""]
        for n, part in enumerate(parts):
            self.sock.sendall(pdu(4, pdv(cid, 2 if n == len(parts) - 1 else 0, part)))
        kind, body = recv_pdu(self.sock)
        if kind != 4:
            self.pacs.note("answer to C-STORE is PDU", kind, body.hex())
            raise Gone
        rsp = parse_command(body[6:])
        st = num(rsp[0x900])
        if st:
            self.pacs.note("C-STORE status", hex(st), rsp.get(0x902, b"").decode("latin-1"))
        return st

    def close(self):
        if self.sock:
            try:
                self.sock.sendall(pdu(5, bytes(4)))
                self.sock.settimeout(5)
                recv_pdu(self.sock)
            except (OSError, Gone):
                pass
            self.sock.close()
