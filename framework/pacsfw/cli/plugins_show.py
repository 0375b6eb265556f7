"""``pacsfw plugins show``: the options and an example of a component."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pacsfw.cli.plugins_list import entries_of
from pacsfw.errors import UnknownComponent
from pacsfw.plugins.records import Offer
from pacsfw.plugins.registry import KINDS, Registry
from pacsfw.words import nearest

OTHER_KINDS = ("section", "command", "secret", "plugin", "package")
"""What has a name and is no component."""

_USED = {
    "cohort": "find:\n  cohort:\n    use: {name}\n{options}",
    "query": "find:\n  use: {name}\n{options}",
    "transfer": "move:\n  use: {name}\n{options}",
    "layout": "storage:\n  sort_by:\n    use: {name}\n{options}",
    "callback": "tags:\n  - tag_name: PatientID\n    callback:\n      use: {name}\n{options}",
    "row-callback": "tags:\n  - row_callback:\n      use: {name}\n{options}",
    "converter": "convert:\n  - use: {name}\n{options}",
    "sink": "sinks:\n  - use: {name}\n{options}",
    "observer": "observers:\n  - use: {name}\n{options}",
}
"""How the configuration selects a component of each kind."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a component, from its schema."""

    name: str
    type: str
    required: bool
    default: Any
    has_default: bool
    description: str

    @property
    def worth(self) -> str:
        """Return ``required``, ``default ...`` or ``optional``."""
        if self.required:
            return "required"
        return f"default {json.dumps(self.default)}" if self.has_default else "optional"

    @property
    def line(self) -> str:
        """Return name, type and worth."""
        return f"{self.name} ({self.type}, {self.worth})"


@dataclass(frozen=True, slots=True)
class Shown:
    """The description of a component."""

    offer: Offer
    options: Sequence[Option]
    example: str

    def plain(self) -> dict[str, Any]:
        """Return it as JSON-compatible data."""
        component = self.offer.component
        return {
            "kind": self.offer.kind,
            "name": component.name,
            "summary": component.summary,
            "plugin": self.offer.plugin,
            "distribution": self.offer.distribution,
            "version": self.offer.version,
            "accepts": list(component.accepts),
            "requires": list(component.requires),
            "schema": json.loads(json.dumps(component.schema, default=str)),
            "example": self.example,
        }

    def text(self) -> str:
        """Return it as readable lines."""
        component = self.offer.component
        lines = [f"{self.offer.kind} {component.name}: {component.summary or 'no summary'}"]
        lines.append(f"from {self.offer.owner}, plugin {self.offer.plugin}")
        if component.accepts:
            lines.append(f"claims {', '.join(component.accepts)}")
        if component.requires:
            lines.append(f"needs {', '.join(component.requires)}")
        lines.append("")
        lines.append("options:" if self.options else "It has no options.")
        for option in self.options:
            lines.append(f"  {option.line}")
            if option.description:
                lines.append(f"      {option.description}")
        return "\n".join([*lines, "", "example:", *_indented(self.example, 2)])


@dataclass(frozen=True, slots=True)
class Other:
    """The description of something that is no component: one line, and the package it is from."""

    kind: str
    name: str
    summary: str
    owner: str
    lines: Sequence[str] = ()

    def plain(self) -> dict[str, Any]:
        """Return it as JSON-compatible data."""
        return asdict(self)

    def text(self) -> str:
        """Return it as readable lines."""
        head = f"{self.kind} {self.name}: {self.summary or 'no summary'}"
        return "\n".join([head, f"from {self.owner}", *(f"  {line}" for line in self.lines)])


def found(registry: Registry, name: str, kind: str | None) -> Sequence[Shown | Other]:
    """Describe everything with this name.

    Raises
    ------
    UnknownComponent
        Nothing of this kind has the name.
    """
    if kind is not None and kind not in (*KINDS, *OTHER_KINDS):
        known = ", ".join((*KINDS, *OTHER_KINDS))
        raise UnknownComponent(f"unknown kind {kind!r}: use one of {known}")
    distribution, _, bare = name.rpartition("/")
    offers = [
        offer
        for offer in registry.offers(kind if kind in KINDS else None)
        if offer.component.name == bare and distribution in ("", offer.distribution)
    ]
    shown: list[Shown | Other] = [render(offer) for offer in offers if kind in (None, offer.kind)]
    others = [each for each in _others(registry) if kind in (None, each.kind)]
    shown += [
        each
        for each in others
        if each.name in (name, bare) and distribution in ("", each.owner.partition(" ")[0])
    ]
    if shown:
        return shown
    names = {offer.component.name for offer in registry.offers(kind if kind in KINDS else None)}
    hint = nearest(bare, {*names, *(each.name for each in others)})
    hint = hint or "; `pacsfw plugins list` lists them all"
    hints = [registry.hint] if registry.hint else []
    hints += [f"not loaded: {failure}" for failure in registry.failures]
    raise UnknownComponent("; ".join([f"no {kind or 'component'} is named {name!r}{hint}", *hints]))


