"""``pacsfw plugins doctor``: what does not work, which package it is, how to fix it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacsfw.errors import ComponentConflict, PacsfwError, PluginError
from pacsfw.plugins.descriptions import ATTEMPT
from pacsfw.plugins.discovery import BUNDLED, DISABLE_VARIABLE
from pacsfw.plugins.records import CommandOffer, Offer, PluginFailure, PluginInfo
from pacsfw.plugins.registry import Registry

if TYPE_CHECKING:
    from pacsfw.plugins.requirements import Unmet

SLOW_SECONDS = 0.5
"""A slower import is reported: every run that uses the plugin waits for it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem, or one possible improvement."""

    what: str
    advice: str
    broken: bool = True
    traceback: str = ""

    def text(self, *, tracebacks: bool = False) -> str:
        """Return it as readable lines."""
        lines = [f"{'broken' if self.broken else 'note'}: {self.what}", f"    {self.advice}"]
        if tracebacks and self.traceback:
            lines += [f"    {line}" for line in self.traceback.rstrip().splitlines()]
        return "\n".join(lines)


def examine(registry: Registry) -> Iterator[Finding]:
    """Check the installed plugins: failures, requirements, conflicts, schemas, slow imports."""
    unmet = dict(_unmet(registry))
    for failure in registry.failures:
        missing = unmet.pop(failure.distribution, ())
        yield Finding(str(failure), _advice(failure, missing), traceback=failure.traceback)
    for distribution, missing in unmet.items():
        told = "; ".join(f"{each.text}, {_installed(each)}" for each in missing)
        yield Finding(f"{distribution} requires {told}", _install(missing), broken=False)
    yield from _conflicts(registry)
    for offer in registry.offers():
        yield from component_findings(registry, offer)
    yield from _commands(registry.commands)
    for plugin in registry.plugins:
        yield from _plugin(plugin)
    for name in registry.disabled:
        yield Finding(
            f"plugin {name!r} is disabled",
            f"by plugins.disable of the configuration, or by {DISABLE_VARIABLE}",
            broken=False,
        )


def _plugin(plugin: PluginInfo) -> Iterator[Finding]:
    if plugin.seconds > SLOW_SECONDS:
        yield Finding(
            f"{plugin} takes {plugin.seconds:.1f} s to import, and every run that uses it waits",
            "its author should import what is slow later: pacsfw.lazy, or inside functions",
            broken=False,
        )
    for note in plugin.notes:
        yield Finding(f"{plugin}: {note}", "nothing to do, unless you miss it", broken=False)
    for warning in plugin.deprecated:
        yield Finding(f"{plugin}: {warning}", "its author should change it", broken=False)


def _unmet(registry: Registry) -> Iterator[tuple[str, Sequence[Unmet]]]:
    """Yield the requirements of the packages of plugins that are not met."""
    from importlib.metadata import PackageNotFoundError, distribution

    from pacsfw.plugins.requirements import unmet

    owners = {each.distribution for each in registry.plugins}
    owners |= {each.distribution for each in registry.failures}
    for name in sorted(owners - {BUNDLED}):
        try:
            missing = tuple(unmet(distribution(name)))
        except PackageNotFoundError:  # one file
            continue
        except Exception:  # noqa: BLE001, S112 - broken foreign metadata is a failure already
            continue
        if missing:
            yield name, missing


def _installed(unmet: Unmet) -> str:
    return f"{unmet.installed} is installed" if unmet.installed else "which is not installed"


def _install(unmet: Iterable[Unmet]) -> str:
    return "pip install " + " ".join(f"'{each.text}'" for each in unmet)


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


def _advice(failure: PluginFailure, unmet: Sequence[Unmet]) -> str:
    """Say what the user can do about a failed plugin.

    Never to install a package with the name of a missing module: anyone may have published one.
    """
    off = f"or disable it: plugins.disable, {DISABLE_VARIABLE}={failure.plugin}, --no-plugins"
    if failure.stage == ATTEMPT:
        return "repeat the command: it is tried again"
    if failure.stage == "requirements":
        return f"do that, {off}"
    if unmet:
        return f"install what it requires ({_install(unmet)}), {off}"
    if missing := re.search(r"No module named '([^'.]+)", failure.error):
        folder = Path(failure.distribution).parent
        if folder.is_absolute() and (folder / f"{missing[1]}.py").exists():
            return (
                f"others can modify {folder}, so no file is imported from it: chmod go-w {folder}"
            )
        return (
            f"the module {missing[1]!r} is missing: its author says which package has it, and "
            f"should list that in the dependencies; {off}"
        )
    if failure.stage == "import":
        return f"it cannot be imported: install another version, or contact its author; {off}"
    if failure.stage == "register":
        return f"its hooks do not match this pacsfw: install a compatible version; {off}"
    return f"{failure.stage} is skipped, the rest of the plugin works: contact its author"


def _conflicts(registry: Registry) -> Iterator[Finding]:
    names: dict[tuple[str, str], list[Offer]] = defaultdict(list)
    claims: dict[tuple[str, str], list[Offer]] = defaultdict(list)
    for offer in registry.offers():
        names[offer.kind, offer.component.name].append(offer)
        for claim in offer.component.accepts:
            claims[offer.kind, claim].append(offer)
    for (kind, name), offers in names.items():
        if len(offers) > 1:
            yield _same_name(registry, kind, name, offers)
    for (kind, claim), offers in claims.items():
        if len({offer.component.name for offer in offers}) > 1:
            owners = ", ".join(f"{offer.component.name!r} of {offer.owner}" for offer in offers)
            own = [offer.component.name for offer in offers if offer.distribution == BUNDLED]
            other = "name the sink under `sinks`" if kind == "sink" else "write {use, with}"
            meant = f"such a name means {own[0]!r}; for another one, {other}"
            yield Finding(
                f"{claim!r} is claimed by several {kind}s: {owners}",
                meant if own else f"disable one of the plugins, or {other}",
                broken=not own,
            )


def _same_name(registry: Registry, kind: str, name: str, offers: Sequence[Offer]) -> Finding:
    """Describe a name that several packages offer: harmless if pacsfw is one of them."""
    try:
        own = registry.named(kind, name)
    except PluginError as err:
        return Finding(str(err), "it is an error only if the configuration uses this name")
    others = [offer for offer in offers if offer.distribution != own.distribution]
    return Finding(
        f"{kind} {name!r} is bundled, and also offered by "
        + ", ".join(offer.owner for offer in others),
        f"{name!r} means the bundled one; the other is "
        + " or ".join(repr(offer.reference) for offer in others),
        broken=False,
    )


def component_findings(registry: Registry, offer: Offer) -> Iterator[Finding]:
    """Check the record of a component, without building it."""
    who = f"{offer.kind} {offer.component.name!r} of {offer.owner}"
    try:
        registry.named(offer.kind, offer.reference)
    except ComponentConflict:
        pass
    except PluginError as err:
        yield Finding(str(err), "the rest works without it", broken=offer.distribution != BUNDLED)
    if fault := schema_fault(offer.component.schema):
        yield Finding(f"{who}: its schema is broken: {fault}", "its author must fix it")
        return
    if offer.fault:
        yield Finding(f"{who}: {offer.fault}", "its author must fix it")


def schema_fault(schema: Mapping[str, Any]) -> str:
    """Return what is wrong with a schema, empty if nothing is."""
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as err:
        return err.message.partition("\n")[0]
    except Exception as err:  # noqa: BLE001 - plugin boundary: jsonschema fails on nonsense
        return type(err).__name__
    return ""


def _commands(offers: Iterable[CommandOffer]) -> Iterator[Finding]:
    from pacsfw.cli import COMMANDS

    seen: dict[str, str] = {}
    for offer in offers:
        name = offer.name
        who = f"command {name!r} of {offer.distribution} {offer.version}"
        if name in COMMANDS:
            yield Finding(f"{who} is hidden by the bundled command", "rename it")
        elif name in seen:
            yield Finding(f"{who} is also offered by {seen[name]}", "disable one of the plugins")
        seen.setdefault(name, f"{offer.distribution} {offer.version}")
