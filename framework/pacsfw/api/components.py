"""What a plugin offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

JSONSchema: TypeAlias = Mapping[str, Any]
NO_OPTIONS: JSONSchema = {"type": "object", "additionalProperties": False}
"""The schema of a component that takes no options."""


T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component(Generic[T_co]):
    """A named thing a user selects with ``use: <name>``."""

    name: str
    """The name in the configuration; case matters."""
    factory: Callable[..., T_co]
    """Called with the validated options as keywords."""
    schema: JSONSchema = field(default_factory=lambda: NO_OPTIONS)
    """JSON Schema of the options; by default none are taken."""
    summary: str = ""
    """One line for ``pacsfw plugins list``."""
    accepts: tuple[str, ...] = ()
    """Sinks: the suffixes (``.csv``) and schemes (``sqlite:``) of the targets it writes."""
    requires: tuple[str, ...] = ()
    """Modules that must be importable, each as ``module`` or ``module[extra]``."""

    @classmethod
    def of(
        cls, function: Callable[..., Any], *, name: str | None = None, summary: str | None = None
    ) -> Component[Callable[..., Any]]:
        """Offer a plain callable (a layout or a tag callback) as it stands."""
        doc = (function.__doc__ or "").strip().splitlines()
        return Component(
            name=name or function.__name__,
            factory=lambda: function,
            summary=summary if summary is not None else (doc[0] if doc else ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSection:
    """A top-level key of the configuration that a plugin owns."""

    key: str
    schema: JSONSchema
    summary: str = ""
    observer: str = ""
    """The observer that works by this section; where the section is, it need not be listed."""
