"""GET requests to a DICOMweb server (PS3.18 section 8): a response, or the reason for none.

A URL contains the search values, and libraries quote URLs in their messages. So no message of
a library is passed on, and no error is chained to one of a library.
"""

from __future__ import annotations

import email.utils
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from pacsfw.api import Clock, DicomWeb, Net
from pacsfw.errors import ConfigError, RemoteError
from pacsfw_plugins.dicomweb import _failures, _said

_REDIRECTS = 5
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_ATTEMPTS = 4
_FAILED = {
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.GATEWAY_TIMEOUT,
}
"""After these, a GET may be repeated, which changes nothing on the server."""
_SHORT_PAUSE = 1.0
_LONGEST_PAUSE = 300.0
_USUAL_PAUSE = 5.0
"""Seconds: the limit for the pause that a server requests, and the pause if it names none."""


class NoAnswer(Exception):
    """There is no usable response; the message gives the reason and quotes nothing.

    ``comment`` is what the server said, and ``keys`` are the keywords that it named.
    """

    def __init__(
        self,
        ended: str,
        status: int | None = None,
        *,
        comment: str = "",
        keys: tuple[str, ...] = (),
    ) -> None:
        super().__init__(ended)
        self.status, self.comment, self.keys = status, comment, keys


class NoService(NoAnswer):
    """No DICOMweb service responds, so other requests would fail as well."""


class Refused(RemoteError):
    """The server rejects the credentials (401), or does not permit the request (403)."""

    def __init__(self, message: str, status: int, comment: str) -> None:
        super().__init__(message, comment=comment)
        self.status = status


class Busy(RemoteError):
    """The server is busy (429, 503)."""


class _Credentials(requests.auth.AuthBase):
    """The configured credentials; without this class requests would read ``~/.netrc``."""

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


def server_of(net: Net | None, use: str) -> DicomWeb:
    """Return the DICOMweb server.

    Raises
    ------
    ConfigError
        The configuration names none.
    """
    if net is None or net.dicomweb is None:
        raise ConfigError(f"{use}: net.dicomweb is not configured; it names the server")
    return net.dicomweb


