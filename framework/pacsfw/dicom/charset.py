"""Text in the character sets of DICOM (PS3.5 section 6.1, PS3.3 section C.12.1.1.2).

pydicom knows the sets and their escape sequences. Its warnings about unreadable text are
suppressed, because they do not say which query result they are about.
"""

from __future__ import annotations

import codecs
import re
import warnings
from collections.abc import Callable
from functools import lru_cache

from pydicom.charset import convert_encodings, decode_bytes, default_encoding, python_encoding

from pacsfw.dicom.vr import PADDING

ESCAPE = b"\x1b"
LOST = "\N{REPLACEMENT CHARACTER}"
"""Replaces bytes that are not in the character set."""

_DELIMITERS = set(b"\t\n\f\r^=\\")
"""Delimiters that reset an escape sequence (PS3.5 section 6.1.2.5.3)."""
_DELIMITER = re.compile(b"[" + re.escape(bytes(_DELIMITERS)) + b"]")
_KOREAN = python_encoding["ISO 2022 IR 149"]
_DEFAULT_REPERTOIRE = frozenset({"", "ISO_IR 6"})
_LATIN_1 = "latin-1"
_IR_58 = python_encoding["ISO 2022 IR 58"]
_GB2312 = b"\x1b$)A"
"""The escape sequence that switches to ISO 2022 IR 58 (PS3.3 table C.12-4)."""
_CODECS = frozenset(codecs.lookup(name).name for name in python_encoding.values())


def is_plain(value: bytes) -> bool:
    """Return whether a value is the same text in every character set."""
    return value.isascii() and ESCAPE not in value


@lru_cache(maxsize=256)
def encodings(declared: str) -> list[str]:
    r"""Return Python's names of a Specific Character Set (several joined by ``\``).

    Unknown sets are read as ISO 8859-1.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = convert_encodings(_split(declared))
    return [name if _is_of_dicom(name) else _LATIN_1 for name in names]


def text(value: bytes, declared: str, undeclared: str = "") -> str:
    """Decode a value that may contain more than ASCII.

    Parameters
    ----------
    declared
        The Specific Character Set of the data set.
    undeclared
        The character set to try first if ``declared`` allows only ASCII. Other text is read
        as ISO 8859-1.
    """
    if declared not in _DEFAULT_REPERTOIRE:
        return decode(value, encodings(declared))
    decoded = decode(value, encodings(undeclared))
    return value.decode(_LATIN_1) if LOST in decoded else decoded


def decode(value: bytes, names: list[str]) -> str:
    """Decode a value; `LOST` replaces bytes that are not in the character sets.

    Parameters
    ----------
    names
        As returned by `encodings`: the first applies from the beginning, the others after
        their escape sequences.
    """
    if ESCAPE not in value:
        return value.decode(names[0], "replace")
    first, *chinese = value.split(_GB2312) if _IR_58 in names else [value]
    parts = [_decode_escapes(first, names)]
    for each in chinese:
        # pydicom leaves this escape sequence in the text.
        until, escape, rest = each.partition(ESCAPE)
        parts += [_decode_gb2312(until, names), _decode_escapes(escape + rest, names)]
    return "".join(parts)


def _decode_escapes(value: bytes, names: list[str]) -> str:
    if not value:
        return ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return decode_bytes(value, names, _DELIMITERS)


def _decode_gb2312(value: bytes, names: list[str]) -> str:
    """Decode the text after an escape sequence of ISO 2022 IR 58.

    It applies up to a delimiter. After it, bytes that cannot be ASCII still belong to it if the
    first set is ASCII.
    """
    end = len(value)
    if names[0] != default_encoding:
        end = next((at for at, byte in enumerate(value) if byte in _DELIMITERS), end)
    return value[:end].decode("gb2312", "replace") + value[end:].decode(names[0], "replace")


def _has_every_escape(value: bytes, names: list[str]) -> bool:
    """Return whether each part between delimiters has its own escape sequence, if it needs one."""
    if names[0] != default_encoding:
        return True
    parts = _DELIMITER.split(value)
    return all(part.partition(ESCAPE)[0].isascii() for part in parts)


@lru_cache(maxsize=256)
def decoder(declared: bytes, undeclared: str = "") -> Callable[[bytes], str]:
    """Return a decoder for the text of an instance that rejects bytes outside its character set.

    Parameters
    ----------
    declared
        The encoded Specific Character Set of the instance.
    undeclared
        The character set of instances that declare none, or only ASCII, but contain other
        text; ISO 8859-1 if it is empty.

    Returns
    -------
    Callable
        Converts the bytes of a value to its text. It raises ValueError for bytes that are not
        in the character set, or if the set is unknown.
    """
    name = declared.decode("latin-1").strip(PADDING)
    if name in _DEFAULT_REPERTOIRE:
        name = undeclared or "ISO_IR 100"
    known, names = _is_known(name), encodings(name)

    def decode_strictly(value: bytes) -> str:
        if is_plain(value):
            return value.decode("ascii")
        if not known:
            raise ValueError("its character set is not a DICOM character set")
        decoded = decode(value, names)
        if LOST in decoded or (_KOREAN in names and not _has_every_escape(value, names)):
            raise ValueError(f"bytes that are not in its character set, {name}")
        return decoded

    return decode_strictly


def _is_known(name: str) -> bool:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = convert_encodings(_split(name))
    unknown = any(str(warning.message).startswith("Unknown encoding") for warning in caught)
    return not unknown and all(map(_is_of_dicom, found))


def _split(declared: str) -> list[str]:
    # A NUL in a name makes pydicom raise an exception; such a set is unknown.
    return declared.replace("\0", "?").split("\\")


def _is_of_dicom(name: str) -> bool:
    """Return whether a codec is one of DICOM's: pydicom accepts any name that Python knows."""
    return codecs.lookup(name).name in _CODECS
