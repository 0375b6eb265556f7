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
    """One use of a component. Picklable: a worker builds its own object from it.

    The options may hold secrets, so that no ``repr`` shows them.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    id: str = ""
    where: str = ""
    """``conf.yaml:12:5: sinks[0]``, for messages."""

    @property
    def identity(self) -> str:
        """A text that is the same as long as the component and its options are."""
        return json.dumps([self.name, dict(self.options)], sort_keys=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One entry of ``find.filters``: an attribute and what it may and may not be."""

    keyword: str
    wanted: tuple[str, ...] = ()
    """Matching values (PS3.4 C.2.2.2) of which one has to match; none: anything does."""
    unwanted: tuple[str, ...] = ()
    """Matching values of which none may match."""
    fold: bool = False
    """Compare without regard to case and accents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """The ``find`` section. Both dates belong to the range; no modality is ``""``.

    Both dates are None where a cohort alone says what is looked for.
    """

    level: QueryLevel
    search_fields: tuple[str, ...]
    start: date | None
    end: date | None
    modality: str
    use: Use
    filters: tuple[Filter, ...] = ()
    cohort: Path | None = None
    undated: bool = False
    """Look for studies without a StudyDate too."""
    max_studies: int = 0
    """Stop where more studies match; 0: however many."""


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
    """So long after it was last asked about, a finished study is asked about again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """The ``storage`` section. Paths are absolute; targets are absolute paths or URLs."""

    resources: str
    resources_meta: str
    directory: Path
    state: Path
    sort_by: Use
    reserve: int = 0
    """Bytes of free space below which nothing more is requested."""
    backlog: int = 4 << 30
    """Bytes that may have arrived and not be stored yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """One column of the table.

    ``default`` is a cell of the column's type, None where none was given; ``type`` is the
    declared one, else what the last callback returns, else text. ``vr`` is how the value is
    read where neither the object nor a dictionary says it.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Convert:
    """One entry of ``convert``. Picklable."""

    use: Use
    id: str
    component: str
    """Name, distribution and version."""
    scope: api.Scope
    directory: Path | None
    """None: beside the DICOM files."""
    workers: int
    seconds: float
    """How long one conversion may take."""
    skip_failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything the configuration file says.

    A section that is not in the file is None or empty; a command names what it needs with
    `require`. ``raw`` is the tree with every ``${...}`` replaced, defaults filled in and
    paths made absolute; ``secrets`` are the places in it that are never to be shown.
    """

    path: Path
    base: Path
    net: api.Net | None
    find: Find | None
    move: Move | None
    storage: Storage | None
    tags: tuple[Tag, ...]
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
            There is none; likewise for the other sections.
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
        """Return the ``net`` section, which names the PACS: ``net.called_node``."""
        self.require("net.called_node")
        return cast("api.Net", self.net)

    def need_pacs(self) -> api.Node:
        """Return the PACS: ``net.called_node``."""
        return cast("api.Node", self.need_net().called)

    def need_listener(self) -> api.Node:
        """Return the node that we listen as: ``net.dest_node``."""
        self.require("net.dest_node.port")
        return cast("api.Node", cast("api.Net", self.net).dest)

    @property
    def undeclared_charset(self) -> str:
        """The character set of objects that declare none: ``net.called_node.charset``."""
        return self.net.called.charset if self.net and self.net.called else ""

    def require(self, *names: str) -> None:
        """See that the sections a command needs are there.

        Parameters
        ----------
        names
            Such as ``find``, ``storage``, ``net.called_node`` or ``net.dest_node.port``.

        Raises
        ------
        ConfigError
            With one message per missing section or key.
        """
        missing = [name for name in names if not self._has(name)]
        if missing:
            raise ConfigError(
                *(f"{self.path}: {name} is missing, and this command needs it" for name in missing)
            )

    def run_context(
        self, workdir: Path, clock: api.Clock, components: tuple[api.ComponentInfo, ...] = ()
    ) -> api.RunContext:
        """Return what the components of a new run are told."""
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
