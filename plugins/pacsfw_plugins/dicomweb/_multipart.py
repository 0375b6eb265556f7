"""Read a multipart body piece by piece (RFC 2046 section 5.1), in bounded memory.

The bytes of a part are not decoded. If a part has a Content-Length, a delimiter must follow
after so many bytes; otherwise the part ends at the next delimiter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser

MAX_HEADERS = 16 * 1024
"""Bytes of the headers of one part."""
MAX_PREAMBLE = 64 * 1024
"""Bytes before the first part, which are ignored."""

_CRLF = b"\r\n"
_MAX_PADDING = 256
_TRUNCATED = "the response ended within its last part"
_LONGEST_BOUNDARY = 200
"""RFC 2046 allows 70; servers have made longer ones."""


class Malformed(ValueError):
    """The body is not multipart, or not to its end; the parts before are intact."""


class Truncated(Malformed):
    """The body ends before its closing delimiter."""


@dataclass(frozen=True, slots=True)
class ContentType:
    """A Content-Type header: the media type in lower case, and its boundary if it has one."""

    media_type: str
    boundary: bytes


def content_type(text: str) -> ContentType:
    """Read a Content-Type header; its parameters may be quoted or not.

    Raises
    ------
    Malformed
        It is multipart, and its boundary is missing or invalid.
    """
    message = Message()
    message["Content-Type"] = text
    media_type = text.partition(";")[0].strip().lower()
    if not media_type.startswith("multipart/"):
        return ContentType(media_type, b"")
    boundary = message.get_param("boundary", "", "Content-Type")
    name = boundary.strip() if isinstance(boundary, str) else ""
    if not name or len(name) > _LONGEST_BOUNDARY or not name.isascii() or not name.isprintable():
        raise Malformed("the response is multipart, but has no valid boundary")
    return ContentType(media_type, name.encode("ascii"))


class Part:
    """One part: its headers, and its body, which can be read once, before the next part."""

    def __init__(self, headers: Mapping[str, str], body: Iterator[memoryview]) -> None:
        self.headers = headers
        self.body = body


def parts(pieces: Iterable[bytes], boundary: bytes) -> Iterator[Part]:
    """Yield the parts of a body that comes in pieces.

    Unread bytes of a part are skipped.

    Raises
    ------
    Malformed, Truncated
        The current part, if any, is incomplete; the parts before are complete.
    """
    reader = _Reader(pieces, _CRLF + b"--" + boundary)
    for _ in reader.until_delimiter(MAX_PREAMBLE):
        pass
    while not reader.is_over:
        headers = reader.headers()
        length = _length(headers)
        body = reader.until_delimiter() if length is None else reader.exactly(length)
        yield Part(headers, body)
        for _ in body:
            pass
        if reader.is_cut:
            raise Truncated(_TRUNCATED)


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length", "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


class _Reader:
    """The body and a position in it: ``_have`` is unread from ``_at`` on."""

    def __init__(self, pieces: Iterable[bytes], delimiter: bytes) -> None:
        self._pieces = iter(pieces)
        self._delimiter = delimiter
        self._have = _CRLF  # at the beginning of the body, no line end precedes the delimiter
        self._at = 0
        self.is_over = False
        """The closing delimiter has been read."""
        self.is_cut = False
        """A part had its full Content-Length, and then the body ended."""

    def until_delimiter(self, limit: int | None = None) -> Iterator[memoryview]:
        """Yield the bytes up to the next delimiter, and skip the delimiter."""
        passed = 0
        while True:
            found = self._have.find(self._delimiter, self._at)
            certain = found if found >= 0 else len(self._have) - len(self._delimiter) + 1
            if certain > self._at:
                passed += certain - self._at
                if limit is not None and passed > limit:
                    raise Malformed(f"no part begins within {limit} bytes")
                yield self._take(certain - self._at)
            if found < 0:
                self._more()
            elif self._passes_delimiter():
                return
            else:  # only its beginning looks like a delimiter
                yield self._take(1)

    def exactly(self, length: int) -> Iterator[memoryview]:
        """Yield ``length`` bytes, and skip the delimiter, which must follow."""
        while length:
            there = min(length, len(self._have) - self._at)
            if there:
                length -= there
                yield self._take(there)
            else:
                self._more()
        try:
            while len(self._have) - self._at < len(self._delimiter):
                self._more()
            follows = self._have.startswith(self._delimiter, self._at)
            if follows and self._passes_delimiter():
                return
        except Truncated:
            self.is_cut = True
            return
        raise Malformed("a part is longer than its Content-Length says")

    def headers(self) -> dict[str, str]:
        """Read the headers of a part; their names become lower case."""
        while (end := self._have.find(_CRLF + _CRLF, self._at)) < 0:
            if len(self._have) - self._at > MAX_HEADERS:
                break
            self._more()
        if end < 0 or end - self._at > MAX_HEADERS:
            raise Malformed(f"the headers of a part are longer than {MAX_HEADERS} bytes")
        text = self._have[self._at + len(_CRLF) : end].decode("latin-1")
        self._at = end + 2 * len(_CRLF)
        return {key.lower(): str(value) for key, value in HeaderParser().parsestr(text).items()}

    def _passes_delimiter(self) -> bool:
        """Skip the delimiter at this position up to its line end; return False if it is none."""
        while True:
            start = self._at + len(self._delimiter)
            rest = self._have[start : start + _MAX_PADDING]
            if rest.startswith(b"--"):
                self.is_over, self._at = True, start + 2
                return True
            line, line_end, _ = rest.partition(_CRLF)
            if (line.strip(b" \t\r") and rest != b"-") or len(line) == _MAX_PADDING:
                return False
            if line_end:
                self._at = start + len(line)
                return True
            self._more()

    def _take(self, count: int) -> memoryview:
        self._at += count
        return memoryview(self._have)[self._at - count : self._at]

    def _more(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            raise Truncated(_TRUNCATED)
        self._have, self._at = self._have[self._at :] + piece, 0
