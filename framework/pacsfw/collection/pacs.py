"""The PACS of a collection: how it is asked, and how its objects are fetched."""

from __future__ import annotations

from collections.abc import Callable

from pacsfw.api import Query, QueryProvider, QueryResult, QueryRow, RunContext, Transfer
from pacsfw.config import Config, Use
from pacsfw.config.schemas import AUTO
from pacsfw.errors import ComponentError, PacsfwError, PluginError
from pacsfw.plugins.registry import Registry
from pacsfw.steps.move.choice import choose

Ask = Callable[[Query], tuple[QueryResult, list[QueryRow]]]
"""Puts a question and returns its answer with all rows, for questions with few of them."""

Put = Callable[[Query, Callable[[QueryRow], None]], QueryResult]
"""Puts a question whose rows stream."""


PACS_QUERY, WEB_QUERY = "cfind", "qido"
"""How a PACS, or one that only DICOMweb reaches, is asked where nothing else is said."""


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
    if find is not None and registry.select("query", find.name).component.authoritative:
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


def guarded_ask(provider: QueryProvider, owner: str) -> Put:
    """Return a function that puts one slice; what the provider raises becomes our error."""

    def put(query: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
        try:
            return provider.ask(query, emit)
        except PacsfwError:
            raise
        except Exception as err:  # noqa: BLE001 - plugin boundary; its text may quote a patient
            raise ComponentError(f"query {owner} failed: {type(err).__name__}") from None

    return put


def ask_all(provider: QueryProvider, owner: str) -> Ask:
    """Return a function that puts one slice and collects the rows of its answer."""
    put = guarded_ask(provider, owner)

    def ask(query: Query) -> tuple[QueryResult, list[QueryRow]]:
        rows: list[QueryRow] = []
        return put(query, rows.append), rows

    return ask
