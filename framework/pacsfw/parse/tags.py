"""Define tags in Python, and read them from files."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias
from weakref import finalize

from pydicom.dataset import Dataset

from pacsfw.api import Clock, Column, ColumnType, Component, Header
from pacsfw.config import RowColumns, TagEntry, Use, load, tags_of_tree
from pacsfw.config.columns import columns_of, type_of
from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import FileHeader, HeaderReader
from pacsfw.errors import ConfigError
from pacsfw.parse.rows import ParsedRow, Rows
from pacsfw.parse.tree.file_reader import UNREADABLE, Container, Parsed, Unparsed
from pacsfw.parse.tree.files import InProcess, TreeReader
from pacsfw.parse.tree.walk import SPECIAL, Item, is_special
from pacsfw.parse.worker import ParseSpec, file_reader
from pacsfw.plugins import PluginPlan, discover, facts
from pacsfw.plugins.opening import outside_a_run
from pacsfw.plugins.registry import Registry
from pacsfw.steps.tags.reading import CellReader, ReadingSpec
from pacsfw.workers import OrderedPool

Callback: TypeAlias = "str | Mapping[str, Any] | Callable[[Any], Any]"
"""A callback: its name, ``{"use": name, "with": {...}}``, or a function."""
RowFunction: TypeAlias = "str | Mapping[str, Any] | Callable[[Header], Any]"
"""A row callback: its name, ``{"use": name, "with": {...}}``, or a function."""
Dicom: TypeAlias = "str | Path | Dataset"
"""A file, or a pydicom data set."""
TagLike: TypeAlias = "DicomTag | RowTag | Mapping[str, Any] | str"
Tags: TypeAlias = "DicomTagGroup | Iterable[TagLike] | TagLike"

_SPECIAL = Unparsed(UNREADABLE, SPECIAL)
_ARCHIVE = Unparsed(UNREADABLE, "an archive: parse_dir reads its members")
_BY_NAME: Mapping[Any, str] = {str: "str", int: "int", float: "float", bool: "bool"}
"""Python types that stand for the callbacks of these names, as in the configuration."""


@dataclass(frozen=True)
class DicomTag:
    """One column: a tag, and the conversion of its value. The keys of ``tags:`` in Python.

    Parameters
    ----------
    tag_name
        A keyword or tag path (``A[1].B``); of several, the first one with a value is used.
    tag_alias
        The name of the column; by default the first ``tag_name``.
    default_val
        The cell if the tag is missing or empty.
    callback
        One callback, or several that are called one after the other.
    type
        The type of the cells, or ``auto``; by default that of the last callback, otherwise text.
    vr, required, raw
        As in the configuration.
    """

    tag_name: str | Sequence[str]
    tag_alias: str = ""
    default_val: Any = None
    callback: Callback | Sequence[Callback] | None = None
    type: ColumnType | Literal["auto"] | None = None
    vr: str = ""
    required: bool = False
    raw: bool = False

    def tag_value(self, dicom: Dicom) -> Any:
        """Return the cell of one instance."""
        return next(iter(DicomTagGroup([self]).parse_dicom(dicom).values()))


@dataclass(frozen=True)
class RowTag:
    """The columns that a row callback makes from the whole header.

    Parameters
    ----------
    row_callback
        The row callback.
    tag_alias
        The name of the column, or the beginning of the names of several.
    type
        The type of the result, if that is one value.
    columns
        Key and type of each column, if the row callback does not say which it has.
    """

    row_callback: RowFunction
    tag_alias: str = ""
    type: ColumnType | None = None
    columns: Mapping[str, ColumnType] = field(default_factory=dict)


class DicomTagGroup:
    """A group of tags, compiled once for any number of files.

    Parameters
    ----------
    tags
        `DicomTag`, `RowTag`, mappings with the keys of ``tags:``, or plain tag names; or one of
        these.
    plugins
        The plugins to load for callbacks; by default all installed ones.

    Raises
    ------
    ConfigError
        Tags are invalid; the message lists every problem.
    """

    def __init__(
        self, tags: Iterable[TagLike] | TagLike, *, plugins: PluginPlan | None = None
    ) -> None:
        self._plugins = plugins or PluginPlan()
        self._registry = _registry(self._plugins)
        self._functions: dict[str, Callable[[Any], Any]] = {}
        self._of_functions: dict[str, Component[Any]] = {}
        self._charset, self._context = "", outside_a_run()
        # A text is one tag, not one for each of its letters.
        each = [tags] if isinstance(tags, str | DicomTag | RowTag | Mapping) else tags
        given = [_as_tag(tag) for tag in each]
        trees = [self._tree(tag) for tag in given]
        found = tags_of_tree(trees, self._registry, self._of_functions)
        self.tags = tuple(map(self._with_functions, found, given))

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Load ``tags:`` from a YAML or JSON file, with the plugins that it names.

        Raises
        ------
        ConfigError
            The file cannot be used, or has no tags.
        """
        loaded = load(Path(path), _registry)
        config = loaded.config
        config.require("tags")
        loaded.build({"callback", "row-callback"})
        group = cls([], plugins=config.plugins)
        group.tags, group._charset = config.tags, config.undeclared_charset
        group._context = config.run_context(group._context.workdir, Clock())
        return group

    from_json = from_yaml

    @property
    def columns(self) -> tuple[Column, ...]:
        """Name and type of each column."""
        return tuple(column for tag in self.tags for column in columns_of(tag))

    def parse_dicom(self, dicom: Dicom) -> ParsedRow:
        """Read one instance; see `parse_dicom`."""
        cells = self._reader.read(header_of(dicom, self._headers))
        names = [column.name for column in self._reader.columns]
        return ParsedRow(zip(names, cells.row, strict=True), cells.errors)

    def parse_dicoms(self, dicoms: Iterable[Dicom]) -> Rows:
        """Read several instances; see `parse_dicoms`."""
        once = isinstance(dicoms, Iterator)
        return Rows(self.columns, partial(self._each, dicoms), once=once)

    def parse_dir(
        self, path: str | Path, *, workers: int = 0, limit: int = 0, bare: bool = False
    ) -> Rows:
        """Read every file below a folder; see `parse_dir`."""
        root = Path(os.path.abspath(path))  # links stay as written
        if not root.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return Rows(self.columns, partial(self._tree_outcomes, root, workers, limit, bare))

    def _each(self, dicoms: Iterable[Dicom]) -> Iterator[tuple[Item, Parsed | Unparsed]]:
        with (
            tempfile.TemporaryDirectory(prefix="pacsfw-") as folder,
            closing(file_reader(self._reader, Path(folder))) as reader,
        ):
            for dicom in dicoms:
                if isinstance(dicom, Dataset):
                    yield Item(""), reader.of(dicom)
                    continue
                item = Item(str(dicom))
                outcome = reader.read(item) if not is_special(item.path) else _SPECIAL
                yield item, _ARCHIVE if isinstance(outcome, Container) else outcome

    def _tree_outcomes(
        self, root: Path, workers: int, limit: int, bare: bool
    ) -> Iterator[tuple[Item, Any]]:
        with tempfile.TemporaryDirectory(prefix="pacsfw-") as folder:
            workdir = Path(folder)
            reading = replace(self._reading(), bare=bare)
            if workers:
                with OrderedPool(workers, ParseSpec(reading=reading, workdir=workdir)) as pool:
                    yield from TreeReader(str(root), pool, workdir).read(limit=limit)
                return
            cells = self._cells_of(reading)
            with closing(file_reader(cells, workdir, close=cells.close)) as reader:
                yield from TreeReader(str(root), InProcess(reader), workdir).read(limit=limit)

    @cached_property
    def _reader(self) -> CellReader:
        cells = self._cells_of(self._reading())
        finalize(self, cells.close)
        return cells

    def _cells_of(self, reading: ReadingSpec) -> CellReader:
        # No time limit in the user's process, because it would use SIGALRM.
        return CellReader(replace(reading, call_seconds=0), self._registry)

    @cached_property
    def _headers(self) -> HeaderReader:
        return self._reader.headers()

    def _reading(self) -> ReadingSpec:
        return ReadingSpec(
            plugins=self._plugins,
            tags=self.tags,
            charset=self._charset,
            functions=self._functions,
            context=self._context,
        )

    def _tree(self, tag: DicomTag | RowTag) -> dict[str, Any]:
        """Return the tag in the form of the configuration; a function becomes its return type."""
        tree = {each.name: getattr(tag, each.name) for each in fields(tag)}
        tree = {name: value for name, value in tree.items() if value not in (None, "", False, {})}
        if isinstance(tag, RowTag):
            if callable(tag.row_callback):
                name = tree["row_callback"] = self._named(tag.row_callback).name
                self._of_functions[name] = Component.of(tag.row_callback, name=name, summary="")
            return tree
        chain = _chain(tag)
        if any(map(callable, chain)):
            del tree["callback"]
            tree.setdefault("type", self._type_of(chain[-1]))
        elif chain:
            tree["callback"] = chain
        if not isinstance(tag.tag_name, str):
            tree["tag_name"] = list(tag.tag_name)
        if tag.default_val is not None:
            tree["default_val"] = tag.default_val
        return tree

    def _type_of(self, callback: Callback) -> ColumnType:
        if callable(callback):
            return type_of(callback)
        return facts.column_type(self._registry.select("callback", _use(callback).name).component)

    def _with_functions(self, tag: TagEntry, given: DicomTag | RowTag) -> TagEntry:
        """Return a tag with its callbacks, if some of them are functions."""
        if isinstance(given, RowTag) or isinstance(tag, RowColumns):  # the same, for mypy
            return tag
        chain = _chain(given)
        if not any(map(callable, chain)):
            return tag
        uses = [self._named(each) if callable(each) else _use(each) for each in chain]
        return replace(tag, callbacks=tuple(uses))

    def _named(self, function: Callable[[Any], Any]) -> Use:
        """Give a function a unique name by which the workers find it."""
        name = getattr(function, "__qualname__", type(function).__name__)
        while self._functions.setdefault(name, function) is not function:
            name += "'"
        return Use(name)


