"""YAML for configurations: read with positions, and write back.

Plain scalars follow the core schema of YAML 1.2 (section 10.3.2), except that a number never
has leading zeros. PyYAML's own rules are those of YAML 1.1, which turn
``20:00`` into 1200, ``00012`` into 10, ``NO`` into false and ``1_000`` into 1000.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

import yaml

from pacsfw.config.document import MAX_DEPTH, MAX_VALUES, START, Document, KeyPath, Mark, spell
from pacsfw.config.values import number
from pacsfw.errors import ConfigError

_CORE = "tag:yaml.org,2002:"
_PLAIN = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF|nan|NaN|NAN))",
        "-+.0123456789",
    ),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
}


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML is configured this way


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML is configured this way


for _name, (_pattern, _first) in _PLAIN.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_CORE + _name, re.compile(f"^(?:{_pattern})$"), list(_first))


def read(text: str, name: str) -> Document:
    """Parse YAML.

    Raises
    ------
    ConfigError
        It is not YAML, has duplicate keys, or aliases that expand without bounds.
    """
    try:
        root = yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        at = Mark(mark.line + 1, mark.column + 1) if mark else START
        raise ConfigError(f"{name}:{at.line}:{at.column}: not valid YAML: {_why(err)}") from err
    except yaml.reader.ReaderError as err:
        line = text.count("\n", 0, err.position) + 1
        column = err.position - text.rfind("\n", 0, err.position)
        raise ConfigError(
            f"{name}:{line}:{column}: not valid YAML: the character U+{err.character:04X}"
        ) from err
    except RecursionError as err:
        raise ConfigError(f"{name}:1:1: nested too deeply") from err
    if root is None:
        raise ConfigError(f"{name}:1:1: the configuration is empty")
    builder = _Builder(name)
    return Document(name, builder.build(root, ()), builder.values, builder.keys)


def dump(tree: Mapping[str, Any]) -> str:
    """Return ``tree`` as YAML that `read` understands as the same tree."""
    text = yaml.dump(
        tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False
    )
    assert isinstance(text, str)  # noqa: S101 - without a stream yaml.dump returns text
    return text


def _why(err: yaml.MarkedYAMLError) -> str:
    text = " ".join(part for part in (err.context, err.problem) if part)
    if "'\\t'" in text:
        text += " (indent with spaces, not with tabs)"
    return text


class _Builder:
    """Convert PyYAML's nodes to plain values and record their positions."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._left = MAX_VALUES
        self.values: dict[KeyPath, Mark] = {}
        self.keys: dict[KeyPath, Mark] = {}

    def build(self, node: yaml.Node, place: KeyPath) -> Any:
        self._left -= 1
        if self._left < 0 or len(place) > MAX_DEPTH:
            self._refuse(
                node, place[:1], "too large or nested too deeply; does an alias contain itself?"
            )
        self.values[place] = _mark(node)
        kind = node.tag.removeprefix(_CORE)
        if isinstance(node, yaml.MappingNode) and kind == "map":
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode) and kind == "seq":
            return [self.build(child, (*place, i)) for i, child in enumerate(node.value)]
        if not isinstance(node, yaml.ScalarNode):
            self._refuse(node, place, f"the tag {node.tag!r} is not supported")
        return self._scalar(node, place, kind)

    def _mapping(self, node: yaml.MappingNode, place: KeyPath) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag != f"{_CORE}str":
                self._refuse(key_node, place, "a key must be text; put it in quotes")
            key = key_node.value
            here = (*place, key)
            if key == "<<":
                self._refuse(key_node, place, "merge keys (<<) are not supported")
            if key in tree:
                first = self.keys[here].line
                self._refuse(key_node, here, f"duplicate key (first on line {first})")
            self.keys[here] = _mark(key_node)
            tree[key] = self.build(value_node, here)
        return tree

    def _scalar(self, node: yaml.ScalarNode, place: KeyPath, kind: str) -> Any:
        text: str = node.value
        if kind == "str":
            return text
        if kind not in _PLAIN or not re.fullmatch(_PLAIN[kind][0], text):
            self._refuse(node, place, f"the tag {node.tag!r} is not allowed here")
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        try:
            return number(text, whole=kind == "int")
        except ValueError as err:
            self._refuse(node, place, str(err))

    def _refuse(self, node: yaml.Node, place: KeyPath, why: str) -> NoReturn:
        mark = _mark(node)
        path = f"{spell(place)}: " if place else ""
        raise ConfigError(f"{self._name}:{mark.line}:{mark.column}: {path}{why}")


def _mark(node: yaml.Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)
