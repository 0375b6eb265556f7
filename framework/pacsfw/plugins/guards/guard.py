"""Make the class that guards all objects of a kind, from the base class of the kind.

The guard has every public member that the base class has, so that none can be forgotten: methods
and properties call the object through its `Boundary` and check what it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, wraps
from inspect import isfunction
from typing import Any, TypeAlias

from pacsfw.errors import ComponentError, ConfigError, OwnSignal, PacsfwError, Retry
from pacsfw.plugins.boundary import Boundary
from pacsfw.plugins.component_log import context_for

Check: TypeAlias = Callable[[Any], str]
"""Returns how a result breaks the contract, empty if it does not; never quotes a value."""


class _Ours(OwnSignal):
    """An exception of pacsfw's own code that a component has called."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one method of a kind may raise and return.

    Attributes
    ----------
    returns
        Checks the result.
    each
        Checks each item of a result that is an iterator, which works only when it is consumed.
    takes
        Wraps the arguments: what a component calls is ours, and is checked as well.
    item
        Returns the UID of what the arguments are about.
    passing
        Exceptions that this method may raise in addition to those of its kind.
    tolerated
        Whether a failure has no consequence but that it is counted, because nothing depends on
        the method.
    """

    returns: Check | None = None
    each: Check | None = None
    takes: Callable[[Boundary, tuple[Any, ...]], tuple[Any, ...]] | None = None
    item: Callable[[tuple[Any, ...]], str] | None = None
    passing: tuple[type[BaseException], ...] = ()
    tolerated: bool = False


_SHARED = {
    "open": Rule(passing=(ConfigError,)),
    "check": Rule(passing=(PacsfwError, Retry)),
}
_ANY = Rule()


@dataclass(frozen=True)
class Kind:
    """The contract of one kind of component.

    Attributes
    ----------
    base
        Its base class.
    passing
        The exceptions that all its methods may raise.
    rules
        Rules of its methods, properties and attributes, by name.
    """

    base: type[Any]
    passing: tuple[type[BaseException], ...] = ()
    rules: Mapping[str, Rule] = field(default_factory=dict)

    @cached_property
    def guard(self) -> Callable[[Any, Boundary], Any]:
        """The class of the guards."""
        members: dict[str, Any] = {}
        for owner in reversed(self.base.__mro__[:-1]):
            annotated = vars(owner).get("__annotations__", {})
            for name in (*annotated, *vars(owner)):
                if not name.startswith("_"):
                    members[name] = self._member(name, vars(owner).get(name))
        members["__init__"] = _init
        members["__module__"] = __name__
        return type(f"Guarded{self.base.__name__}", (self.base,), members)

    def _member(self, name: str, found: Any) -> Any:
        rule = self.rules.get(name, _SHARED.get(name, _ANY))
        if isfunction(found):
            return _method(name, found, rule)
        return property(_reader(name, rule))


def _init(self: Any, inner: Any, boundary: Boundary) -> None:
    self._inner, self._boundary = inner, boundary


def _method(name: str, declared: Callable[..., Any], rule: Rule) -> Callable[..., Any]:
    @wraps(declared)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        boundary: Boundary = self._boundary
        if rule.takes is not None:
            args = rule.takes(boundary, args)
        if name == "open":
            args = (context_for(args[0], boundary.kind, boundary.component), *args[1:])
        item = rule.item(args) if rule.item else ""
        function = getattr(self._inner, name)
        try:
            result = _called(boundary, rule, item, name, function, *args, **kwargs)
        except ComponentError:
            if not rule.tolerated:
                raise
            return None
        if rule.each is not None:
            return _checked_each(boundary, rule, name, result)
        _check(boundary, rule, item, name, result)
        return result

    method.__isabstractmethod__ = False  # type: ignore[attr-defined]
    return method


def _reader(name: str, rule: Rule) -> Callable[[Any], Any]:
    def read(self: Any) -> Any:
        result = _called(self._boundary, rule, "", name, getattr, self._inner, name)
        _check(self._boundary, rule, "", name, result)
        return result

    return read


def _called(
    boundary: Boundary, rule: Rule, item: str, name: str, function: Callable[..., Any], *args: Any,
    **kwargs: Any,
) -> Any:  # fmt: skip
    try:
        with boundary.log.calling(boundary.kind, boundary.component, name, item):
            return boundary.call_for(item, name, function, *args, also=rule.passing, **kwargs)
    except _Ours as ours:
        raise ours.error from None


def _check(boundary: Boundary, rule: Rule, item: str, name: str, result: Any) -> None:
    if rule.returns is None:
        return
    if wrong := rule.returns(result):
        raise boundary.fault(name, wrong, item)


def _checked_each(
    boundary: Boundary, rule: Rule, name: str, result: Iterable[Any]
) -> Iterator[Any]:
    """Consume an iterator of the component within its boundary."""
    check = rule.each
    assert check is not None  # noqa: S101 - by the caller
    if not isinstance(result, Iterable):
        raise boundary.fault(name, f"returned {type(result).__name__}, not something to iterate")
    items = _called(boundary, rule, "", name, iter, result)
    while True:
        item = _called(boundary, rule, "", name, next, items, _END)
        if item is _END:
            return
        if wrong := check(item):
            raise boundary.fault(name, wrong)
        yield item


_END = object()


def ours(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of pacsfw for a component to call.

    What it raises is not the component's fault, even though it comes from within a call of it.
    """

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as err:  # its own errors, given back by the guard as they are
            raise _Ours(err) from err

    return called


def ours_each(items: Iterable[Any]) -> Iterator[Any]:
    """Return an iterator of pacsfw for a component to consume, as `ours`."""
    following = ours(iter(items).__next__)
    while True:
        try:
            yield following()
        except _Ours as err:
            if isinstance(err.error, StopIteration):
                return
            raise
