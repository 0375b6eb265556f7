"""Check a part of the tree against a JSON Schema and describe the errors in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry

from pacsfw.config.document import Document, KeyPath, Problems
from pacsfw.config.values import number
from pacsfw.errors import PluginError
from pacsfw.words import nearest

UNAVAILABLE: Mapping[str, Any] = {}
"""Schema under ``not`` for a key of a future feature: forbids any value."""

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "empty",
}
_CASTS: dict[str, Callable[[str], Any]] = {
    "integer": lambda text: number(text, whole=True),
    "number": lambda text: number(text, whole=False),
    "boolean": lambda text: {"true": True, "false": False}[text],
}


def _pattern(
    validator: Validator, pattern: str, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    r"""Match like ECMA-262, in which ``$`` does not match before a final line end."""
    if not validator.is_type(instance, "string"):
        return
    if re.search(re.sub(r"(?<!\\)\$(?=\)|\||\Z)", r"\\Z", pattern), instance) is None:
        yield ValidationError("does not match")


_Validator = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]


def check_foreign(
    document: Document,
    problems: Problems,
    place: KeyPath,
    instance: Any,
    schema: Mapping[str, Any],
    owner: str,
) -> None:
    """Check against the schema of a plugin, which may be broken itself."""
    try:
        Draft202012Validator.check_schema(schema)
        check(document, problems, place, instance, schema, owner)
    except Exception as err:  # noqa: BLE001 - plugin boundary: jsonschema fails on a bad schema
        why = str(err).partition("\n")[0]
        problems.quote(place, PluginError(f"the schema of {owner} is broken: {why}"))


def check(
    document: Document,
    problems: Problems,
    place: KeyPath,
    instance: Any,
    schema: Mapping[str, Any],
    owner: str = "",
) -> None:
    """Check ``instance``, found at ``place``, and add a problem per fault.

    If ``${...}`` was replaced and the schema requires a number or a boolean, the text is
    converted in place where possible: variables are always text.

    Parameters
    ----------
    owner
        The owner of the schema, added to each problem.
    """
    # An empty registry: a `$ref` must not trigger a download.
    validator: Any = _Validator(schema, registry=Registry())
    while _cast(document, place, instance, validator):
        pass
    suffix = f" ({owner})" if owner else ""
    for error in validator.iter_errors(instance):
        for inner, text, at_key in _described(document, place, error):
            problems.add(inner, text + suffix, key=at_key)


def _cast(document: Document, place: KeyPath, instance: Any, validator: Any) -> bool:
    """Convert replaced texts of the wrong type; return whether there were any."""
    converted = False
    for error in list(validator.iter_errors(instance)):
        path = tuple(error.absolute_path)
        is_filled = (*place, *path) in document.filled and isinstance(error.instance, str)
        if error.validator != "type" or not path or not is_filled:
            continue
        wanted = error.validator_value
        for kind in [wanted] if isinstance(wanted, str) else wanted:
            try:
                value = _CASTS[kind](error.instance)
            except (KeyError, ValueError):
                continue
            around = instance
            for step in path[:-1]:
                around = around[step]
            around[path[-1]] = value
            converted = True
            break
    return converted


def _described(
    document: Document, place: KeyPath, error: ValidationError
) -> Iterator[tuple[KeyPath, str, bool]]:
    """Yield (place, description, whether it is about the key) for one error of jsonschema."""
    here: KeyPath = (*place, *error.absolute_path)
    value: Any = error.instance
    schema: Any = error.schema if isinstance(error.schema, Mapping) else {}
    rule: Any = error.validator
    limit: Any = error.validator_value
    if rule in {"additionalProperties", "required", "dependentRequired"}:
        yield from _wrong_keys(here, value, rule, limit, schema)
    elif rule == "not" and limit == UNAVAILABLE:
        yield here, "is not available in this version", True
    elif value is None and rule == "type" and "errorMessage" not in schema:
        yield here, "is empty: fill it in or remove the key", False
    elif "errorMessage" in schema:
        text = f"{document.shown(here, value)} {schema['errorMessage']}"
        yield here, text + _quoting(value, schema), False
    elif rule in {"anyOf", "oneOf"} and (nearest := best_match(error.context)) is not None:
        yield from _described(document, place, nearest)
    else:
        yield here, _fault(document.shown(here, value), value, rule, limit, schema), False


def _wrong_keys(
    here: KeyPath, value: Any, rule: str, limit: Any, schema: Mapping[str, Any]
) -> Iterator[tuple[KeyPath, str, bool]]:
    if rule == "required":
        for key in limit:
            if key not in value:
                yield here, f"{key} is missing", True
    elif rule == "dependentRequired":
        for key, needed in limit.items():
            for missing in needed:
                if key in value and missing not in value:
                    yield (*here, key), f"requires {missing} as well", True
    else:
        yield from _unknown_keys(here, value, schema)


def _unknown_keys(
    here: KeyPath, value: Any, schema: Mapping[str, Any]
) -> Iterator[tuple[KeyPath, str, bool]]:
    known = schema.get("properties", {})
    offered = {key for key, inner in known.items() if not _is_unavailable(inner)}
    patterns = schema.get("patternProperties", {})
    for key in value:
        if key not in known and not any(re.search(pattern, key) for pattern in patterns):
            yield (*here, key), f"unknown key{nearest(key, offered)}", True


def _is_unavailable(schema: Any) -> bool:
    return isinstance(schema, Mapping) and str(schema.get("$ref", "")).endswith("/unavailable")


def _fault(shown: str, value: Any, rule: Any, limit: Any, schema: Mapping[str, Any]) -> str:
    if rule == "type":
        kinds = [limit] if isinstance(limit, str) else limit
        words = " or ".join(_TYPES.get(kind, str(kind)) for kind in kinds if kind != "null")
        return f"{shown} is not {words}{_quoting(value, schema)}"
    if rule == "enum":
        near = nearest(value, map(str, limit)) if isinstance(value, str) else ""
        return f"{shown} is not one of {', '.join(map(str, limit))}{near}"
    if rule == "uniqueItems":
        return "the list contains an item twice"
    sizes = {
        "minimum": "is less than",
        "maximum": "is more than",
        "exclusiveMinimum": "is not more than",
        "exclusiveMaximum": "is not less than",
        "multipleOf": "is not a multiple of",
        "pattern": "does not match",
        "const": "is not",
    }
    if rule in sizes:
        return f"{shown} {sizes[rule]} {limit}"
    if rule in {"minLength", "minItems", "minProperties"}:
        return f"{shown} is too short" if value else "is empty"
    if rule in {"maxLength", "maxItems", "maxProperties"}:
        return f"{shown} is too long (at most {limit})"
    return f"{shown} violates the rule {rule!r} of its schema"


def _quoting(value: Any, schema: Mapping[str, Any]) -> str:
    """Return the advice for an unquoted number or boolean where a text is required."""
    kinds = schema.get("type", [])
    if "string" in ([kinds] if isinstance(kinds, str) else kinds) and "integer" not in kinds:
        return "; put it in quotes" if isinstance(value, bool | int | float) else ""
    return ""
