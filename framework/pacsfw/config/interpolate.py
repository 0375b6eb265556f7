"""Replace ``${...}`` in the string values of a parsed configuration.

``${NAME}`` and ``${NAME:-default}`` are environment variables (the default also stands in
for an empty one, as in a shell), ``${file:path}`` is the content of a file without its last
line end, any other ``${scheme:reference}`` is asked of the plugins, ``$$`` is a dollar.
Replacing happens after parsing, so that no value can add a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pacsfw.config.document import Document, Place, Problems, below
from pacsfw.config.files import Located
from pacsfw.errors import PacsfwError
from pacsfw.registry import Registry

_REFERENCE = re.compile(r"\$\$|\$\{([^{}]*)\}|\$\{")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.+)", re.DOTALL)
_NO_CHARACTER = re.compile("[\\0\ud800-\udfff]")
_MAX_FILE = 65_536


@dataclass(frozen=True, slots=True)
class Sources:
    """Where values come from; without a registry only variables and files are known."""

    env: Mapping[str, str]
    located: Located
    registry: Registry | None = None


class _Unresolved(Exception):
    def __init__(self, why: str, *, plugin: bool = False) -> None:
        super().__init__(why)
        self.plugin = plugin


def interpolate(
    document: Document, problems: Problems, sources: Sources, keys: Iterable[str]
) -> None:
    """Replace the references below these top-level keys, in place.

    A value that cannot be resolved is a problem, and is not looked at again.
    """
    for key in keys:
        for place, value in list(below((key,), document.tree[key])):
            if isinstance(value, str):
                _fill(document, problems, sources, place, value)


def _fill(
    document: Document, problems: Problems, sources: Sources, place: Place, text: str
) -> None:
    secret_parts: list[str] = []

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        if match[1] is None:
            raise _Unresolved("'${' without its '}' (a dollar is written '$$')")
        return _resolve(match[1], sources, secret_parts)

    try:
        filled = _REFERENCE.sub(replaced, text)
        if _NO_CHARACTER.search(filled):
            raise _Unresolved("contains a NUL or half of a surrogate pair")
    except _Unresolved as err:
        problems.add(place, str(err), plugin=err.plugin)
        document.broken.add(place)
        return
    if filled == text:
        return
    document.filled.add(place)
    document.replace(place, filled)
    if secret_parts:
        document.secrets.add(place)
        document.secret_texts.update(part for part in (*secret_parts, filled) if part)


def _resolve(inner: str, sources: Sources, secret_parts: list[str]) -> str:
    if variable := _VARIABLE.fullmatch(inner):
        name, default = variable.groups()
        value = sources.env.get(name)
        if value or (value is not None and default is None):
            return value
        if default is not None:
            return default
        raise _Unresolved(f"the environment variable {name} is not set")
    reference = _SCHEME.fullmatch(inner)
    if reference is None:
        raise _Unresolved(
            f"'${{{inner}}}' is none of ${{NAME}}, ${{NAME:-default}}, ${{file:path}} "
            "(a dollar is written '$$')"
        )
    scheme, what = reference.groups()
    value = _file(what, sources) if scheme == "file" else _secret(scheme, what, sources)
    secret_parts.append(value)
    return value


def _file(text: str, sources: Sources) -> str:
    try:
        with sources.located.resolve(text).open("rb") as file:
            content = file.read(_MAX_FILE + 1)
    except OSError as err:
        raise _Unresolved(f"the file {text} cannot be read: {err.strerror}") from err
    except ValueError as err:
        raise _Unresolved(f"the file {text} cannot be read: {err}") from err
    if len(content) > _MAX_FILE:
        raise _Unresolved(f"the file {text} is longer than {_MAX_FILE} bytes")
    try:
        return content.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        # The cause is left out: it carries the secret.
        raise _Unresolved(f"the file {text} is not UTF-8 text") from None


def _secret(scheme: str, reference: str, sources: Sources) -> str:
    if sources.registry is None:
        raise _Unresolved(f"'${{{scheme}:...}}' cannot be used here: plugins are not loaded yet")
    try:
        value: Any = sources.registry.resolve_secret(scheme, reference)
    except PacsfwError as err:
        raise _Unresolved(str(err), plugin=True) from err
    except Exception as err:  # noqa: BLE001 - plugin boundary; its text may quote the secret
        raise _Unresolved(
            f"the plugin for '${{{scheme}:...}}' failed: {type(err).__name__}", plugin=True
        ) from None
    if value is None:
        raise _Unresolved(f"no plugin resolves '${{{scheme}:...}}'", plugin=True)
    if not isinstance(value, str):
        raise _Unresolved(f"the plugin for '${{{scheme}:...}}' gave no text", plugin=True)
    return value
