"""The attributes of one stored instance, whatever the state of its bytes."""

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

    Also contains attributes of group 0002 (PS3.10 section 7.1), such as
    ``header.TransferSyntaxUID``. An attribute that the `HeaderReader` did not read is read on
    first access, and in advance for the files after this one.

    Attributes
    ----------
    found
        The elements that were read, still encoded.
    extent
        The part of the file that was read; None if pydicom had to read it.
    warnings
        Number of pydicom warnings so far, by kind; no values.
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
        """The full pydicom data set (without pixel data), read on first access.

        Raises
        ------
        UnreadableObject
            The file is malformed.
        OSError
            The file can no longer be read.
        """
        if self._dataset is None:
            assert self.path is not None  # noqa: S101 - only the header of a data set has none
            with decoding("the instance", self.warnings):
                self._dataset = read_dataset(self.path)
        return self._dataset

    def get(self, keyword: str, default: Any = None) -> Any:
        """Return the value at a keyword or tag path as pydicom provides it.

        Returns
        -------
        Any
            The value, which may be empty, or ``default`` if it is absent.

        Raises
        ------
        ValueError
            The DICOM keyword does not exist.
        UnreadableObject
            The value cannot be decoded.
        """
        value = self.value(parse(keyword))
        return default if value is ABSENT else value

    def value(self, path: TagPath, vr: str = "") -> Any:
        """Return the value at a path as pydicom provides it, or `ABSENT`.

        Parameters
        ----------
        vr
            The value representation of UN values that are in no dictionary.

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
        """Return the encoded elements at a path: a `Leaf`, a `Many` of them, or `ABSENT`.

        Raises
        ------
        UnreadableObject
            It is after the part that was read, and reading further failed.
        """
        if path not in self._plan.paths:
            self.cover(frozenset((path,)))
        return find(path, self.found, self.encoding)

    @property
    def plan(self) -> Plan:
        """The plan with which ``found`` was read."""
        return self._plan

    @property
    def charset(self) -> str:
        """The character set of text that is not ASCII if the instance declares none."""
        return self._reader.charset

    @property
    def encoding(self) -> Encoding:
        """The encoding of the numbers in ``found``."""
        return self.extent.encoding if self.extent else EXPLICIT

    def cover(self, paths: frozenset[TagPath]) -> Plan:
        """Ensure that ``found`` covers the paths; if not, read again, including them."""
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
            raise AttributeError(
                f"{keyword!r} is neither a DICOM keyword nor an attribute of a header"
            )
        value = self.get(keyword, ABSENT)
        if value is ABSENT:
            raise AttributeError(f"the instance has no {keyword}")
        return value


def _one(path: TagPath, vr: str, leaf: Leaf) -> Any:
    if vr and leaf.vr == "UN":
        leaf = leaf._replace(vr=vr)
    return path.select(as_pydicom(leaf, path.steps[-1]))


class HeaderReader:
    """Reads the wanted values of many files; the paths are compiled once.

    Parameters
    ----------
    paths
        The paths that will be accessed. Each other path costs one additional read.
    charset
        The character set of text that is not ASCII in instances that declare none, as in
        (0008,0005); ISO 8859-1 if it is empty.
    bare
        Whether to read data sets without preamble and File Meta Information as well.
    """

    def __init__(
        self, paths: Iterable[TagPath] = (), charset: str = "", *, bare: bool = False
    ) -> None:
        self.plan: Plan = compiled(paths)
        self.charset = charset
        self.bare = bare

    def want(self, paths: Iterable[TagPath]) -> None:
        """Also read these values, of every file from now on."""
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
            raise unreadable("the instance", error) from None
        return FileHeader(path, self, found, extent)

    def of(self, dataset: Dataset) -> FileHeader:
        """Return the header of a pydicom data set.

        Raises
        ------
        UnreadableObject
            A wanted value cannot be encoded.
        """
        with decoding("the instance", warned := Counter[str]()):
            header = FileHeader(None, self, found_in(dataset, self.plan), None, dataset)
        header.warnings.update(warned)
        return header

    def _read_unusual(self, path: Path) -> FileHeader:
        with decoding("the instance", warned := Counter[str]()):
            dataset = read_dataset(path)
        header = self.of(dataset)
        header.path = path
        header.warnings.update(warned)
        return header


def read_header(path: Path) -> FileHeader:
    """Read the header of a single file, as `HeaderReader.read` does."""
    return HeaderReader().read(path)
