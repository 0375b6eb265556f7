"""The PACS of a collection: its query provider and its transfer."""

from __future__ import annotations

import hashlib
import json

from pacsfw.api import Net, Transfer
from pacsfw.config import Config, Use
from pacsfw.config.schemas import AUTO
from pacsfw.errors import PluginError
from pacsfw.ledger.traits import REFUSED_KEYS
from pacsfw.plugins.pacs_query import PacsQuery
from pacsfw.plugins.refused_keys import RefusedKeys
from pacsfw.plugins.registry import Registry
from pacsfw.steps.move.choice import choose
from pacsfw.steps.move.expected import Sizes
from pacsfw.steps.run import Run

PACS_QUERY, WEB_QUERY = "cfind", "qido"
"""Default query providers: of a PACS, and of one that is reached by DICOMweb only."""


def open_query(run: Run, use: Use) -> PacsQuery:
    """Build and open a query provider."""
    provider = run.registry.build("query", use.name, use.options)
    provider.open(run.context)
    component = run.registry.describe("query", use.name)
    return PacsQuery(provider, component, _refused_keys(run, use.name))


def peer_of(net: Net | None, use: str) -> str:
    """Return the peer of a query provider, as the ledger names it in ``traits``."""
    if net is not None and net.dicomweb is not None and (use == WEB_QUERY or not net.called):
        return net.dicomweb.url
    if net is not None and net.called is not None:
        return f"{net.called.aetitle} {net.called.ip}:{net.called.port}"
    return use


def _refused_keys(run: Run, use: str) -> RefusedKeys:
    """Return what is known of the keys that the PACS refuses; the same for all threads."""
    net, traits = run.config.net, run.ledger.traits
    peer = peer_of(net, use)
    known = {level: set(keys) for level, keys in (traits.get(peer, REFUSED_KEYS) or {}).items()}
    if net is not None and net.called is not None and use == PACS_QUERY:
        known.setdefault("STUDY", set()).update(net.called.profile.refused_keys)
    made = RefusedKeys(known, lambda refused: traits.set(peer, REFUSED_KEYS, refused))
    return run.refused.setdefault(peer, made)


def ask_pacs(run: Run, transfer: Transfer | None) -> PacsQuery:
    """Open the query provider that `pacs_query` selects."""
    return open_query(run, pacs_query(run.config, transfer, run.registry))


def settings_of(net: Net | None) -> str:
    """Return a text that identifies the settings by which instances arrive."""
    if net is None:
        return ""
    called, dest, web = net.retrieve or net.called, net.dest, net.dicomweb
    parts = [
        net.local.aetitle,
        *([called.aetitle, called.ip, called.port] if called else []),
        *([dest.aetitle, dest.port] if dest else []),
        *([web.url] if web else []),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def sizes_of(run: Run) -> Sizes:
    """Return the sizes of query results for a run, with the limit that the profile names."""
    net = run.config.net
    return Sizes(net.called.profile.limit if net is not None and net.called is not None else None)


def pacs_query(config: Config, transfer: Transfer | None, registry: Registry) -> Use:
    """Return the query provider for the expected instances of a study.

    The transfer may choose it. Otherwise it is ``find.use``, if that provider is authoritative.
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
    """Return the transfer that ``move.use`` selects, and the reason if it is ``auto``."""
    use = config.need_move().use
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
    """Build a transfer, without opening it."""
    transfer: Transfer = registry.build("transfer", use.name, use.options)
    return transfer