def _as_tag(tag: TagLike) -> DicomTag | RowTag:
    if isinstance(tag, DicomTag | RowTag):
        return tag
    if isinstance(tag, str):
        return DicomTag(tag)
    try:
        return RowTag(**tag) if "row_callback" in tag else DicomTag(**tag)
    except TypeError as err:
        raise ConfigError(f"a tag has wrong keys: {str(err).partition(') ')[2] or err}") from err


def header_of(dicom: Dicom, headers: HeaderReader) -> FileHeader:
    """Return the header of a file or a data set.

    Raises
    ------
    UnreadableObject
        It is not a file, not DICOM, or damaged.
    OSError
        It cannot be read.
    """
    if not isinstance(dicom, Dataset) and is_special(dicom):
        raise UnreadableObject("the instance", SPECIAL)
    return headers.of(dicom) if isinstance(dicom, Dataset) else headers.read(Path(dicom))


def _chain(tag: DicomTag) -> list[Callback]:
    given = tag.callback
    if given is None:
        return []
    chain = [given] if isinstance(given, str | Mapping) or callable(given) else list(given)
    return [_BY_NAME.get(each, each) if callable(each) else each for each in chain]


def _use(callback: str | Mapping[str, Any]) -> Use:
    if isinstance(callback, str):
        return Use(callback)
    return Use(callback["use"], callback.get("with", {}))


@cache
def _registry(plugins: PluginPlan) -> Registry:
    return discover(plugins)
