"""The attributes of one stored instance, whatever the state of its bytes."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from pacsfw.dicom import reading
from pacsfw.dicom.cell_errors import CellError
from pacsfw.dicom.decoding_errors import UnreadableObject, decoding
from pacsfw.dicom.elements import Leaf, NeedsDataset, as_pydicom, find, is_before_fault, plain
from pacsfw.dicom.inflating import Bomb
from pacsfw.dicom.pydicom_datasets import as_dataset, as_whole, found_in
from pacsfw.dicom.reading import Extent
from pacsfw.dicom.tagpath import ABSENT, Absent, Many, TagPath, parse
from pacsfw.dicom.walk import EXPLICIT, Encoding, Unusual
from pacsfw.dicom.wanted import SOP_CLASS, SOP_INSTANCE, Plan, QueryRow, compiled
from pacsfw.dicom.whole import NotPart10, Whole, read_whole

DAMAGED_PIXELS = "damaged pixel data"
"""The irregularity of damage in or after the pixel data; the header is intact."""


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
        The part of the file that was read; None for the header of a data set.
    odd
        Irregularities of the file so far, by kind.
    warnings
        Number of warnings about its values so far, by kind; no values.
    """

    __slots__ = (
        "_dataset",
        "_plan",
        "_reader",
        "_whole",
        "extent",
        "found",
        "odd",
        "path",
        "warnings",
    )

    def __init__(
        self,
        path: Path | None,
        reader: HeaderReader,
        found: QueryRow,
        extent: Extent | None,
        *,
        dataset: Dataset | None = None,
        whole: Whole | None = None,
    ) -> None:
        self.path, self.found, self.extent = path, found, extent
        self._reader, self._plan = reader, reader.plan
        self._dataset, self._whole = dataset, whole
        self.odd: dict[str, int] = {}
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
        made = self._made_dataset()
        if self.fault:
            raise UnreadableObject("the instance", self.fault)
        return made

    def _made_dataset(self) -> Dataset:
        """Return the data set, which ends at the fault, if any."""
        if self._dataset is None:
            whole = self.whole()
            with decoding("the instance", self.warnings):
                self._dataset = as_dataset(whole, str(self.path), self.charset)
        return self._dataset

    def whole(self) -> Whole:
        """Return every element of the file; read on first access.

        Raises
        ------
        UnreadableObject
            A value of a pydicom data set cannot be encoded.
        OSError
            The file can no longer be read.
        """
        if self._whole is None and self.path is None:
            assert self._dataset is not None  # noqa: S101 - the header of a data set
            with decoding("the instance", self.warnings):
                self._whole = as_whole(self._dataset)
        elif self._whole is None:
            assert self.path is not None  # noqa: S101 - see above
            self._whole = read_whole(self.path, bare=self._reader.bare)
            self.odd.update(self._whole.odd)
        assert self._whole is not None  # noqa: S101 - see above
        return self._whole

    @property
    def was_read_whole(self) -> bool:
        """Whether every element was read, because the file is irregular or all was asked for."""
        return self._whole is not None

    @property
    def fault(self) -> str:
        """Why nothing can be said of what was not found; empty if it is absent."""
        return self._whole.fault if self._whole is not None else ""

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

    def value(self, path: TagPath, vr: str = "", *, strict: bool = False) -> Any:
        """Return the value at a path as pydicom provides it, or `ABSENT`.

        Parameters
        ----------
        vr
            The value representation of UN values that are in no dictionary.
        strict
            Bytes that are not in the character set are an error. Otherwise they are replaced, and
            counted as a warning.

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

        def lost(reason: str) -> None:
            if strict:
                raise UnreadableObject(path.text, reason)
            self.warnings["text outside its character set"] += 1

        def one(leaf: Leaf) -> Any:
            if vr and leaf.vr == "UN":
                leaf = leaf._replace(vr=vr)
            return path.select(as_pydicom(leaf, path, self.charset, lost))

        with decoding(path.text, self.warnings):
            try:
                if isinstance(leaf, Many):
                    return Many(None if each is ABSENT else one(each) for each in leaf)
                if leaf is not ABSENT:
                    return one(leaf)
            except NeedsDataset:
                pass
            return path.get(self._made_dataset())

    def raw(self, path: TagPath) -> Leaf | Many | Absent:
        """Return the encoded elements at a path: a `Leaf`, a `Many` of them, or `ABSENT`.

        Raises
        ------
        UnreadableObject
            It cannot be read, or may be after the fault at which reading had to stop.
        """
        if path not in self._plan.paths:
            self.cover(frozenset((path,)))
        leaf = find(path, self.found, self.encoding)
        if leaf is ABSENT and self.fault and not is_before_fault(path, self.found):
            raise UnreadableObject(path.text, self.fault)
        return leaf

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
        self._whole = self._whole or again._whole
        self.odd |= again.odd

    def __getattr__(self, keyword: str) -> Any:
        if tag_for_keyword(keyword) is None:
            raise AttributeError(
                f"{keyword!r} is neither a DICOM keyword nor an attribute of a header"
            )
        value = self.get(keyword, ABSENT)
        if value is ABSENT:
            raise AttributeError(f"the instance has no {keyword}")
        return value


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
        Also read data sets without preamble and prefix.
    """

    def __init__(
        self, paths: Iterable[TagPath] = (), charset: str = "", *, bare: bool = False
    ) -> None:
        self.plan: Plan = compiled(paths)
        self.charset, self.bare = charset, bare

    def want(self, paths: Iterable[TagPath]) -> None:
        """Also read these values, of every file from now on."""
        if not self.plan.paths.issuperset(paths := frozenset(paths)):
            self.plan = compiled(self.plan.paths | paths)

    def read(self, path: Path) -> FileHeader:
        """Read the header of a DICOM Part 10 file (PS3.10 section 7), without pixel data.

        Of a damaged file, the elements before the fault are read, if they include the UIDs that
        make it an instance. See `FileHeader.fault`.

        Raises
        ------
        UnreadableObject
            The file is not DICOM, or damaged before its SOP Class and Instance UID.
        OSError
            The file cannot be opened or read.
        """
        found: QueryRow = {}
        try:
            extent, damage = reading.read(path, self.plan, found)
        except (Unusual, reading.Cut, reading.TooLarge, Bomb, zlib.error):
            return self._read_whole(path)
        header = FileHeader(path, self, found, extent)
        if damage:
            header.odd[f"{DAMAGED_PIXELS}: {damage}"] = 1
        return header

    def of(self, dataset: Dataset) -> FileHeader:
        """Return the header of a pydicom data set.

        Raises
        ------
        UnreadableObject
            A wanted value cannot be encoded.
        """
        with decoding("the instance", warned := Counter[str]()):
            found = found_in(dataset, self.plan)
            header = FileHeader(None, self, found, None, dataset=dataset)
        header.warnings.update(warned)
        return header

    def _read_whole(self, path: Path) -> FileHeader:
        try:
            whole = read_whole(path, bare=self.bare)
        except NotPart10 as error:
            raise UnreadableObject("the instance", str(error)) from None
        if whole.fault and not is_identified(whole.found):
            raise UnreadableObject("the instance", whole.fault) from None
        header = FileHeader(path, self, whole.found, whole.extent, whole=whole)
        header.odd.update(whole.odd)
        if whole.damage and not whole.fault:
            header.odd[f"{DAMAGED_PIXELS}: {whole.damage}"] = 1
        return header


def irregular(header: FileHeader) -> list[CellError]:
    """Return an entry for the table of errors for each kind of irregularity of a file."""
    return [CellError.of_row("irregular", kind) for kind in sorted(header.odd)]


def is_identified(found: QueryRow) -> bool:
    """Return whether a data set has the UIDs that make it an instance (PS3.3 section C.12.1)."""
    return all(found.get(tag, ("", b""))[1] for tag in (SOP_CLASS, SOP_INSTANCE))


def read_header(path: Path) -> FileHeader:
    """Read the header of a single file, as `HeaderReader.read` does."""
    return HeaderReader().read(path)
