"""From the names of a layout to a path that is safe on every file system.

Values of DICOM attributes come from outside and are never trusted in a path. `escape` turns
any text into a unique path component.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

MISSING = "%missing"
"""Replaces an absent or empty name; no text is escaped to it, because ``%`` is escaped."""

LONGEST = 180
"""Maximum bytes of UTF-8 in a component; file systems allow 255, converters add suffixes."""

LONGEST_PATH = 4095
"""Maximum bytes of a path: Linux's PATH_MAX without the final NUL."""

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._-+@=^,()")
_STAYS_WHOLE = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9 ._+@=^,()-]*[A-Za-z0-9_-])?")
"""Matches most names, such as UIDs: ASCII that stays as it is, unless it is a device name."""
_EXTENSION = ".dcm"
# Windows reserves these names with any extension, also with superscript digits.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|(?:com|lpt)[0-9¹²³]) *(?:\.|$)", re.IGNORECASE)


def escape(name: str | None) -> str:
    """Turn any text into one path component, differently for different texts.

    ASCII letters, digits and `` ._-+@=^,()`` stay, and so do other printable letters and
    digits if the text is in Unicode normal form C. Everything else becomes ``%XX`` for each
    byte of its UTF-8, and so do a leading or trailing dot or space and the first letter of a
    Windows device name. A longer result than `LONGEST` bytes is cut and ends in ``%~`` and
    128 bits of the SHA-256 of the complete text; a final ``.dcm`` stays.

    Parameters
    ----------
    name
        Any text, also with surrogates; `MISSING` replaces an empty name or None.
    """
    if not name:
        return MISSING
    if len(name) <= LONGEST and _STAYS_WHOLE.fullmatch(name) and not _DEVICE.match(name):
        return name
    normal = unicodedata.is_normalized("NFC", name)
    pieces = [char if _stays(char, normal) else _encode(char) for char in name]
    for end in (0, -1):
        if pieces[end] in (".", " "):
            pieces[end] = _encode(pieces[end])
    if _DEVICE.match("".join(pieces)):
        pieces[0] = _encode(pieces[0])
    escaped = "".join(pieces)
    return escaped if len(escaped.encode()) <= LONGEST else _cut(pieces, name)


def target(root: Path, names: Sequence[str | None]) -> Path:
    """Return the path below ``root`` for the names that a layout returned.

    Parameters
    ----------
    names
        One name per folder; the last one is the name of the file.

    Raises
    ------
    TypeError
        ``names`` is not a sequence of names. The message contains no name, because names
        may identify a patient.
    """
    if isinstance(names, str | bytes) or not isinstance(names, Sequence):
        raise TypeError(
            f"the layout returned {type(names).__name__} instead of a list of names, "
            "one per folder and the last one for the file"
        )
    if not names:
        raise TypeError("the layout returned no names, but the file needs one")
    for position, name in enumerate(names, start=1):
        if not isinstance(name, str | None):
            raise TypeError(
                f"the layout returned {type(name).__name__} as name {position} of {len(names)}, "
                "every name must be text"
            )
    return Path(os.path.join(root, *map(escape, names)))  # faster than Path


def _stays(char: str, normal: bool) -> bool:
    if char.isascii():
        return char in _PLAIN
    return normal and char.isalnum() and char.isprintable()


def _encode(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))


def _cut(pieces: Sequence[str], name: str) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    tail = f"%~{digest}" + (_EXTENSION if name.endswith(_EXTENSION) else "")
    room = LONGEST - len(tail)
    kept: list[str] = []
    for piece in pieces:
        room -= len(piece.encode())
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept) + tail
