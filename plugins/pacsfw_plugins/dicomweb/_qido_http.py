"""One page of a search in DICOM JSON (PS3.18 sections 8.3.4 and F.2), or the reason for none."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import requests

from pacsfw.api import Clock, DicomWeb
from pacsfw_plugins.dicomweb import _client, _said
from pacsfw_plugins.dicomweb._client import NoAnswer, NoService, in_words
from pacsfw_plugins.dicomweb._qido_rows import TAG

MAX_PAGE = 64 * 2**20
"""The limit of one page in bytes after decompression."""

ACCEPT = (
    "application/dicom+json, application/json;q=0.9",
    "application/dicom+json",
    "application/json",
)
"""Tried in this order: some servers offer one media type only, or expect a single one."""

_MEDIA_TYPES = {"application/dicom+json", "application/json"}
_CHUNK = 65_536
_OF_KEYS = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.NOT_IMPLEMENTED}
"""Statuses of a query that has a key which the server does not support."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful response: its status, its rows, and its ``Warning`` header."""

    status: int
    rows: list[Any]
    warning: str


class Connection(_client.Connection):
    """Reads one page at a time."""

    def __init__(self, settings: DicomWeb, clock: Clock) -> None:
        super().__init__(settings, clock, "search", {}, retries=2)
        self.chooses_accept = "accept" not in map(str.lower, settings.headers)
        """Whether the configuration has no Accept header."""

    def page(
        self, path: str, deadline: float, accept: str = ACCEPT[0], keywords: Collection[str] = ()
    ) -> Reply:
        """Request one page; see `get` for the errors.

        Parameters
        ----------
        keywords
            Those that an error may name: see `NoAnswer`.
        """
        headers = {"Accept": accept} if self.chooses_accept else None
        response = self.get(path, deadline, headers)
        with response:
            return self._reply(response, deadline, path, keywords)

    def _reply(
        self, response: requests.Response, deadline: float, path: str, keywords: Collection[str]
    ) -> Reply:
        status = response.status_code
        warning = response.headers.get("Warning", "")
        if status == HTTPStatus.NO_CONTENT:
            return Reply(status, [], warning)
        if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            body = _said.body_text(response)
            raise NoAnswer(
                f"{in_words(status)}{_ADVICE.get(status, '')}",
                status,
                comment=_said.comment(_said.reason(body), path),
                keys=_said.named(body, path, keywords) if status in _OF_KEYS else (),
            )
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type in _MEDIA_TYPES:
            rows = _rows(self._body(response, deadline))
            if rows is not None:
                return Reply(status, rows, warning)
        raise NoService(
            f"{in_words(status)}, but the response is not a list in DICOM JSON: check "
            "net.dicomweb.url (a login page, a proxy?)",
            status,
        )

    def _body(self, response: requests.Response, deadline: float) -> bytes:
        body = bytearray()
        for piece in self.pieces(response, _CHUNK):
            body += piece
            if len(body) > MAX_PAGE:
                raise NoAnswer(
                    f"a page is larger than {MAX_PAGE >> 20} MiB: set a smaller page_size"
                )
            if self._clock.monotonic() > deadline:
                raise NoAnswer("not done within total_timeout")
        return bytes(body)


def _rows(body: bytes) -> list[Any] | None:
    try:
        # Numbers stay as written.
        content = json.loads(body, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    if isinstance(content, dict) and all(map(TAG.fullmatch, content)):
        content = [content]  # a single row, of a server that needs no list for it
    return content if isinstance(content, list) else None


_ADVICE = {
    400: " (the server does not accept a key, or a page_size as large as this)",
    404: " (there is no such resource: check net.dicomweb.url)",
    406: " (the server offers neither application/dicom+json nor application/json)",
    407: " (check the proxy settings)",
    413: " (more matches than the server returns)",
}
