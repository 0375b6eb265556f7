"""What is wrong with malformed bytes, in words that quote none of them."""

from __future__ import annotations

import errno
import logging
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom.errors import BytesLengthException, InvalidDicomError

from pacsfw.dicom.inflating import Bomb
from pacsfw.dicom.reading import Cut, TooLarge

# pydicom logs the values it complains about, and those may identify a patient.
logging.getLogger("pydicom").propagate = False

_SEEKING = (None, errno.EINVAL)
"""The OSErrors that are the object's fault: pydicom's own, and a seek to nowhere."""

# What pydicom raises on malformed bytes, the narrower classes first.
_FAULTS: dict[type[Exception], str] = {
    InvalidDicomError: "not a DICOM Part 10 file",
    RecursionError: "sequences are nested too deeply",
    NotImplementedError: "unknown value representation",
    MemoryError: "does not fit into memory",
    EOFError: "ends too early",
    BytesLengthException: "an element has a wrong length",
    Cut: "ends within an element",
    TooLarge: "a sequence is too large",
    Bomb: "the deflated data are too large",
    struct.error: "an element has a wrong length",
    zlib.error: "the deflated data are damaged",
    UnicodeError: "text that its character set cannot hold",
    ValueError: "a value has a wrong form",
    ArithmeticError: "a number is out of range",
    OSError: "a length points outside the file",
    AssertionError: "malformed",
    AttributeError: "malformed",
    LookupError: "malformed",
    RuntimeError: "malformed",
    TypeError: "malformed",
}

# How pydicom's warnings begin or what they speak of, and the kind we count them as.
_WARNINGS = (
    ("character set", "character set"),
    ("encoding", "character set"),
    ("value for vr", "value has a wrong form"),
    ("length", "value has a wrong length"),
    ("implicit vr", "encoding differs from the transfer syntax"),
    ("explicit vr", "encoding differs from the transfer syntax"),
    ("unknown dicom tag", "unknown element"),
)


class UnreadableObject(ValueError):
    """An object or one of its values cannot be decoded.

    Parameters
    ----------
    what
        What could not be read: ``the object`` or a tag path.
    fault
        The kind of fault in words; never a value.
    """

    def __init__(self, what: str, fault: str) -> None:
        super().__init__(what, fault)
        self.what = what
        self.fault = fault

    def __str__(self) -> str:
        return f"{self.what} cannot be read: {self.fault}"


@contextmanager
def decoding(what: str, warned: Counter[str]) -> Iterator[None]:
    """Let pydicom decode malformed data without a word about their values.

    Python's warning filters belong to the whole process, so only one thread may be in here.

    Parameters
    ----------
    what
        What is decoded, for the message: ``the object`` or a tag path.
    warned
        Here the warnings of pydicom are counted by kind.

    Raises
    ------
    UnreadableObject
        Instead of whatever pydicom raised, since that may quote a value.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except UnreadableObject:
            raise
        except tuple(_FAULTS) as error:
            if isinstance(error, OSError) and error.errno not in _SEEKING:
                raise  # the disk's fault, not the object's
            raise unreadable(what, error) from None
        finally:
            warned.update(_kind(str(warning.message)) for warning in caught)


def unreadable(what: str, error: Exception) -> UnreadableObject:
    """Return the error that says which kind of fault this is, without what it may quote."""
    words = next(words for kind, words in _FAULTS.items() if isinstance(error, kind))
    return UnreadableObject(what, f"{words} ({type(error).__name__})")


def _kind(message: str) -> str:
    lowered = message.lower()
    return next((kind for word, kind in _WARNINGS if word in lowered), "other")
