"""Text in the character sets of DICOM (PS3.5 section 6.1, PS3.3 section C.12.1.1.2).

pydicom knows the sets and their escape sequences; its warnings about what it could not read
are kept quiet, because nobody could tell from them which answer they are about.
"""

from __future__ import annotations

import codecs
import warnings
from functools import lru_cache

from pydicom.charset import convert_encodings, decode_bytes, python_encoding

ESCAPE = b"\x1b"
LOST = "\N{REPLACEMENT CHARACTER}"
"""Stands where bytes are not of the character set."""

_DELIMITERS = set(b"\t\n\f\r^=\\")
"""Each ends what an escape sequence began (PS3.5 section 6.1.2.5.3)."""
_DEFAULT_REPERTOIRE = frozenset({"", "ISO_IR 6"})
_LATIN_1 = "latin-1"
_CODECS = frozenset(codecs.lookup(name).name for name in python_encoding.values())


@lru_cache(maxsize=256)
def encodings(declared: str) -> list[str]:
    r"""Return Python's names of a Specific Character Set, several joined by ``\``.

    What nobody knows is taken for ISO 8859-1.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = convert_encodings(declared.split("\\"))
    return [name if _is_of_dicom(name) else _LATIN_1 for name in names]


def text(value: bytes, declared: str, undeclared: str = "") -> str:
    """Decode a value that may hold more than ASCII.

    Parameters
    ----------
    declared
        The Specific Character Set of the data set.
    undeclared
        What to try first where ``declared`` allows ASCII alone. Text that is not of it, or
        about which nothing is known, is taken for ISO 8859-1.
    """
    if declared not in _DEFAULT_REPERTOIRE:
        return decode(value, encodings(declared))
    decoded = decode(value, encodings(undeclared))
    return value.decode(_LATIN_1) if LOST in decoded else decoded


def decode(value: bytes, names: list[str]) -> str:
    """Decode a value; `LOST` stands for what is not of the character sets.

    Parameters
    ----------
    names
        As `encodings` returns them: the first holds from the beginning, the others after
        their escape sequences.
    """
    if ESCAPE not in value:
        return value.decode(names[0], "replace")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return decode_bytes(value, names, _DELIMITERS)


def _is_of_dicom(name: str) -> bool:
    """Tell whether a codec is one of DICOM's: pydicom lets any name through that Python knows."""
    return codecs.lookup(name).name in _CODECS
