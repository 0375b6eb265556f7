"""A DICOMweb server that does what a test tells it to, also what no server should do."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pacsfw.api import (
    Clock,
    DicomWeb,
    Net,
    Node,
    Query,
    QueryProvider,
    QueryResult,
    QueryRow,
    RunContext,
)
from pacsfw_plugins.dicomweb.qido import pacsfw_query_providers

ALL = Query(level="STUDY", match={"StudyDate": "20200101-20201231"}, returns=("PatientName",))
DICOM_JSON = {"Content-Type": "application/dicom+json"}


@dataclass
class Asked:
    """A request as it came."""

    path: str
    query: dict[str, list[str]]
    raw: str
    headers: Any

    def number(self, name: str) -> int:
        return int(self.query[name][0])


@dataclass
class Sent:
    """An answer; ``body`` is sent as it is, anything else as JSON."""

    rows: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    promised: int | None = None
    """Content-Length where it is not that of the body."""
    then_wait: threading.Event | None = None
    """The rest of the body comes when it is set."""


Script = Callable[[Asked], Sent]


class Web:
    """A running server and what it was asked."""

    def __init__(self, port: int, scheme: str) -> None:
        self.asked: list[Asked] = []
        self.url = f"{scheme}://127.0.0.1:{port}/dicom-web"

    @property
    def windows(self) -> list[tuple[int, int]]:
        """The (offset, limit) of every request."""
        return [(each.number("offset"), each.number("limit")) for each in self.asked]


@contextmanager
def serving(script: Script, certificate: Path | None = None) -> Iterator[Web]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = Asked(parts.path, parse_qs(parts.query), parts.query, self.headers)
            web.asked.append(asked)
            sent = script(asked)
            body = sent.body if sent.body is not None else json.dumps(sent.rows).encode()
            body = b"" if sent.status == 204 else body
            self.send_response(sent.status)
            for name, value in (DICOM_JSON | sent.headers).items():
                self.send_header(name, value)
            length = len(body) if sent.promised is None else sent.promised
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)
            if sent.then_wait:
                sent.then_wait.wait(30)
            self.close_connection = length != len(body)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False

        def process_request(self, request: Any, client_address: Any) -> None:
            connections.append(request)
            super().process_request(request, client_address)

        def handle_error(self, *_: Any) -> None:
            pass  # a client that went away in the middle is what some tests are about

    connections: list[socket.socket] = []
    server = Server(("127.0.0.1", 0), Handler)
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    web = Web(server.server_address[1], "https" if certificate else "http")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        for connection in connections:  # urllib3 closes its ends when it gets round to it
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        server.server_close()


@contextmanager
def raw_server(answer: bytes) -> Iterator[str]:
    """Answer each connection with these bytes and close it; yield the address."""
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/dicom-web"
        finally:
            over.set()
            thread.join()


class Waited(Clock):
    """A clock on which waiting takes no time; it keeps what was waited for."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def now(self) -> datetime:
        return datetime(2020, 6, 1, 12, tzinfo=UTC) + timedelta(seconds=sum(self.waits))

    def monotonic(self) -> float:
        return 1000.0 + sum(self.waits)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        return False


def context(net: Net | None, clock: Clock | None = None) -> RunContext:
    return RunContext(
        run_id="test",
        workdir=Path(),
        net=net,
        sections={},
        clock=clock or Clock(),
        log=logging.getLogger("test"),
    )


@contextmanager
def qido(
    url: str, clock: Clock | None = None, options: dict[str, Any] | None = None, **settings: Any
) -> Iterator[QueryProvider]:
    (component,) = pacsfw_query_providers()
    made = component.factory(**(options or {}))
    web = DicomWeb(**{"url": url, "timeout": 20.0, **settings})
    made.open(context(Net(local=Node(aetitle="PACSFW"), dicomweb=web), clock))
    try:
        yield made
    finally:
        made.close()


def ask(asked: QueryProvider, query: Query = ALL) -> tuple[QueryResult, list[dict[str, str]]]:
    rows: list[QueryRow] = []
    answer = asked.ask(query, rows.append)
    return answer, [dict(row.attributes) for row in rows]


def uids(rows: list[dict[str, str]]) -> list[str]:
    return [row["StudyInstanceUID"] for row in rows]


def row(number: int | str, **elements: Any) -> dict[str, Any]:
    """Return a study in DICOM JSON; ``elements`` are tags with a letter before them."""
    uid = {"vr": "UI", "Value": [f"1.2.{number}"]}
    return {"0020000D": uid, **{tag.lstrip("t"): value for tag, value in elements.items()}}


def listing(count: int, cap: int = 10**6) -> Script:
    """Return a good server with ``count`` studies, which gives at most ``cap`` at a time."""
    rows = [row(number) for number in range(count)]

    def answer(asked: Asked) -> Sent:
        first = asked.number("offset")
        page = rows[first : first + min(cap, asked.number("limit"))]
        return Sent(page) if page else Sent(status=204)

    return answer
