"""GET requests to a DICOMweb server (PS3.18 section 8): one page of JSON, or words why not.

An address holds what is searched for, and libraries quote addresses in their messages: no
text of theirs is passed on, no error is chained to one of theirs.
"""

from __future__ import annotations

import email.utils
import json
import logging
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from pacsfw.api import Clock, DicomWeb
from pacsfw.errors import RemoteError

MAX_PAGE = 64 * 2**20
"""Bytes, after decompression, that one answer may have."""

_MEDIA_TYPES = {"application/dicom+json", "application/json"}
_CHUNK = 65_536
_REDIRECTS = 5
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_ATTEMPTS = 4
_LONGEST_PAUSE = 300.0
_USUAL_PAUSE = 5.0
"""Seconds; the longest that the server may ask for, and what is waited if it does not say."""


class NoPage(Exception):
    """A question was not answered; the message says how it ended, and quotes nothing."""

    def __init__(self, ended: str, status: int | None = None) -> None:
        super().__init__(ended)
        self.status = status


class NoService(NoPage):
    """Nothing that speaks DICOMweb answered: other questions will fare no better."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer: its status, the rows in it, and its ``Warning`` header."""

    status: int
    rows: list[Any]
    warning: str


class _Credentials(requests.auth.AuthBase):
    """What the configuration says and nothing else; without it requests asks ``~/.netrc``."""

    def __init__(self, settings: DicomWeb) -> None:
        self._settings = settings

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        settings = self._settings
        if settings.token:
            request.headers["Authorization"] = f"Bearer {settings.token}"
        elif settings.username:
            name, password = settings.username.encode(), settings.password.encode()
            requests.auth.HTTPBasicAuth(name, password)(request)
        return request


