"""From the names a layout gives to a path that is safe on every file system.

Values of DICOM attributes come from outside and are never trusted in a path. `escape`
turns any text into one path component, and no two texts into the same one.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

MISSING = "%missing"
"""Stands for an absent or empty name; no text is escaped to it, since ``%`` always is."""

LONGEST = 180
"""Bytes of UTF-8 in the longest component; file systems allow 255, converters add suffixes."""

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._-+@=^,()")
_STAYS_WHOLE = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9 ._+@=^,()-]*[A-Za-z0-9_-])?")
"""Most names, such as UIDs: ASCII of which nothing is encoded, if it is no device."""
_EXTENSION = ".dcm"
# Windows reserves these names whatever extension follows, also with superscript digits.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|(?:com|lpt)[0-9¹²³]) *(?:\.|$)", re.IGNORECASE)


def escape(name: str | None) -> str:
    """Turn any text into one path component, differently for different texts.

    ASCII letters, digits and `` ._-+@=^,()`` stay, and so do other printable letters and
    digits when the text is in Unicode normal form C. Everything else becomes ``%XX`` for
    each byte of its UTF-8, and so do a leading or trailing dot or blank and the first
    letter of a Windows device name. What would be longer than `LONGEST` bytes is cut and
    ends in ``%~`` and 128 bits of the SHA-256 of the whole text; a final ``.dcm`` stays.

    Parameters
    ----------
    name
        Any text, also with surrogates; empty or None gives `MISSING`.
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
    """Return the path below ``root`` that the names of a layout stand for.

    Parameters
    ----------
    root
        The archive (``storage.directory``).
    names
        What a layout returned: one name per folder, the last one the file's.

    Raises
    ------
    TypeError
        That is not a sequence of names. The message holds no name, since names may
        identify a patient.
    """
    if isinstance(names, str | bytes) or not isinstance(names, Sequence):
        raise TypeError(
            f"the layout returned {type(names).__name__} instead of a list of names, "
            "one per folder and the last one for the file"
        )
    if not names:
        raise TypeError("the layout returned no names, at least the file's is needed")
    for position, name in enumerate(names, start=1):
        if not isinstance(name, str | None):
            raise TypeError(
                f"the layout returned {type(name).__name__} as name {position} of {len(names)}, "
                "every name must be text"
            )
    return Path(os.path.join(root, *map(escape, names)))  # quicker than Path, for every object


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
