"""What a plugin offers."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from pacsfw.api.returns import returned_columns, returned_type
from pacsfw.api.tables import Column, ColumnType

JSONSchema: TypeAlias = Mapping[str, Any]
NO_OPTIONS: JSONSchema = {"type": "object", "additionalProperties": False}
"""The schema of a component that takes no options."""

Scope: TypeAlias = Literal["instance", "series", "study"]
"""What a converter is given at a time."""

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component(Generic[T_co]):
    """A named thing a user selects with ``use: <name>``.

    pacsfw reads what it must know beforehand from this record, without calling the factory.
    """

    name: str
    """The name in the configuration; case matters."""
    factory: Callable[..., T_co]
    """Called with the validated options as keywords. `lazy` makes one that imports when called."""
    schema: JSONSchema = field(default_factory=lambda: NO_OPTIONS)
    """JSON Schema of the options; by default none are taken."""
    summary: str = ""
    """One line for ``pacsfw plugins list``."""
    accepts: tuple[str, ...] = ()
    """Sinks: the suffixes (``.csv``) and schemes (``sqlite:``) of the targets it writes. Cohorts:
    the suffixes of the files it reads."""
    requires: tuple[str, ...] = ()
    """Modules that must be importable, each as ``module`` or ``module[extra]``."""
    needs_receiver: bool = False
    """Transfers: True if the PACS sends to us; the Storage SCP listens before ``open``."""
    authoritative: bool = True
    """Query providers: False if the answers are not those of the PACS that is requested from."""
    scope: Scope = "instance"
    """Converters: what one call gets. An option named ``scope`` in the schema, or its default
    there, takes precedence."""
    multi_table: bool = False
    """Sinks: True if one target holds several tables by name, as a database does. Otherwise
    errors and columns go to targets of their own, see `ERRORS`."""
    returns: ColumnType | None = None
    """Callbacks: the type of the column. None: what the annotation of the function or of the
    factory (``-> Callable[[Any], float]``) says, else text. Row callbacks that return one value:
    the type of their column."""
    columns: tuple[Column, ...] = ()
    """Row callbacks: the columns of the mapping that they return. Empty: what the annotation of
    the function or of the factory says, else what the configuration lists."""

    @classmethod
    def of(
        cls, function: Callable[..., Any], *, name: str | None = None, summary: str | None = None
    ) -> Component[Callable[..., Any]]:
        """Offer a plain callable (a layout, a tag callback or a row callback) as it stands."""
        doc = (function.__doc__ or "").strip().splitlines()
        try:
            returns = returned_type(function)
        except ValueError:  # an error only for a column that it is to give its type
            returns = None
        try:
            columns = returned_columns(function)
        except ValueError:  # likewise
            columns = ()
        return Component(
            name=name or function.__name__,
            factory=AsItStands(function),
            summary=summary if summary is not None else (doc[0] if doc else ""),
            returns=returns,
            columns=columns,
        )


@dataclass(frozen=True, slots=True)
class AsItStands:
    """The factory of a plain callable: returns it."""

    function: Callable[..., Any]

    def __call__(self) -> Callable[..., Any]:
        """Return the callable."""
        return self.function


@dataclass(frozen=True, slots=True)
class Lazy:
    """A factory that is imported when it is called; picklable."""

    reference: str

    def __post_init__(self) -> None:
        module, colon, attribute = self.reference.partition(":")
        if not (module and colon and attribute):
            raise ValueError(f"lazy({self.reference!r}) is not of the form 'module:attribute'")

    def load(self) -> Callable[..., Any]:
        """Import the module and return what is named.

        Raises
        ------
        ImportError
            The module cannot be imported, or does not have it.
        """
        module, _, attribute = self.reference.partition(":")
        try:
            found: Any = importlib.import_module(module)
        except (Exception, SystemExit) as err:
            why = f"{type(err).__name__}: {err}"
            raise ImportError(f"lazy({self.reference!r}) cannot be imported: {why}") from err
        try:
            factory: Callable[..., Any] = reduce(getattr, attribute.split("."), found)
        except AttributeError as err:
            raise ImportError(f"lazy({self.reference!r}) does not exist: {err}") from err
        return factory

    def __call__(self, **options: Any) -> Any:
        """Import the factory and call it."""
        return self.load()(**options)


def lazy(reference: str) -> Callable[..., Any]:
    """Return a factory that imports ``module:attribute`` when it is called.

    So that a plugin is quick to import although its component needs something slow::

        Component(name="mine", factory=lazy("my_package.slow:MySink"), multi_table=True)

    Raises
    ------
    ValueError
        The reference is not of this form. That it cannot be imported is told when it is called.
    """
    return Lazy(reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSection:
    """A top-level key of the configuration that a plugin owns."""

    key: str
    schema: JSONSchema
    summary: str = ""
    observer: str = ""
    """The observer that works by this section; where the section is, it need not be listed."""