class Connection:
    """A session with the server; connections are kept and used again."""

    def __init__(self, settings: DicomWeb, clock: Clock) -> None:
        self._settings, self._clock, self._now = settings, clock, clock.monotonic
        self._session = requests.Session()
        self._session.headers["Accept"] = "application/dicom+json"
        self._session.headers.update(settings.headers)
        self._session.auth = _Credentials(settings)
        logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)  # it logs addresses
        if settings.verify is False:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def close(self) -> None:
        """Close every connection."""
        self._session.close()

    def get(self, path: str, deadline: float) -> Reply:
        """Ask for one page.

        Parameters
        ----------
        path
            What follows the base address: resource and query, percent-encoded.
        deadline
            When to give up, on the monotonic clock.

        Raises
        ------
        NoPage
            There is no such page, or it broke off.
        RemoteError
            The server lets us in no more, or not now.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            with self._answer(f"{self._settings.url}/{path}") as response:
                if response.status_code not in _BUSY:
                    return self._reply(response, deadline)
                pause = self._pause(response)
            if attempt == _ATTEMPTS or pause > min(_LONGEST_PAUSE, deadline - self._now()):
                break
            self._clock.wait(threading.Event(), pause)
        raise RemoteError(
            f"{self._settings.url}: {in_words(response.status_code)}: the server is busy, or "
            "limits how often it may be asked; try again later"
        )

    def _pause(self, response: requests.Response) -> float:
        """Return the seconds that the server asks us to wait (RFC 9110 section 10.2.3)."""
        text = response.headers.get("Retry-After", "")
        if text.isascii() and text.isdigit():
            return float(text)
        try:
            moment = email.utils.parsedate_to_datetime(text)
        except ValueError:
            return _USUAL_PAUSE
        return max(0.0, (_aware(moment) - self._clock.now()).total_seconds())

    def _answer(self, url: str) -> requests.Response:
        """Return the answer, of which only the header has been read."""
        for _ in range(_REDIRECTS):
            response = self._send(url)
            if not response.is_redirect:
                return response
            target = urljoin(url, response.headers["Location"])
            response.close()
            if urlsplit(target)[:2] != urlsplit(url)[:2]:
                raise NoService(
                    f"{in_words(response.status_code)} to another server, which is not followed "
                    "with our credentials: check net.dicomweb.url (a login page?)",
                    response.status_code,
                )
            url = target
        raise NoService("the server redirects without end: check net.dicomweb.url")

    def _send(self, url: str) -> requests.Response:
        try:
            return self._get(url)
        except requests.ConnectionError as err:
            if not _was_dropped(err):
                raise self._unreachable(err) from None
        except requests.RequestException as err:
            raise self._unreachable(err) from None
        try:  # the server may have closed a connection at rest: ask over a fresh one
            return self._get(url)
        except requests.RequestException as err:
            raise self._unreachable(err) from None

    def _get(self, url: str) -> requests.Response:
        settings = self._settings
        try:
            return self._session.get(
                url,
                timeout=settings.timeout,
                verify=settings.verify,
                allow_redirects=False,
                stream=True,
            )
        except OSError as err:
            if isinstance(err, requests.RequestException):
                raise
            # So requests says that there is no such file.
            raise NoService("the file of net.dicomweb.verify cannot be read") from None

    def _unreachable(self, err: requests.RequestException) -> NoPage:
        if isinstance(err, requests.ReadTimeout):
            return NoPage(f"no answer within {self._settings.timeout:g} s")
        if isinstance(err, requests.ConnectTimeout):
            return NoService(f"no connection within {self._settings.timeout:g} s: check {_WHERE}")
        if isinstance(err, requests.exceptions.SSLError):
            return NoService(f"{_tls_failure(err)}: check net.dicomweb.url and verify")
        if isinstance(err, requests.exceptions.ProxyError):
            return NoService(f"the proxy did not connect us: check {_WHERE}")
        return NoService(f"no connection ({_reason(err)}): check {_WHERE}")

    def _reply(self, response: requests.Response, deadline: float) -> Reply:
        status = response.status_code
        warning = response.headers.get("Warning", "")
        if status == HTTPStatus.NO_CONTENT:
            return Reply(status, [], warning)
        if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            raise self._refusal(status)
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type in _MEDIA_TYPES:
            rows = _rows(self._body(response, deadline))
            if rows is not None:
                return Reply(status, rows, warning)
        raise NoService(
            f"{in_words(status)}, but what came is no list in DICOM JSON: check net.dicomweb.url "
            "(a login page, a proxy?)",
            status,
        )

    def _body(self, response: requests.Response, deadline: float) -> bytes:
        body = bytearray()
        try:
            for chunk in response.iter_content(_CHUNK):
                body += chunk
                if len(body) > MAX_PAGE:
                    raise NoPage(
                        f"a page is larger than {MAX_PAGE >> 20} MiB: set a smaller page_size"
                    )
                if self._now() > deadline:
                    raise NoPage("it took too long")
        except requests.RequestException as err:
            if any(isinstance(each, TimeoutError) for each in _causes(err)):
                raise NoPage(f"nothing more came within {self._settings.timeout:g} s") from None
            raise NoPage("the answer broke off in the middle") from None
        return bytes(body)

    def _refusal(self, status: int) -> Exception:
        said = in_words(status)
        if status == HTTPStatus.UNAUTHORIZED:
            return RemoteError(
                f"{self._settings.url}: {said}: the credentials are missing, wrong or expired; "
                "check username and password, or token, of net.dicomweb"
            )
        if status == HTTPStatus.FORBIDDEN:
            return RemoteError(
                f"{self._settings.url}: {said}: the server knows us and does not let us search; "
                "ask its administrator for the right to"
            )
        return NoPage(f"{said}{_ADVICE.get(status, '')}", status)


def _rows(body: bytes) -> list[Any] | None:
    try:
        # Numbers stay as they are written.
        content = json.loads(body, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, list) else None


_WHERE = "net.dicomweb.url, that the server runs, and the proxy settings"
_ADVICE = {
    400: " (the server does not accept a key, or a page_size as large as this)",
    404: " (there is no such resource: check net.dicomweb.url)",
    406: " (the server does not offer application/dicom+json)",
    407: " (check the proxy settings)",
    413: " (more matches than the server gives)",
}


def in_words(status: int) -> str:
    """Return ``404 Not Found``."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} (a status of the server's own)"


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _causes(err: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was made from; requests and urllib3 nest them in arguments."""
    waiting: list[object] = [err]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]


def _was_dropped(err: requests.ConnectionError) -> bool:
    return any(isinstance(each, ConnectionResetError | BrokenPipeError) for each in _causes(err))


def _tls_failure(err: Exception) -> str:
    for each in _causes(err):
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"the certificate of the server is not good ({each.verify_message})"
    return "no encrypted connection came about"


def _reason(err: Exception) -> str:
    for each in _causes(err):
        if isinstance(each, OSError) and each.errno and each.strerror:
            return each.strerror
    return "what came back is not HTTP"
