"""Read the cells of an instance from its header, for ingest, `pacsfw parse` and `parse_dicom`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from pacsfw.api import HEADER, Row, RunContext
from pacsfw.config import Tag, TagEntry, Use
from pacsfw.config.columns import columns_of
from pacsfw.dicom.cell_errors import CellError
from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import FileHeader, HeaderReader
from pacsfw.dicom.json_model import JsonModel
from pacsfw.dicom.tagpath import TagPath
from pacsfw.plugins import PluginPlan
from pacsfw.plugins.opening import open_callable, outside_a_run
from pacsfw.plugins.registry import Registry
from pacsfw.steps.tags.row_callbacks import RowCallbacks
from pacsfw.steps.tags.row_reader import RowReader
from pacsfw.workers.limits import limited

BULK_BYTES = 1024
"""Longer binary values are bulk data (PS3.18 F.2.6), which complete headers leave out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingSpec:
    """The picklable data from which a worker process builds its `CellReader`.

    Attributes
    ----------
    plugins, tags
        As in the configuration.
    wanted
        Further tags that sinks ask for; the name `HEADER` is the complete header.
    charset
        The character set of non-ASCII text in instances that declare none.
    bare
        Whether to read data sets without preamble as well.
    call_seconds
        Time limit of a callback per instance; 0: no limit.
    context
        What callbacks with ``open`` get.
    functions
        Callbacks and row callbacks that no plugin offers, by the name used in the tags.
    """

    plugins: PluginPlan
    tags: tuple[TagEntry, ...]
    wanted: tuple[Tag, ...] = ()
    charset: str = ""
    bare: bool = False
    call_seconds: float = 30.0
    context: RunContext = field(default_factory=outside_a_run)
    functions: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)


class Cells(NamedTuple):
    """The cells of one instance: its row, the cells of ``wanted``, and the errors."""

    row: Row
    wanted: Row
    errors: Sequence[CellError]


class CellReader:
    """Reads the cells of instances. Build it once per worker, then `read` each header.

    Raises
    ------
    PacsfwError
        A callback cannot be built or opened.
    """

    def __init__(self, spec: ReadingSpec, registry: Registry) -> None:
        self._spec, self._registry = spec, registry
        with ExitStack() as self._opened:
            self._build(spec)
            self._opened = self._opened.pop_all()  # they stay open until `close`

    def _build(self, spec: ReadingSpec) -> None:
        attributes = [tag for tag in spec.wanted if tag.names != (HEADER,)]
        of_tags = [tag for tag in spec.tags if isinstance(tag, Tag)]
        tags = [*of_tags, *attributes]
        uses = [use for tag in of_tags for use in tag.callbacks]
        owners = {use.name: self._owner("callback", use) for use in uses}
        chains = [[self._built("callback", use) for use in tag.callbacks] for tag in tags]
        self._rows = RowReader(tags, chains, owners)
        self._width = len(self._rows.columns) - len(attributes)
        self._row_callbacks = RowCallbacks(
            spec.tags,
            partial(self._built, "row-callback"),
            partial(self._owner, "row-callback"),
        )
        self.columns = tuple(column for tag in spec.tags for column in columns_of(tag))
        names = [tag.names for tag in spec.wanted]
        self._whole = names.index((HEADER,)) if (HEADER,) in names else None

    def headers(self, more: Iterable[TagPath] = ()) -> HeaderReader:
        """Return a reader of headers that also covers these paths."""
        paths = {*self._rows.paths, *more}
        return HeaderReader(paths, self._spec.charset, bare=self._spec.bare)

    def close(self) -> None:
        """Close the callbacks."""
        self._opened.close()

    def read(self, header: FileHeader) -> Cells:
        """Read the cells of one instance.

        Raises
        ------
        UnreadableObject, OSError
            As `RowReader.read`.
        """
        cells, errors = self._rows.read(header)
        row, wanted = cells[: self._width], cells[self._width :]
        if not self._row_callbacks.is_empty:
            row, failures = self._row_callbacks.complete(row, header)
            errors = (*errors, *failures)
        if self._whole is not None:
            alias = self._spec.wanted[self._whole].alias
            whole, problems = whole_header(header)
            failed = (CellError(alias, tag, "decode", reason, "") for tag, reason in problems)
            errors = (*errors, *failed)
            wanted = (*wanted[: self._whole], whole, *wanted[self._whole :])
        return Cells(row, wanted, errors)

    def _built(self, kind: str, use: Use) -> Callable[[Any], Any]:
        own = self._spec.functions.get(use.name)
        owner = self._owner(kind, use)
        found: Callable[[Any], Any] = own or self._registry.build(kind, use.name, use.options)
        if not own:
            open_callable(self._opened, kind, owner, found, self._spec.context)
        seconds = self._spec.call_seconds
        return limited(found, seconds, f"{kind} {owner}") if seconds else found

    def _owner(self, kind: str, use: Use) -> str:
        is_own = use.name in self._spec.functions
        return use.name if is_own else self._registry.describe(kind, use.name)


def whole_header(header: FileHeader) -> tuple[dict[str, Any] | None, list[tuple[str, str]]]:
    """Return the data set in the DICOM JSON model (PS3.18 F), without bulk data.

    Returns
    -------
    tuple
        The model, and tag and reason of each value that cannot be decoded and is left out. The
        model is None if the instance is damaged: then the tag is empty.
    """
    problems: list[tuple[str, str]] = []
    try:
        whole = header.whole()
    except UnreadableObject as err:
        return None, [("", err.fault)]
    if whole.fault:
        return None, [("", whole.fault)]
    model = JsonModel(
        header.encoding.little,
        header.charset,
        BULK_BYTES,
        lambda tag, reason: problems.append((tag, reason)),
    )
    return model.dataset(whole.found), problems
