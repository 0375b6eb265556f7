"""``pacsfw plugins doctor``: what does not work, which package it is, how to fix it."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pacsfw.errors import ComponentConflict, PacsfwError, PluginError
from pacsfw.plugins.discovery import BUNDLED, DISABLE_VARIABLE
from pacsfw.plugins.records import Offer, PluginFailure
from pacsfw.plugins.registry import Registry

SLOW_SECONDS = 0.5
"""A slower import is reported: every command waits for it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem, or one possible improvement."""

    what: str
    advice: str
    broken: bool = True
    traceback: str = ""

    def text(self, *, tracebacks: bool) -> str:
        """Return it as readable lines."""
        lines = [f"{'broken' if self.broken else 'note'}: {self.what}", f"    {self.advice}"]
        if tracebacks and self.traceback:
            lines += [f"    {line}" for line in self.traceback.rstrip().splitlines()]
        return "\n".join(lines)


def examine(registry: Registry) -> Iterator[Finding]:
    """Check the installed plugins: failures, conflicts, schemas, slow imports."""
    commands, failed = registry.commands()
    for failure in (*registry.failures, *failed):
        yield Finding(str(failure), _advice(failure), traceback=failure.traceback)
    yield from _conflicts(registry)
    for offer in registry.offers():
        yield from _component(registry, offer)
    yield from _commands(commands)
    for plugin in registry.plugins:
        if plugin.seconds > SLOW_SECONDS:
            who = f"plugin {plugin.plugin!r} ({plugin.distribution} {plugin.version})"
            yield Finding(
                f"{who} takes {plugin.seconds:.1f} s to import, and every command waits for it",
                "its author should import what is slow later: pacsfw.lazy, or inside functions",
                broken=False,
            )
    for name in registry.disabled:
        yield Finding(
            f"plugin {name!r} is disabled",
            f"by plugins.disable of the configuration, or by {DISABLE_VARIABLE}",
            broken=False,
        )


def remembered(config: Path) -> Iterator[Finding]:
    """Yield the failures of components during runs, from the ledger of the collection."""
    from pacsfw.cli.common import load
    from pacsfw.ledger import open_existing

    try:
        storage = load(config).config.storage
        ledger = open_existing(storage.state) if storage else None
    except PacsfwError as err:
        yield Finding(f"cannot read the run history: {err}", "fix this first")
        return
    if ledger is None:
        return
    try:
        for fault in ledger.faults.by_component():
            yield Finding(
                f"{fault.kind} {fault.component}: {fault.reason} ({fault.count:,} x)", fault.effect
            )
    finally:
        ledger.close()


def _advice(failure: PluginFailure) -> str:
    """Say what the user can do about a failed plugin."""
    off = f"or disable it: plugins.disable, {DISABLE_VARIABLE}={failure.plugin}, --no-plugins"
    if missing := re.search(r"No module named '([^'.]+)", failure.error):
        return f"install the missing module (pip install {missing[1]}), {off}"
    if failure.stage == "import":
        return f"it cannot be imported: install another version, or contact its author; {off}"
    if failure.stage == "register":
        return f"its hooks do not match this pacsfw: install a compatible version; {off}"
    return f"{failure.stage} is skipped, the rest of the plugin works: contact its author"


def _conflicts(registry: Registry) -> Iterator[Finding]:
    names: dict[tuple[str, str], list[Offer]] = defaultdict(list)
    claims: dict[str, list[Offer]] = defaultdict(list)
    for offer in registry.offers():
        names[offer.kind, offer.component.name].append(offer)
        for claim in offer.component.accepts:
            claims[claim].append(offer)
    for (kind, name), offers in names.items():
        if len(offers) > 1:
            try:
                registry.select(kind, name)
            except ComponentConflict as err:
                yield Finding(str(err), "it is an error only if the configuration uses this name")
    for claim, offers in claims.items():
        if len({offer.component.name for offer in offers}) > 1:
            owners = ", ".join(f"{offer.component.name!r} of {offer.owner}" for offer in offers)
            yield Finding(
                f"{claim!r} is claimed by several sinks: {owners}",
                "disable one of the plugins, or name the sink under `sinks`",
            )


def _component(registry: Registry, offer: Offer) -> Iterator[Finding]:
    """Check the record of a component, without building it."""
    who = f"{offer.kind} {offer.component.name!r} of {offer.owner}"
    try:
        registry.select(offer.kind, offer.reference)
    except ComponentConflict:
        pass
    except PluginError as err:
        yield Finding(str(err), "the rest works without it", broken=offer.distribution != BUNDLED)
    if fault := _schema_fault(offer.component.schema):
        yield Finding(f"{who}: its schema is broken: {fault}", "its author must fix it")
        return
    if fault := _signature_fault(offer):
        yield Finding(f"{who}: {fault}", "its author must fix it")


def _schema_fault(schema: Mapping[str, Any]) -> str:
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as err:
        return err.message.partition("\n")[0]
    except Exception as err:  # noqa: BLE001 - plugin boundary: jsonschema fails on nonsense
        return type(err).__name__
    return ""


def _signature_fault(offer: Offer) -> str:
    """Describe the first mismatch between the schema and the parameters of the factory."""
    schema = offer.component.schema
    options = schema.get("properties", {})
    try:
        parameters = inspect.signature(offer.component.factory).parameters
    except (TypeError, ValueError):
        return ""
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    named = {
        name: each
        for name, each in parameters.items()
        if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    }
    if not takes_any and (unknown := sorted(set(options) - set(named))):
        return f"its schema has the option {unknown[0]!r}, which its factory does not accept"
    for name, each in named.items():
        if each.default is each.empty and name not in schema.get("required", ()):
            return f"its factory requires {name!r}, but its schema does not"
    return ""


def _commands(offers: list[Any]) -> Iterator[Finding]:
    from pacsfw.cli import COMMANDS

    seen: dict[str, Any] = {}
    for offer in offers:
        name = offer.command.name or ""
        who = f"command {name!r} of {offer.distribution} {offer.version}"
        if name in COMMANDS:
            yield Finding(f"{who} is hidden by the bundled command", "rename it")
        elif name in seen:
            yield Finding(f"{who} is also offered by {seen[name]}", "disable one of the plugins")
        seen.setdefault(name, f"{offer.distribution} {offer.version}")