class Connection:
    """A session with the server, which keeps its connections open.

    Parameters
    ----------
    doing
        The operation to name if the server refuses it: ``search``.
    headers
        Sent with every request; configured headers take precedence.
    stop
        Once it is set, there is no further pause for a busy server.
    retries
        How often a request is repeated that failed (500, 502, 504).
    """

    def __init__(
        self,
        settings: DicomWeb,
        clock: Clock,
        doing: str,
        headers: dict[str, str],
        stop: threading.Event | None = None,
        *,
        retries: int,
    ) -> None:
        self._settings, self._clock, self._doing = settings, clock, doing
        self._retries = retries
        self._stop = stop or threading.Event()
        self._session = requests.Session()
        self._session.headers.update(headers)
        self._session.headers.update(settings.headers)
        self._session.auth = _Credentials(settings)
        logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)  # it logs addresses
        if settings.verify is False:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def close(self) -> None:
        """Close every connection."""
        self._session.close()

    def get(
        self, path: str, deadline: float, headers: dict[str, str] | None = None
    ) -> requests.Response:
        """Send a request, wait for a busy server, and return the response with its body unread.

        Parameters
        ----------
        path
            The URL after the base URL: resource and query, percent-encoded.
        deadline
            When to give up, on the monotonic clock.
        headers
            Additional headers of this request.

        Returns
        -------
        requests.Response
            With any status except 401, 403, 429 and 503. The caller must close it.

        Raises
        ------
        NoAnswer
            There is no response.
        RemoteError
            The server refuses the request, or is busy.
        """
        admitted = False
        for attempt in range(1, _ATTEMPTS + 1):
            response = self._response(f"{self._settings.url}/{path}", headers)
            if response.status_code == HTTPStatus.UNAUTHORIZED and not admitted:
                admitted = True  # the session may have expired, not the credentials: retry once
                response.close()
                self._session.cookies.clear()
                response = self._response(f"{self._settings.url}/{path}", headers)
            is_busy = response.status_code in _BUSY
            if not is_busy and response.status_code not in _FAILED:
                return self._admitted(response, path)
            pause = self._pause(response) if is_busy else _SHORT_PAUSE
            longest = min(_LONGEST_PAUSE, deadline - self._clock.monotonic())
            is_last = attempt == (_ATTEMPTS if is_busy else self._retries + 1)
            if is_last or pause > longest or self._clock.wait(self._stop, pause):
                break
            response.close()
        if not is_busy:
            return response
        comment = self.comment(response, path)
        response.close()
        raise Busy(
            f"{self._settings.url}: {in_words(response.status_code)}: the server is busy or "
            "limits the rate of requests; try again later",
            comment=comment,
        )

    def comment(self, response: requests.Response, path: str) -> str:
        """Return what the body of an error says, for a terminal."""
        return _said.comment(_said.reason(_said.body_text(response)), path)

    def pieces(self, response: requests.Response, size: int) -> Iterator[bytes]:
        """Yield the body in pieces of at most ``size`` bytes as they arrive; close the response.

        Raises
        ------
        NoAnswer
            The body ended early.
        """
        encoded = bool(response.headers.get("Content-Encoding"))
        try:
            # Not `read`, which drops a last piece that is not full.
            while piece := response.raw.read1(size, decode_content=encoded):
                yield piece
        except (urllib3.exceptions.HTTPError, OSError) as err:
            if any(isinstance(each, TimeoutError) for each in _failures.causes(err)):
                raise NoAnswer(f"no more data within {self._settings.timeout:g} s") from None
            raise NoAnswer("the response ended early") from None
        finally:
            response.close()

    def _admitted(self, response: requests.Response, path: str) -> requests.Response:
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            why = (
                "the credentials are missing, wrong or expired; "
                "check username and password, or token, of net.dicomweb"
            )
        elif response.status_code == HTTPStatus.FORBIDDEN:
            why = (
                f"the server accepts the credentials but does not allow pacsfw to {self._doing}; "
                "ask its administrator for this right"
            )
        else:
            return response
        comment = self.comment(response, path)
        response.close()
        status = in_words(response.status_code)
        raise Refused(f"{self._settings.url}: {status}: {why}", response.status_code, comment)

    def _pause(self, response: requests.Response) -> float:
        """Return the seconds that the server requests us to wait (RFC 9110 section 10.2.3)."""
        text = response.headers.get("Retry-After", "")
        if text.isascii() and text.isdigit():
            return float(text)
        try:
            moment = email.utils.parsedate_to_datetime(text)
        except ValueError:
            return _USUAL_PAUSE
        return max(0.0, (_aware(moment) - self._clock.now()).total_seconds())

    def _response(self, url: str, headers: dict[str, str] | None) -> requests.Response:
        """Return the response; follow redirects within the server."""
        for _ in range(_REDIRECTS):
            response = self._send(url, headers)
            if not response.is_redirect:
                return response
            target = urljoin(url, response.headers["Location"])
            response.close()
            if urlsplit(target)[:2] != urlsplit(url)[:2]:
                raise NoService(
                    f"{in_words(response.status_code)}: redirect to another server, which must not "
                    "get the credentials: check net.dicomweb.url (a login page?)",
                    response.status_code,
                )
            url = target
        raise NoService(f"more than {_REDIRECTS} redirects: check net.dicomweb.url")

    def _send(self, url: str, headers: dict[str, str] | None) -> requests.Response:
        try:
            return self._get(url, headers)
        except requests.ConnectionError as err:
            if not _failures.was_dropped(err):
                raise self._unreachable(err) from None
        except requests.RequestException as err:
            raise self._unreachable(err) from None
        try:  # the server may have closed an idle connection: retry over a new one
            return self._get(url, headers)
        except requests.RequestException as err:
            raise self._unreachable(err) from None

    def _get(self, url: str, headers: dict[str, str] | None) -> requests.Response:
        settings = self._settings
        try:
            return self._session.get(
                url,
                headers=headers,
                timeout=settings.timeout,
                verify=settings.verify,
                allow_redirects=False,
                stream=True,
            )
        except OSError as err:
            if isinstance(err, requests.RequestException):
                raise
            # How requests reports a missing file.
            raise NoService("the file of net.dicomweb.verify cannot be read") from None

    def _unreachable(self, err: requests.RequestException) -> NoAnswer:
        if isinstance(err, requests.ReadTimeout):
            return NoAnswer(f"no response within {self._settings.timeout:g} s")
        if isinstance(err, requests.ConnectTimeout):
            return NoService(f"no connection within {self._settings.timeout:g} s: check {_WHERE}")
        if isinstance(err, requests.exceptions.SSLError):
            return NoService(f"{_failures.tls_failure(err)}: check net.dicomweb.url and verify")
        if isinstance(err, requests.exceptions.ProxyError):
            return NoService(f"the proxy did not connect to the server: check {_WHERE}")
        return NoService(f"no connection ({_failures.reason(err)}): check {_WHERE}")


_WHERE = "net.dicomweb.url, that the server runs, and the proxy settings"


def in_words(status: int) -> str:
    """Return ``404 Not Found``."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} (not a standard status)"


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
