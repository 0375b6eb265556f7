"""The attributes of one stored object, whatever state its bytes are in."""

from __future__ import annotations

import errno
import logging
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from pacsfw.dicom.tagpath import ABSENT, parse

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


class FileHeader:
    """The header of one file; implements `pacsfw.api.Header`.

    Attributes of the group 0002 (PS3.10 section 7.1) are found as well, such as
    ``header.TransferSyntaxUID``.
    """

    __slots__ = ("_dataset", "_warnings")

    def __init__(self, dataset: Dataset, warned: Counter[str]) -> None:
        self._dataset = dataset
        self._warnings = warned

    @property
    def dataset(self) -> Dataset:
        """The full pydicom data set (without pixel data)."""
        return self._dataset

    @property
    def warnings(self) -> Counter[str]:
        """How often pydicom complained so far, by kind; no values."""
        return self._warnings

    def get(self, keyword: str, default: Any = None) -> Any:
        """Return the value at a keyword or tag path as pydicom gives it.

        Returns
        -------
        Any
            The value, which may be empty, or ``default`` where it is absent.

        Raises
        ------
        ValueError
            There is no such DICOM keyword.
        UnreadableObject
            The value cannot be decoded.
        """
        path = parse(keyword)
        with decoding(keyword, self._warnings):
            value = path.get(self._dataset)
        return default if value is ABSENT else value

    def __getattr__(self, keyword: str) -> Any:
        if tag_for_keyword(keyword) is None:
            raise AttributeError(f"{keyword!r} is neither a DICOM keyword nor part of a header")
        value = self.get(keyword, ABSENT)
        if value is ABSENT:
            raise AttributeError(f"the object has no {keyword}")
        return value


def read_header(path: Path) -> FileHeader:
    """Read the header of a DICOM Part 10 file (PS3.10 section 7), without pixel data.

    Raises
    ------
    UnreadableObject
        The file is not DICOM or its header is malformed.
    OSError
        The file cannot be opened or read.
    """
    warned: Counter[str] = Counter()
    with path.open("rb") as file, decoding("the object", warned):
        dataset = dcmread(file, stop_before_pixels=True)
    return FileHeader(dataset, warned)


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
            raise UnreadableObject(what, _fault(error)) from None
        finally:
            warned.update(_kind(str(warning.message)) for warning in caught)


def _fault(error: Exception) -> str:
    words = next(words for kind, words in _FAULTS.items() if isinstance(error, kind))
    return f"{words} ({type(error).__name__})"


def _kind(message: str) -> str:
    lowered = message.lower()
    return next((kind for word, kind in _WARNINGS if word in lowered), "other")
