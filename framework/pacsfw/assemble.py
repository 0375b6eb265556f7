"""Building the parts that a configuration names, here and in worker processes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pacsfw.api import (
    HEADER,
    Answer,
    Found,
    Layout,
    QueryProvider,
    RunContext,
    Sink,
    Slice,
    TagCallback,
    Transfer,
    Used,
)
from pacsfw.config import Config, Storage, Tag, Use
from pacsfw.config.schemas import AUTO
from pacsfw.deliver.provenance import source_of
from pacsfw.dicom.faults import UnreadableObject
from pacsfw.dicom.header import FileHeader, HeaderReader
from pacsfw.errors import ComponentError, PacsfwError, PluginError, RemoteError, Retry
from pacsfw.ingest.ingest import Ingest
from pacsfw.ledger.cells import to_json
from pacsfw.ledger.instances import CellError
from pacsfw.move.choice import choose
from pacsfw.offers import Offer
from pacsfw.plugins import BUNDLED, PluginPlan, discover
from pacsfw.registry import Registry
from pacsfw.tags.faults import TagError
from pacsfw.tags.rows import RowReader
from pacsfw.tags.whole import whole_header
from pacsfw.workers.limits import limited

Ask = Callable[[Slice], tuple[Answer, list[Found]]]
"""Puts a question and returns its answer with all rows, for questions with few of them."""

Put = Callable[[Slice, Callable[[Found], None]], Answer]
"""Puts a question whose rows stream."""


PACS_QUERY, WEB_QUERY = "cfind", "qido"
"""How a PACS, or one that only DICOMweb reaches, is asked where nothing else is said."""


@dataclass(frozen=True, slots=True)
class IngestSpec:
    """What a worker process needs to build its `Ingest`; picklable."""

    plugins: PluginPlan
    sort_by: Use
    tags: tuple[Tag, ...]
    wanted: tuple[Tag, ...]
    """What sinks want beside the tags; its cells follow those of the tags."""
    archive: Path
    state: Path
    call_seconds: float = 30.0
    """How long a layout or a callback may take over one object."""
    known: frozenset[str] | None = None
    """The studies whose objects are stored; None: of all."""
    charset: str = ""
    """The character set of text that is not ASCII in objects that declare none."""
    durable: bool = False
    """At no moment may a power cut take an object: nobody else has it any more."""


def undeclared_charset(config: Config) -> str:
    """Return the character set of objects that declare none: ``net.called_node.charset``."""
    return config.net.called.charset if config.net and config.net.called else ""


def ingest_spec(
    config: Config,
    storage: Storage,
    wanted: tuple[Tag, ...],
    call_seconds: float,
    known: frozenset[str] | None = None,
) -> IngestSpec:
    """Return what the workers of a collection need."""
    return IngestSpec(
        plugins=config.plugins,
        sort_by=storage.sort_by,
        tags=config.tags,
        wanted=wanted,
        archive=storage.directory,
        state=storage.state,
        call_seconds=call_seconds,
        known=known,
        charset=undeclared_charset(config),
    )


def build_ingest(spec: IngestSpec) -> Ingest:
    """Rebuild the registry in a worker process, and from it the ingest function."""
    os.umask(0o077)  # every folder on the way to a file, not only the last
    registry = discover(spec.plugins)
    layout: Layout = limited(
        registry.build("layout", spec.sort_by.name, spec.sort_by.options), spec.call_seconds
    )
    uses = {use.name: use for tag in spec.tags for use in tag.callbacks}
    owners = {name: owner_of("callback", use, registry) for name, use in uses.items()}
    build = limited_callbacks(registry, spec.call_seconds)
    reader = RowReader(spec.tags, [[build(use) for use in tag.callbacks] for tag in spec.tags])
    attributes = [tag for tag in spec.wanted if tag.names != (HEADER,)]
    more = RowReader(attributes, [[] for _ in attributes])
    whole = len(attributes) < len(spec.wanted)

    def read_row(header: FileHeader) -> tuple[Sequence[Any], Sequence[CellError]]:
        values, errors = reader.read(header)
        others, other_errors = more.read(header)
        cells = [to_json(value) for value in (*values, *others)]
        found = [_cell_error(error, owners) for error in (*errors, *other_errors)]
        if whole:  # the order of `wanted`: HEADER sorts before every keyword
            cells.insert(len(values), _whole(header, found))
        return cells, found

    owner = owner_of("layout", spec.sort_by, registry)
    headers = HeaderReader(reader.paths | more.paths, spec.charset)
    return Ingest(
        spec.archive, spec.state, layout, owner, read_row, headers, spec.known, durable=spec.durable
    )


def limited_callbacks(
    registry: Registry, seconds: float, functions: Mapping[str, TagCallback] | None = None
) -> Callable[[Use], TagCallback]:
    """Return what builds a callback under a time limit (0: none).

    It is one of ``functions``, or a plugin's.
    """
    own = functions or {}

    def build(use: Use) -> TagCallback:
        found = own.get(use.name) or registry.build("callback", use.name, use.options)
        return limited(found, seconds) if seconds else found

    return build


def _whole(header: FileHeader, errors: list[CellError]) -> Any:
    try:
        return whole_header(header)
    except UnreadableObject as err:
        errors.append(
            CellError(column="*header", tag="", stage="decode", component="", reason=err.fault)
        )
        return None


def _cell_error(error: TagError, owners: Mapping[str, str]) -> CellError:
    return CellError(
        column=error.column,
        tag=error.tag,
        stage=error.stage,
        component=owners.get(error.component, ""),
        reason=error.reason,
    )


def sink_for(target: str, registry: Registry) -> Sink:
    """Build the sink that claims a target by its suffix or scheme."""
    offer = registry.sink_for(target)
    sink: Sink = registry.build("sink", offer.reference, {"path": target})
    return sink


@contextmanager
def worklist(target: str, registry: Registry, context: RunContext) -> Iterator[Sink]:
    """Open the sink of ``storage.resources``.

    Raises
    ------
    RemoteError
        It, a database, cannot be reached.
    """
    with closing(sink_for(target, registry)) as sink:
        try:
            sink.open(context)
            yield sink
        except Retry as err:
            raise RemoteError(f"storage.resources: {err}") from None


def open_provider(use: Use, registry: Registry, context: RunContext) -> QueryProvider:
    """Build and open a query provider."""
    provider: QueryProvider = registry.build("query", use.name, use.options)
    provider.open(context)
    return provider


def pacs_query(config: Config, transfer: Transfer | None, registry: Registry) -> Use:
    """Return how the PACS is asked what a study should have.

    That is as the transfer says, if there is one, else ``find.use``, but for one that does
    not know what the PACS holds.
    """
    if transfer is not None and (expects := transfer.expects()) is not None:
        return Use(*expects)
    find = config.find.use if config.find else None
    if find is not None and registry.build("query", find.name, find.options).of_pacs:
        return find
    net = config.net
    has_only_web = net is not None and net.called is None and net.dicomweb is not None
    return Use(WEB_QUERY if has_only_web else PACS_QUERY)


def transfer_use(config: Config, registry: Registry) -> tuple[Use, str]:
    """Return the transfer that ``move.use`` means, and why if that was ``auto``."""
    assert config.move is not None  # noqa: S101 - required before
    use = config.move.use
    if use.name != AUTO:
        return use, ""

    def usable(name: str) -> str:
        try:
            registry.select("transfer", name)
        except PluginError as err:
            return str(err)
        return ""

    name, why = choose(config.net, usable)
    return Use(name), why


def build_transfer(use: Use, registry: Registry) -> Transfer:
    """Build a transfer, to look at it or to open it."""
    transfer: Transfer = registry.build("transfer", use.name, use.options)
    return transfer


def putting(provider: QueryProvider, owner: str) -> Put:
    """Return a function that puts one slice; what the provider raises becomes our error."""

    def put(slice_: Slice, emit: Callable[[Found], None]) -> Answer:
        try:
            return provider.ask(slice_, emit)
        except PacsfwError:
            raise
        except Exception as err:  # noqa: BLE001 - plugin boundary; its text may quote a patient
            raise ComponentError(f"query {owner} failed: {type(err).__name__}") from None

    return put


def asking(provider: QueryProvider, owner: str) -> Ask:
    """Return a function that puts one slice and collects the rows of its answer."""
    put = putting(provider, owner)

    def ask(slice_: Slice) -> tuple[Answer, list[Found]]:
        rows: list[Found] = []
        return put(slice_, rows.append), rows

    return ask


def owner_of(kind: str, use: Use, registry: Registry) -> str:
    """Name a component with its distribution and version, for messages and the ledger."""
    return registry.select(kind, use.name).described


def callbacks_of(tags: Sequence[Tag], registry: Registry) -> dict[str, str]:
    """Name the callbacks of the tags, under ``callback``; empty where there are none."""
    uses = [use for tag in tags for use in tag.callbacks]
    named = dict.fromkeys(owner_of("callback", use, registry) for use in uses)
    return {"callback": ", ".join(named)} if named else {}


def components(config: Config, registry: Registry) -> tuple[Used, ...]:
    """Return every component that the configuration uses, once, and whose it is."""
    found: dict[tuple[str, str], Offer] = {}

    def add(kind: str, offer: Offer) -> None:
        found.setdefault((kind, offer.reference), offer)

    uses: list[tuple[str, Use]] = [("query", config.find.use)] if config.find else []
    if config.move:
        use, _ = transfer_use(config, registry)
        asked = pacs_query(config, build_transfer(use, registry), registry)
        uses += [("transfer", use), ("query", asked)]
    uses += [("callback", use) for tag in config.tags for use in tag.callbacks]
    uses += [("converter", convert.use) for convert in config.converts]
    uses += [("sink", use) for use in config.sinks]
    uses += [("observer", use) for use in config.observers]
    if config.storage:
        uses.append(("layout", config.storage.sort_by))
        targets = [config.storage.resources]
        targets += [config.storage.resources_meta] if config.tags else []
        for target in targets:
            add("sink", registry.sink_for(target))
    for kind, use in uses:
        add(kind, registry.select(kind, use.name))
    return tuple(
        Used(
            kind=kind,
            name=offer.component.name,
            distribution=offer.distribution,
            version=offer.version,
        )
        for (kind, _), offer in sorted(found.items())
    )


def identity(use: Use) -> str:
    """Return a text that is the same as long as the component and its options are."""
    return json.dumps([use.name, dict(use.options)], sort_keys=True)


def tags_identity(tags: Sequence[Tag], registry: Registry, charset: str) -> str:
    """Return a text that is the same as long as rows are read in the same way.

    That is by the same tags, code of their callbacks, and character set.

    Give it the tags that sinks want, too: rows read without these are not whole.

    A digest, since options of callbacks may hold secrets, which the ledger must not.
    """
    parts = [_without_places(asdict(tag)) for tag in tags]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode())
    digest.update(charset.encode())
    for use in (use for tag in tags for use in tag.callbacks):
        offer = registry.select("callback", use.name)
        digest.update(offer.owner.encode())
        if offer.distribution != BUNDLED:
            digest.update(source_of(offer.component.factory(**use.options)))
    return digest.hexdigest()


def _without_places(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_places(item) for key, item in value.items() if key != "where"}
    if isinstance(value, list | tuple):
        return [_without_places(item) for item in value]
    return value
