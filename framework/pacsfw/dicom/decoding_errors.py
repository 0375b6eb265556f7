"""Descriptions of faults in malformed data, without quoting it."""

from __future__ import annotations

import errno
import logging
import struct
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom.errors import BytesLengthException, InvalidDicomError

# pydicom logs the values it complains about, which may identify a patient.
logging.getLogger("pydicom").propagate = False

_SEEKING = (None, errno.EINVAL)
"""The OSErrors caused by the instance: pydicom's own, and an invalid seek."""

# The exceptions of pydicom on malformed bytes, subclasses first.
_FAULTS: dict[type[Exception], str] = {
    InvalidDicomError: "not a DICOM Part 10 file",
    RecursionError: "sequences are nested too deeply",
    NotImplementedError: "unknown value representation",
    MemoryError: "does not fit into memory",
    EOFError: "ends too early",
    BytesLengthException: "an element has a wrong length",
    struct.error: "an element has a wrong length",
    UnicodeError: "text outside its character set",
    ValueError: "a value has a wrong form",
    ArithmeticError: "a number is out of range",
    OSError: "a length points outside the file",
    AssertionError: "malformed",
    AttributeError: "malformed",
    LookupError: "malformed",
    RuntimeError: "malformed",
    TypeError: "malformed",
}

# Text in pydicom's warnings, and the kind that they are counted as.
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
    """An instance, or one of its values, cannot be decoded.

    Parameters
    ----------
    what
        What could not be read: ``the instance`` or a tag path.
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
    """Let pydicom decode malformed data without any output of its values.

    Python's warning filters apply to the whole process, so only one thread may use this.

    Parameters
    ----------
    what
        What is decoded, for the message: ``the instance`` or a tag path.
    warned
        Counter of the warnings of pydicom by kind.

    Raises
    ------
    UnreadableObject
        In place of any exception of pydicom, which may quote a value.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except UnreadableObject:
            raise
        except tuple(_FAULTS) as error:
            if isinstance(error, OSError) and error.errno not in _SEEKING:
                raise  # caused by the disk, not by the instance
            raise unreadable(what, error) from None
        finally:
            warned.update(_kind(str(warning.message)) for warning in caught)


def unreadable(what: str, error: Exception) -> UnreadableObject:
    """Return an error that names the kind of fault, without the quotes of the original."""
    words = next(words for kind, words in _FAULTS.items() if isinstance(error, kind))
    return UnreadableObject(what, f"{words} ({type(error).__name__})")


def _kind(message: str) -> str:
    lowered = message.lower()
    return next((kind for word, kind in _WARNINGS if word in lowered), "other")
