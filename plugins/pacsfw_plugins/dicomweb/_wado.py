"""WADO-RS as a transfer (PS3.18 section 10.4): instances as the server stores them."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import requests

from pacsfw.api import Clock, Inbox, Level, Outcome, Request, RunContext, Transfer
from pacsfw.dimse import status as dimse
from pacsfw.errors import RemoteError
from pacsfw_plugins._incoming import NO_SUCH_INSTANCE, PARTLY, NotKept, keep
from pacsfw_plugins.dicomweb import _multipart
from pacsfw_plugins.dicomweb._client import (
    Busy,
    Connection,
    NoAnswer,
    NoService,
    Refused,
    in_words,
    server_of,
)

_PIECE = 256 * 1024
_ACCEPT = (
    'multipart/related; type="application/dicom"; transfer-syntax=*',
    "multipart/related; type=application/dicom; transfer-syntax=*",
    "application/dicom; transfer-syntax=*",
    'multipart/related; type="application/dicom"',
    "application/dicom",
)
"""Tried in this order: some servers refuse quotes, or return single instances only. Without
``transfer-syntax=*``, which some refuse as well, the server may convert instances (PS3.18 section
8.7.3.5.2)."""
_OTHER_ACCEPT = {400, 406, 415}
"""Statuses after which another Accept header may work; servers do not only use 406."""

_STATUS = {
    200: dimse.SUCCESS,
    204: dimse.SUCCESS,
    206: PARTLY,
    400: dimse.WRONG_IDENTIFIER,
    403: dimse.WRONG_IDENTIFIER,
    404: NO_SUCH_INSTANCE,
    405: dimse.WRONG_IDENTIFIER,
    406: dimse.WRONG_IDENTIFIER,
    410: NO_SUCH_INSTANCE,
    413: dimse.WRONG_IDENTIFIER,
    415: dimse.WRONG_IDENTIFIER,
    422: dimse.WRONG_IDENTIFIER,
    501: dimse.WRONG_IDENTIFIER,
}
"""HTTP status to the equivalent DIMSE status; all others become `_FAILURE`. A900 says that requests
at another level may work: servers refuse whole studies by any of these."""
_converting: set[str] = set()
"""The runs in which it was said that the server may convert instances: one instance per thread."""
_FAILURE = 0x0110
"""DIMSE status "processing failure" (PS3.7 annex C)."""
_ADVICE = {
    206: ": the server sent only a part",
    404: " (not stored there, or not served at this level)",
    406: " (the server offers none of the media types)",
}


@dataclass(slots=True)
class _Came:
    """The instances received by one request."""

    sealed: int = 0
    refused: list[str] = field(default_factory=list)
    """UIDs of instances that were not stored; empty for an unknown UID."""
    why: str = ""
    comment: str = ""


class _Cancelled(Exception):
    """The run is being stopped."""


class Wado(Transfer):
    """Sends one request for a study or series, or one for each single instance.

    Parameters
    ----------
    total_timeout
        Seconds after which a request is abandoned.
    max_object_size
        Limit of one instance in bytes; a larger one is not stored.
    level
        The level at which retrieves begin.
    """

    def __init__(
        self,
        total_timeout: float = 86400,
        max_object_size: int = 16 << 30,
        level: Level = "STUDY",
    ) -> None:
        self.first_level = level
        self._total, self._max_size = total_timeout, int(max_object_size)
        self._clock = Clock()
        self._connection: Connection | None = None
        self._accept = _ACCEPT[0]
        self._has_served = False
        self._log, self._run_id = logging.getLogger("pacsfw"), ""
        self._cancelled = threading.Event()
        self._running: requests.Response | None = None
        self._lock = threading.Lock()

    def open(self, context: RunContext) -> None:
        """Remember the server; the first request connects.

        Raises
        ------
        ConfigError
            The configuration names no server.
        """
        settings = server_of(context.net, "wado")
        self._clock, self._log, self._run_id = context.clock, context.log, context.run_id
        # Orthanc compresses responses if allowed, which takes ten times as long.
        headers = {"Accept-Encoding": "identity"}
        self._connection = Connection(
            settings, context.clock, "retrieve", headers, self._cancelled, retries=1
        )

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def cancel(self) -> None:
        self._cancelled.set()
        with self._lock:
            if self._running is not None:
                _shut_down(self._running)

    def fetch(self, request: Request, inbox: Inbox) -> Outcome:
        """Retrieve the instances into the inbox, one after another.

        The outcome has only the count of failures: a server does not report how many instances
        it will send.
        """
        if self._cancelled.is_set():
            return Outcome(
                status=None, status_text="cancelled before it was requested", reached=False
            )
        bad: list[Outcome] = []
        for path, uid in _paths(request):
            outcome = self._fetch(path, uid, inbox)
            if outcome.status != dimse.SUCCESS:
                bad.append(outcome)
            if outcome.status is None:
                break  # the connection failed: the others would probably fail as well
        if len(bad) < 2:
            return bad[0] if bad else outcome
        failed = tuple(uid for each in bad for uid in each.failed_uids)
        return replace(bad[-1], failed=len(bad), failed_uids=failed)

    def _fetch(self, path: str, uid: str, inbox: Inbox) -> Outcome:
        """Retrieve one resource; ``uid`` is that of a single instance, else empty."""
        came = _Came()
        deadline = self._clock.monotonic() + self._total
        try:
            status, ended = self._receive(path, inbox, came, deadline)
        except _Cancelled:
            status, ended = None, "cancelled"
        except NoAnswer as err:
            if isinstance(err, NoService):
                raise RemoteError(f"wado: {err}", comment=err.comment) from None
            status, ended = None, "cancelled" if self._cancelled.is_set() else str(err)
        except _multipart.Malformed as err:
            # A body that broke off may come whole next time; another one would be the same.
            is_cut = isinstance(err, _multipart.Truncated)
            status, ended = None if is_cut else _FAILURE, str(err)
        except Refused as err:
            if err.status not in _STATUS:  # 401: every request would fail
                raise
            # Nothing is smaller than an instance: the server permits no request at all.
            nothing_allowed = bool(uid) and not self._has_served
            status = dimse.NOT_AUTHORIZED if nothing_allowed else _STATUS[err.status]
            ended, came.comment = str(err), err.comment
        except Busy as err:
            status, ended, came.comment = dimse.OUT_OF_RESOURCES, str(err), err.comment
        except OSError as err:
            status = dimse.OUT_OF_RESOURCES
            ended = f"an instance could not be written: {err.strerror}"
        if came.why:
            status = PARTLY if status == dimse.SUCCESS else status
            ended = f"{ended}; {came.why}"
        if status == dimse.SUCCESS:
            return Outcome(status=status, status_text=ended)
        failed = [each for each in came.refused if each] or [uid] * bool(uid)
        return Outcome(
            status=status,
            status_text=ended,
            failed=max(len(came.refused), len(failed)) or None,
            failed_uids=tuple(failed),
            comment=came.comment,
        )

    def _receive(
        self, path: str, inbox: Inbox, came: _Came, deadline: float
    ) -> tuple[int | None, str]:
        connection = self._connected()
        response = self._ask(connection, path, deadline)
        with response, self._interruptible(response):
            code = response.status_code
            if code not in (200, 206):
                came.comment = connection.comment(response, path)
                return _STATUS.get(code, _FAILURE), f"{in_words(code)}{_ADVICE.get(code, '')}"
            for body in self._bodies(response, deadline):
                try:
                    keep(body, inbox, self._max_size)
                    came.sealed += 1
                    self._has_served = True
                except NotKept as err:
                    came.refused.append(err.uid)
                    came.why = came.why or str(err)
        return _STATUS[code], f"{in_words(code)}{_ADVICE.get(code, '')}: {came.sealed} instances"

    def _connected(self) -> Connection:
        if self._connection is None:
            raise RemoteError("wado: requested before it was opened")
        return self._connection

    def _ask(self, connection: Connection, path: str, deadline: float) -> requests.Response:
        """Request with the Accept header that worked, then with the others.

        If none works, the refusal of the first one is returned.
        """
        first: requests.Response | None = None
        for accept in (self._accept, *(each for each in _ACCEPT if each != self._accept)):
            response = connection.get(path, deadline, {"Accept": accept})
            code = response.status_code
            if code not in _OTHER_ACCEPT or (code == 400 and self._has_served):
                if first is not None:
                    first.close()
                if code in (200, 206):
                    self._keep_accept(accept)
                return response
            if first is None:
                first = response
            else:
                response.close()
        assert first is not None  # noqa: S101 - there are several headers
        return first

    def _keep_accept(self, accept: str) -> None:
        if "transfer-syntax" not in accept and self._run_id not in _converting:
            _converting.add(self._run_id)
            self._log.warning(
                "wado: the server refuses 'transfer-syntax=*', so it may convert instances to "
                "another transfer syntax before it sends them"
            )
        self._accept = accept

    @contextlib.contextmanager
    def _interruptible(self, response: requests.Response) -> Iterator[None]:
        with self._lock:
            self._running = response
        try:
            yield
        finally:
            with self._lock:
                self._running = None

    def _bodies(
        self, response: requests.Response, deadline: float
    ) -> Iterator[Iterator[bytes | memoryview]]:
        kind = _multipart.content_type(response.headers.get("Content-Type", ""))
        pieces = self._pieces(response, deadline)
        if kind.is_multipart:
            # Otherwise the end of the body is that of the connection, and may be anywhere.
            has_length = bool(response.headers.keys() & {"Content-Length", "Transfer-Encoding"})
            for part in _multipart.parts(pieces, kind.boundary, end_is_proven=has_length):
                yield part.body
            # The connection can be used again only after its end, which has no meaning.
            with contextlib.suppress(NoAnswer):
                for _ in itertools.islice(pieces, 2):
                    pass
        elif kind.media_type == "application/dicom":
            yield pieces
        else:
            raise NoService(
                f"{in_words(response.status_code)}, but the response is not DICOM: check "
                "net.dicomweb.url (a login page, a proxy?)",
                response.status_code,
            )

    def _pieces(self, response: requests.Response, deadline: float) -> Iterator[bytes]:
        for piece in self._connected().pieces(response, _PIECE):
            if self._cancelled.is_set():
                raise _Cancelled
            if self._clock.monotonic() > deadline:
                raise NoAnswer(f"not done after {self._total:g} s")
            yield piece


def _paths(request: Request) -> Iterator[tuple[str, str]]:
    path = f"studies/{request.study_uid}"
    if request.series_uid is None:
        yield path, ""
        return
    path += f"/series/{request.series_uid}"
    if not request.sop_uids:
        yield path, ""
    for uid in request.sop_uids:
        yield f"{path}/instances/{uid}", uid


def _shut_down(response: requests.Response) -> None:
    """Wake the thread that waits for the response, by ending its connection."""
    with (
        contextlib.suppress(OSError, ValueError),
        socket.socket(fileno=os.dup(response.raw.fileno())) as same,
    ):
        same.shutdown(socket.SHUT_RDWR)
