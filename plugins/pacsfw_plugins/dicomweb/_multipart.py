"""Read a multipart body piece by piece (RFC 2046 section 5.1), in bounded memory.

The bytes of a part are not decoded. If a part has a Content-Length, a delimiter must follow
after so many bytes; otherwise the part ends at the next delimiter.

Some servers end lines with LF only, name the boundary with the dashes of the delimiter or not at
all, or omit the closing delimiter. The first delimiter shows what they do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser

MAX_HEADERS = 16 * 1024
"""Bytes of the headers of one part."""
MAX_PREAMBLE = 64 * 1024
"""Bytes before the first part, which are ignored."""

_CRLF = b"\r\n"
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
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

    @property
    def is_multipart(self) -> bool:
        """Whether the body has parts."""
        return self.media_type.startswith("multipart/")


def content_type(text: str) -> ContentType:
    """Read a Content-Type header; its parameters may be quoted or not.

    Raises
    ------
    Malformed
        It is multipart, and its boundary is invalid.
    """
    message = Message()
    message["Content-Type"] = text
    media_type = text.partition(";")[0].strip().lower()
    if not media_type.startswith("multipart/"):
        return ContentType(media_type, b"")
    boundary = message.get_param("boundary", "", "Content-Type")
    name = boundary.strip() if isinstance(boundary, str) else ""
    if len(name) > _LONGEST_BOUNDARY or not name.isascii() or not name.isprintable():
        raise Malformed("the response is multipart, but its boundary is not valid")
    return ContentType(media_type, name.encode("ascii"))


class Part:
    """One part: its headers, and its body, which can be read once, before the next part."""

    def __init__(self, headers: Mapping[str, str], body: Iterator[memoryview]) -> None:
        self.headers = headers
        self.body = body


def parts(
    pieces: Iterable[bytes], boundary: bytes, *, end_is_proven: bool = False
) -> Iterator[Part]:
    """Yield the parts of a body that comes in pieces.

    Unread bytes of a part are skipped.

    Parameters
    ----------
    boundary
        If it is empty, it is that of the first delimiter.
    end_is_proven
        The end of the pieces is known to be that of the body, by the length of the response. It
        also ends the last part, if its closing delimiter is missing.

    Raises
    ------
    Malformed, Truncated
        The current part, if any, is incomplete; the parts before are complete.
    """
    reader = _Reader(pieces, boundary, end_is_proven=end_is_proven)
    for _ in reader.until_delimiter(MAX_PREAMBLE):
        pass
    while not reader.is_over and (headers := reader.headers()) is not None:
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

    def __init__(self, pieces: Iterable[bytes], boundary: bytes, *, end_is_proven: bool) -> None:
        self._pieces = iter(pieces)
        self._have = _CRLF  # at the beginning of the body, no line end precedes the delimiter
        self._at = 0
        self._end_is_proven = end_is_proven
        self._line_end, self._delimiter = self._opening(boundary)
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
                try:
                    self._more()
                except Truncated:
                    if not self._end_is_proven:
                        raise
                    if limit is not None:
                        raise Malformed("the response is multipart, but has no parts") from None
                    yield self._take(len(self._have) - self._at - self._begun_delimiter())
                    self.is_over = True
                    return
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
            self.is_cut = not self._end_is_proven
            self.is_over = True
            return
        raise Malformed("a part is longer than its Content-Length says")

    def headers(self) -> dict[str, str] | None:
        """Read the headers of a part, with names in lower case; None if no part follows."""
        while (end := _END_OF_HEADERS.search(self._have, self._at)) is None:
            if len(self._have) - self._at > MAX_HEADERS:
                break
            try:
                self._more()
            except Truncated:
                if self._end_is_proven and not self._have[self._at :].strip():
                    return None  # the delimiter was the closing one, without its dashes
                raise
        if end is None or end.start() - self._at > MAX_HEADERS:
            raise Malformed(f"the headers of a part are longer than {MAX_HEADERS} bytes")
        text = self._have[self._at : end.start()].decode("latin-1").lstrip()
        self._at = end.end()
        return {key.lower(): str(value) for key, value in HeaderParser().parsestr(text).items()}

    def _passes_delimiter(self) -> bool:
        """Skip the delimiter at this position up to its line end; return False if it is none."""
        while True:
            start = self._at + len(self._delimiter)
            rest = self._have[start : start + _MAX_PADDING]
            if rest.startswith(b"--"):
                self.is_over, self._at = True, start + 2
                return True
            line, line_end, _ = rest.partition(self._line_end)
            if (line.strip(b" \t\r") and rest != b"-") or len(line) == _MAX_PADDING:
                return False
            if line_end:
                self._at = start + len(line)
                return True
            try:
                self._more()
            except Truncated:
                if not self._end_is_proven:
                    raise
                self.is_over = True
                return True

    def _opening(self, boundary: bytes) -> tuple[bytes, bytes]:
        """Return the line end and the delimiter as the first delimiter of the body has them."""
        names = [re.escape(boundary)] if boundary else [rb"[!-~]{1,%d}" % _LONGEST_BOUNDARY]
        if boundary.startswith(b"--"):
            names.append(re.escape(boundary[2:]))
        first = re.compile(rb"\n--(%s)(?:--)?[ \t]*(\r?\n)" % b"|".join(names))
        found = None
        while found is None and len(self._have) <= MAX_PREAMBLE:
            found = first.search(self._have)
            piece = next(self._pieces, None) if found is None else None
            if piece is None:
                break
            self._have += piece
        if found is None:
            return _CRLF, _CRLF + b"--" + boundary
        return found[2], found[2] + b"--" + found[1]

    def _begun_delimiter(self) -> int:
        """Return how many bytes at the end of the body are the beginning of a delimiter."""
        longest = min(len(self._delimiter), len(self._have) - self._at)
        for size in range(longest, 0, -1):
            if self._have.endswith(self._delimiter[:size]):
                return size
        return 0

    def _take(self, count: int) -> memoryview:
        self._at += count
        return memoryview(self._have)[self._at - count : self._at]

    def _more(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            raise Truncated(_TRUNCATED)
        self._have, self._at = self._have[self._at :] + piece, 0
