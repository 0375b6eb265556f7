"""The attributes of one stored object, whatever state its bytes are in."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from pacsfw.dicom import reading
from pacsfw.dicom.decoding_errors import decoding, unreadable
from pacsfw.dicom.elements import Leaf, NeedsDataset, as_pydicom, find, plain
from pacsfw.dicom.inflating import Bomb
from pacsfw.dicom.pydicom_reading import found_in, read_dataset
from pacsfw.dicom.reading import Extent
from pacsfw.dicom.tagpath import ABSENT, Absent, Many, TagPath, parse
from pacsfw.dicom.walk import EXPLICIT, Encoding, Unusual
from pacsfw.dicom.wanted import Plan, QueryRow, compiled


class FileHeader:
    """The header of one file; implements `pacsfw.api.Header`.

    Attributes of the group 0002 (PS3.10 section 7.1) are found as well, such as
    ``header.TransferSyntaxUID``. What a `HeaderReader` had not been asked to read is read when
    it is looked at, and with the files after this one from then on.

    Attributes
    ----------
    found
        The elements that were read, still encoded.
    extent
        How far the file was walked over; None where pydicom had to read it.
    warnings
        How often pydicom complained so far, by kind; no values.
    """

    __slots__ = ("_dataset", "_plan", "_reader", "extent", "found", "path", "warnings")

    def __init__(
        self,
        path: Path | None,
        reader: HeaderReader,
        found: QueryRow,
        extent: Extent | None,
        dataset: Dataset | None = None,
    ) -> None:
        self.path, self.found, self.extent = path, found, extent
        self._reader, self._plan, self._dataset = reader, reader.plan, dataset
        self.warnings: Counter[str] = Counter()

    @property
    def dataset(self) -> Dataset:
        """The full pydicom data set (without pixel data), read when it is first asked for.

        Raises
        ------
        UnreadableObject
            The file is malformed.
        OSError
            The file cannot be read any more.
        """
        if self._dataset is None:
            assert self.path is not None  # noqa: S101 - only a header of a data set has none
            with decoding("the object", self.warnings):
                self._dataset = read_dataset(self.path)
        return self._dataset

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
        value = self.value(parse(keyword))
        return default if value is ABSENT else value

    def value(self, path: TagPath, vr: str = "") -> Any:
        """Return the value at a path as pydicom gives it, or `ABSENT`.

        Parameters
        ----------
        vr
            What to take a value of VR UN for, if no dictionary knows it.

        Raises
        ------
        UnreadableObject
            The value cannot be decoded.
        """
        leaf = self.raw(path)
        if leaf is ABSENT and not path.is_group:
            return ABSENT
        if isinstance(leaf, Leaf) and (text := plain(leaf)) is not None:
            return path.select(text)
        with decoding(path.text, self.warnings):
            try:
                if isinstance(leaf, Many):
                    one = partial(_one, path, vr)
                    return Many(None if each is ABSENT else one(each) for each in leaf)
                if leaf is not ABSENT:
                    return _one(path, vr, leaf)
            except NeedsDataset:
                pass
            return path.get(self.dataset)

    def raw(self, path: TagPath) -> Leaf | Many | Absent:
        """Return what is encoded at a path: a `Leaf`, a `Many` of them, or `ABSENT`.

        Raises
        ------
        UnreadableObject
            It lies behind what was read before, and reading further failed.
        """
        if path not in self._plan.paths:
            self.cover(frozenset((path,)))
        return find(path, self.found, self.encoding)

    @property
    def plan(self) -> Plan:
        """What was looked for when ``found`` was read."""
        return self._plan

    @property
    def charset(self) -> str:
        """The character set of text that is not ASCII where the object declares none."""
        return self._reader.charset

    @property
    def encoding(self) -> Encoding:
        """How the numbers in ``found`` are encoded."""
        return self.extent.encoding if self.extent else EXPLICIT

    def cover(self, paths: frozenset[TagPath]) -> Plan:
        """See that ``found`` has what is at the paths; if not, read again, now with them."""
        if not paths <= self._plan.paths:
            self._extend(paths)
        return self._plan

    def _extend(self, paths: frozenset[TagPath]) -> None:
        self._reader.want(paths)
        reader = self._reader
        again = reader.of(self.dataset) if self.path is None else reader.read(self.path)
        self._plan, self.found, self.extent = again._plan, again.found, again.extent
        self._dataset = self._dataset or again._dataset

    def __getattr__(self, keyword: str) -> Any:
        if tag_for_keyword(keyword) is None:
            raise AttributeError(f"{keyword!r} is neither a DICOM keyword nor part of a header")
        value = self.get(keyword, ABSENT)
        if value is ABSENT:
            raise AttributeError(f"the object has no {keyword}")
        return value


def _one(path: TagPath, vr: str, leaf: Leaf) -> Any:
    if vr and leaf.vr == "UN":
        leaf = leaf._replace(vr=vr)
    return path.select(as_pydicom(leaf, path.steps[-1]))


class HeaderReader:
    """Reads the wanted values of many files; what is wanted is compiled once.

    Parameters
    ----------
    paths
        What is going to be looked at. Whatever else is looked at costs one reading more.
    charset
        The character set of text that is not ASCII in objects that declare none, as in
        (0008,0005); ISO 8859-1 where it is empty.
    """

    def __init__(self, paths: Iterable[TagPath] = (), charset: str = "") -> None:
        self.plan: Plan = compiled(paths)
        self.charset = charset

    def want(self, paths: Iterable[TagPath]) -> None:
        """Read these values too, of every file from now on."""
        if not self.plan.paths.issuperset(paths := frozenset(paths)):
            self.plan = compiled(self.plan.paths | paths)

    def read(self, path: Path) -> FileHeader:
        """Read the header of a DICOM Part 10 file (PS3.10 section 7), without pixel data.

        Raises
        ------
        UnreadableObject
            The file is not DICOM or its header is malformed.
        OSError
            The file cannot be opened or read.
        """
        found: QueryRow = {}
        try:
            extent = reading.read(path, self.plan, found)
        except Unusual:
            return self._read_unusual(path)
        except (reading.Cut, reading.TooLarge, Bomb, zlib.error) as error:
            raise unreadable("the object", error) from None
        return FileHeader(path, self, found, extent)

    def of(self, dataset: Dataset) -> FileHeader:
        """Return the header of a pydicom data set.

        Raises
        ------
        UnreadableObject
            A wanted value cannot be encoded.
        """
        with decoding("the object", warned := Counter[str]()):
            header = FileHeader(None, self, found_in(dataset, self.plan), None, dataset)
        header.warnings.update(warned)
        return header

    def _read_unusual(self, path: Path) -> FileHeader:
        with decoding("the object", warned := Counter[str]()):
            dataset = read_dataset(path)
        header = self.of(dataset)
        header.path = path
        header.warnings.update(warned)
        return header


def read_header(path: Path) -> FileHeader:
    """Read the header of a single file, as `HeaderReader.read` does."""
    return HeaderReader().read(path)
