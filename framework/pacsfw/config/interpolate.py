"""Replace ``${...}`` in the string values of a parsed configuration.

``${NAME}`` and ``${NAME:-default}`` are environment variables (the default also replaces an
empty one, as in a shell). Plugins resolve ``${scheme:reference}`` (a ``file`` by its absolute
path). ``$$`` is a dollar sign.
Values are replaced after parsing, so no value can add a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pacsfw.config.document import Document, KeyPath, Problems, below
from pacsfw.config.files import Located
from pacsfw.errors import PacsfwError, PluginError
from pacsfw.plugins.registry import Registry

_REFERENCE = re.compile(r"\$\$|\$\{([^{}]*)\}|\$\{")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.+)", re.DOTALL)
_NO_CHARACTER = re.compile("[\\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources of values; without a registry, only variables."""

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

    A value that cannot be resolved is a problem, and is not checked further.
    """
    for key in keys:
        for place, value in list(below((key,), document.tree[key])):
            if isinstance(value, str):
                _fill(document, problems, sources, place, value)


def _fill(
    document: Document, problems: Problems, sources: Sources, place: KeyPath, text: str
) -> None:
    secret_parts: list[str] = []

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        if match[1] is None:
            raise _Unresolved("'${' without '}' (write a dollar sign as '$$')")
        return _resolve(match[1], sources, secret_parts)

    try:
        filled = _REFERENCE.sub(replaced, text)
        if _NO_CHARACTER.search(filled):
            raise _Unresolved("contains a NUL character or half of a surrogate pair")
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
            f"'${{{inner}}}' is not ${{NAME}}, ${{NAME:-default}} or ${{file:path}} "
            "(write a dollar sign as '$$')"
        )
    scheme, what = reference.groups()
    if scheme == "file":
        what = _path(what, sources)
    value = _secret(scheme, what, sources)
    secret_parts.append(value)
    return value


def _path(text: str, sources: Sources) -> str:
    """Return the absolute path of a reference: plugins do not know the base folder."""
    try:
        return str(sources.located.resolve(text))
    except ValueError as err:
        raise _Unresolved(f"the file {text} cannot be read: {err}") from err


def _secret(scheme: str, reference: str, sources: Sources) -> str:
    if sources.registry is None:
        raise _Unresolved(f"'${{{scheme}:...}}' is not available here: plugins are not loaded yet")
    try:
        value: Any = sources.registry.resolve_secret(scheme, reference)
    except PacsfwError as err:
        raise _Unresolved(str(err), plugin=isinstance(err, PluginError)) from err
    except Exception as err:  # noqa: BLE001 - plugin boundary; its text may quote the secret
        raise _Unresolved(
            f"the plugin for '${{{scheme}:...}}' failed: {type(err).__name__}", plugin=True
        ) from None
    if value is None:
        raise _Unresolved(f"no plugin resolves '${{{scheme}:...}}'", plugin=True)
    if not isinstance(value, str):
        raise _Unresolved(f"the plugin for '${{{scheme}:...}}' returned no text", plugin=True)
    return value
