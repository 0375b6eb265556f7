"""Why a connection failed, from the nested errors of requests and urllib3; quotes no URL."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import requests


def causes(err: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes; requests and urllib3 nest them in arguments."""
    waiting: list[object] = [err]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]


def was_dropped(err: requests.ConnectionError) -> bool:
    """Return whether the server closed the connection while a request was sent."""
    return any(isinstance(each, ConnectionResetError | BrokenPipeError) for each in causes(err))


def tls_failure(err: Exception) -> str:
    """Return why there is no TLS connection."""
    for each in causes(err):
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"the certificate of the server is refused ({each.verify_message})"
    return "no TLS connection"


def reason(err: Exception) -> str:
    """Return why there is no connection."""
    for each in causes(err):
        if isinstance(each, OSError) and each.errno and each.strerror:
            return each.strerror
    return "the response is not HTTP"