def _others(registry: Registry) -> Iterator[Other]:
    """Yield everything that has a name and is no component."""
    for key, each in registry.sections.items():
        owner = f"{each.distribution} {each.version}".strip()
        lines = [option.line for option in _options(each.section.schema)]
        yield Other("section", key, each.section.summary, owner, lines)
    for command in registry.commands:
        owner = f"{command.distribution} {command.version}".strip()
        usage = [f"pacsfw {command.name} --help"]
        yield Other("command", command.name, command.summary, owner, usage)
    for plugin in registry.implementing("pacsfw_resolve_secret"):
        owner = f"{plugin.distribution} {plugin.version}".strip()
        for scheme in plugin.schemes:
            yield Other("secret", scheme, f"values for ${{{scheme}:reference}}", owner)
    yield from _packages(registry)


def _packages(registry: Registry) -> Iterator[Other]:
    """Yield the plugins, and the packages that they are from, with what these offer."""
    contents: dict[str, list[str]] = {}
    for entry in entries_of(registry):
        owner = f"{entry.distribution} {entry.version}".strip()
        contents.setdefault(owner, []).append(f"{entry.kind} {entry.name}: {entry.state}")
    for plugin in registry.plugins:
        owner = f"{plugin.distribution} {plugin.version}".strip()
        offered = [
            f"{offer.kind} {offer.component.name}"
            for offer in registry.offers()
            if (offer.plugin, offer.distribution) == (plugin.plugin, plugin.distribution)
        ]
        notes = [*plugin.notes, *plugin.deprecated]
        summary = ", ".join(offered) or "no components"
        yield Other("plugin", plugin.plugin, summary, owner, notes)
    for owner, lines in contents.items():
        name = owner.partition(" ")[0]
        yield Other("package", name, f"{len(lines)} in `pacsfw plugins list`", owner, lines)


def render(offer: Offer) -> Shown:
    """Describe a component from its schema. A broken schema yields no options."""
    options = list(_options(offer.component.schema))
    return Shown(offer, options, _example(offer, options))


def _options(schema: Mapping[str, Any]) -> Iterator[Option]:
    properties = schema.get("properties", {})
    required = schema.get("required", ())
    if not isinstance(properties, Mapping) or not isinstance(required, Sequence):
        return
    for name, inner in properties.items():
        inner = inner if isinstance(inner, Mapping) else {}
        yield Option(
            name=str(name),
            type=_type(inner),
            required=name in required,
            default=inner.get("default"),
            has_default="default" in inner,
            description=str(inner.get("description", "")),
        )


def _type(schema: Mapping[str, Any]) -> str:
    if isinstance(schema.get("enum"), Sequence):
        return " | ".join(map(str, schema["enum"]))
    kind = schema.get("type", "anything")
    return " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)


def _example(offer: Offer, options: Sequence[Option]) -> str:
    """Return YAML that uses the component: required options, and the defaults."""
    properties = offer.component.schema.get("properties", {})
    given = {
        option.name: option.default
        if option.has_default
        else _sample(option.name, properties[option.name], offer)
        for option in options
        if option.required or (option.has_default and option.default is not None)
    }
    frame = _USED[offer.kind]
    # The options have the indentation of `use`.
    depth = len(frame[: frame.index("use:")].rpartition("\n")[2])
    lines = [f"with: {json.dumps(given, ensure_ascii=False)}"] if given else []
    return frame.format(
        name=offer.component.name, options="\n".join(_indented("\n".join(lines), depth))
    ).rstrip()


def _sample(name: str, schema: Any, offer: Offer) -> Any:
    """Return a value for an option that has no default."""
    if not isinstance(schema, Mapping):
        return "..."
    claimed = [claim for claim in offer.component.accepts if claim.startswith(".")]
    if name == "path" and claimed and "examples" not in schema:
        return f"my/table{claimed[0]}"
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    samples: dict[Any, Any] = {
        "integer": schema.get("minimum", 1),
        "number": schema.get("minimum", 1),
        "boolean": True,
        "array": [],
        "object": {},
    }
    return samples.get(kind, "...")


def _indented(text: str, by: int) -> list[str]:
    return [" " * by + line if line else "" for line in text.splitlines()]
