"""A validated configuration."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

from pacsfw import api
from pacsfw.config.document import KeyPath
from pacsfw.config.window import Window
from pacsfw.errors import ConfigError
from pacsfw.plugins import PluginPlan

QueryLevel: TypeAlias = Literal["PATIENT", "STUDY"]
SCOPES: tuple[api.Scope, ...] = get_args(api.Scope)


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a component. Picklable: each worker builds its own object from it.

    The options may hold secrets, so ``repr`` does not show them.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    id: str = ""
    where: str = ""
    """``conf.yaml:12:5: sinks[0]``, for messages."""

    @property
    def identity(self) -> str:
        """A text that changes only with the component or its options."""
        return json.dumps([self.name, dict(self.options)], sort_keys=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One entry of ``find.filters``: an attribute, and its allowed and excluded values."""

    keyword: str
    wanted: tuple[str, ...] = ()
    """Matching values (PS3.4 C.2.2.2); one must match. Empty: anything matches."""
    unwanted: tuple[str, ...] = ()
    """Matching values; none may match."""
    fold: bool = False
    """Ignore case and accents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """The ``find`` section. Both dates are inclusive; ``""`` means any modality.

    Both dates are None if only a cohort defines the search.
    """

    level: QueryLevel
    search_fields: tuple[str, ...]
    start: date | None
    end: date | None
    modality: str
    use: Use
    filters: tuple[Filter, ...] = ()
    cohort: Use | None = None
    undated: bool = False
    """Also search for studies without a StudyDate."""
    max_studies: int = 0
    """Stop if more studies match; 0: no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The ``move`` section."""

    level: QueryLevel
    window: Window
    use: Use
    workers: int
    receivers: int
    attempts: int
    recheck_after: timedelta | None = None
    """Time after which a finished study is checked at the PACS again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """The ``storage`` section. Paths are absolute; targets are absolute paths or URLs."""

    resources: str
    resources_meta: str
    directory: Path
    state: Path
    sort_by: Use
    relative_paths: bool = False
    """Whether tables hold paths relative to ``directory`` instead of absolute ones."""
    reserve: int = 0
    """Free bytes below which no further study is requested."""
    backlog: int = 4 << 30
    """Maximum bytes of instances that arrived but are not stored yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """One column of the table.

    ``default`` is a cell of the column's type, or None; ``type`` is the declared type, else
    that of the last callback, else text. ``vr`` is the value representation if neither the
    instance nor a dictionary has one.
    """

    names: tuple[str, ...]
    alias: str
    """The name of the column."""
    default: Any
    callbacks: tuple[Use, ...]
    type: api.ColumnType
    where: str
    vr: str = ""
    required: bool = False
    raw: bool = False

    @property
    def uses(self) -> tuple[tuple[str, Use], ...]:
        """The components that fill the column, each with its kind."""
        return tuple(("callback", use) for use in self.callbacks)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowColumns:
    """The columns that one row callback fills from the whole header."""

    use: Use
    columns: tuple[api.Column, ...]
    keys: tuple[str, ...]
    """The key of each column in what the callback returns; empty: the returned value itself."""
    where: str

    @property
    def uses(self) -> tuple[tuple[str, Use], ...]:
        """The component that fills the columns, with its kind."""
        return (("row-callback", self.use),)


TagEntry: TypeAlias = Tag | RowColumns
"""One entry of ``tags``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Convert:
    """One entry of ``convert``. Picklable."""

    use: Use
    id: str
    component: str
    """Name, distribution and version."""
    code: str = ""
    """Digest of its source code; empty if it is compiled, or part of pacsfw."""
    scope: api.Scope
    directory: Path | None
    """None: next to the DICOM files."""
    workers: int
    seconds: float
    """Time limit of one conversion, in seconds."""
    skip_failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The content of the configuration file.

    A section that is not in the file is None or empty; commands state what they need with
    `require`. ``raw`` is the tree with every ``${...}`` replaced, defaults filled in and
    absolute paths; ``secrets`` are the places in it that are never shown.
    """

    path: Path
    base: Path
    net: api.Net | None
    find: Find | None
    move: Move | None
    storage: Storage | None
    tags: tuple[TagEntry, ...]
    converts: tuple[Convert, ...]
    sinks: tuple[Use, ...]
    observers: tuple[Use, ...]
    plugins: PluginPlan
    sections: Mapping[str, Any] = field(repr=False)
    warnings: tuple[str, ...]
    raw: Mapping[str, Any] = field(repr=False)
    secrets: frozenset[KeyPath]

    def need_storage(self) -> Storage:
        """Return the ``storage`` section.

        Raises
        ------
        ConfigError
            It is missing; likewise for the other sections.
        """
        self.require("storage")
        return cast("Storage", self.storage)

    def need_find(self) -> Find:
        """Return the ``find`` section."""
        self.require("find")
        return cast("Find", self.find)

    def need_move(self) -> Move:
        """Return the ``move`` section."""
        self.require("move")
        return cast("Move", self.move)

    def need_net(self) -> api.Net:
        """Return the ``net`` section, which must contain the PACS: ``net.called_node``."""
        self.require("net.called_node")
        return cast("api.Net", self.net)

    def need_pacs(self) -> api.Node:
        """Return the PACS: ``net.called_node``."""
        return cast("api.Node", self.need_net().called)

    def need_listener(self) -> api.Node:
        """Return the node on which we listen: ``net.dest_node``."""
        self.require("net.dest_node.port")
        return cast("api.Node", cast("api.Net", self.net).dest)

    @property
    def undeclared_charset(self) -> str:
        """The character set of instances that declare none: ``net.called_node.charset``."""
        return self.net.called.charset if self.net and self.net.called else ""

    def require(self, *names: str) -> None:
        """Check that the sections that a command needs are present.

        Parameters
        ----------
        names
            For example ``find``, ``storage``, ``net.called_node`` or ``net.dest_node.port``.

        Raises
        ------
        ConfigError
            With one message per missing section or key.
        """
        missing = [name for name in names if not self._has(name)]
        if missing:
            raise ConfigError(
                *(f"{self.path}: {name} is missing; this command requires it" for name in missing)
            )

    def run_context(
        self, workdir: Path, clock: api.Clock, components: tuple[api.ComponentInfo, ...] = ()
    ) -> api.RunContext:
        """Return the context for the components of a new run."""
        return api.RunContext(
            run_id=f"{clock.now():%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}",
            workdir=workdir,
            net=self.net,
            sections=self.sections,
            clock=clock,
            log=logging.getLogger("pacsfw.plugins"),
            components=components,
        )

    def _has(self, name: str) -> bool:
        found: Any = self
        for step in name.split("."):
            found = getattr(found, step.removesuffix("_node"), None)
        return bool(found)
