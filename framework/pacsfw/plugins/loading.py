"""Load one plugin in isolation, and call its hooks."""

from __future__ import annotations

import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import cached_property
from typing import Any

import pluggy

from pacsfw import __version__, hookspecs
from pacsfw.api import API_VERSION, Component, ConfigSection
from pacsfw.plugins.boundary import is_own_signal
from pacsfw.plugins.discovery import Candidate
from pacsfw.plugins.facts import facts_of, fault
from pacsfw.plugins.records import PluginFailure
from pacsfw.words import nearest

HOOKS = {
    "pacsfw_cohorts": "cohort",
    "pacsfw_query_providers": "query",
    "pacsfw_transfers": "transfer",
    "pacsfw_layouts": "layout",
    "pacsfw_tag_callbacks": "callback",
    "pacsfw_row_callbacks": "row-callback",
    "pacsfw_converters": "converter",
    "pacsfw_sinks": "sink",
    "pacsfw_observers": "observer",
}
"""Hook -> kind of the components it offers."""

TRACE_VARIABLE = "PACSFW_TRACE_HOOKS"
"""If it is 1, pacsfw writes each import of a plugin and each call of a hook to stderr."""


NAMELESS = ("pacsfw_resolve_secret", "pacsfw_config_loaded")
"""Hooks that offer nothing by name. They have an order, so ``tryfirst`` and ``trylast`` work."""

CONTRACT = "pacsfw_api"
"""The attribute of a plugin with the version of the contract that it is written for."""
SCHEMES = "pacsfw_secret_schemes"
"""The attribute of a plugin with the schemes that its `pacsfw_resolve_secret` knows."""


class Plugin:
    """One plugin, imported, with everything it offers. A failure is kept, never raised.

    What it prints goes to stderr: stdout is for the output of the command.
    """

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.failures: list[PluginFailure] = []
        self.notes: list[str] = []
        self.deprecated: list[str] = []
        self._hooks = pluggy.PluginManager(hookspecs.PROJECT)
        self._hooks.add_hookspecs(hookspecs)
        self.module: Any = None
        start = time.perf_counter()
        with self._isolated("import"), _traced("import", candidate.key):
            self.module = candidate.load()
        self.seconds = time.perf_counter() - start
        if not self.failures:
            with self._isolated("register"):
                self._register()

    @cached_property
    def components(self) -> Mapping[tuple[str, str], Component[Any]]:
        """The components, by kind and name."""
        found: dict[tuple[str, str], Component[Any]] = {}
        for hook, kind in HOOKS.items():
            for record in self._records(hook, Component):
                wrong = _fault(record)
                if not wrong and (kind, record.name) in found:
                    wrong = offered_twice(kind, record.name, self.candidate)
                if wrong:
                    self._fail(hook, ValueError(wrong))
                else:
                    found[kind, record.name] = record
        return found

    @cached_property
    def sections(self) -> Mapping[str, ConfigSection]:
        """The sections of the configuration, by key."""
        return {each.key: each for each in self._records("pacsfw_config_sections", ConfigSection)}

    @cached_property
    def commands(self) -> Mapping[str, Any]:
        """The commands of the command line, by name."""
        if not self._impls("pacsfw_subcommands"):
            return {}
        import click

        records = self._records("pacsfw_subcommands", click.Command)
        return {each.name: each for each in records if each.name}

    @property
    def nameless(self) -> Mapping[str, str]:
        """The hooks of `NAMELESS` that it has: ``tryfirst``, ``trylast`` or empty for each."""
        return {
            hook: "tryfirst" if impl.tryfirst else "trylast" if impl.trylast else ""
            for hook in NAMELESS
            for impl in self._impls(hook)
        }

    @property
    def schemes(self) -> list[str] | None:
        """The schemes of secrets that it declares; None if it declares nothing."""
        said = None if self.failures else getattr(self.module, SCHEMES, None)
        return None if said is None else list(said)

    def call(self, hook: str, arguments: Mapping[str, Any]) -> list[Any]:
        """Call each implementation of a hook, and return the results; they may raise."""
        return [self._call(impl, arguments) for impl in self._impls(hook)]

    def _register(self) -> None:
        _check_contract(self.module)
        self.notes += _check_hooks(self._hooks, self.module)
        _check_schemes(self.module)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self._hooks.register(self.module, name=self.candidate.key)
        self.deprecated += [str(warning.message) for warning in caught]

    def _records(self, hook: str, record_type: type[Any]) -> list[Any]:
        """Return what the implementations of a hook yield; nothing if one fails."""
        found: list[Any] = []
        for impl in self._impls(hook):
            with self._isolated(hook):
                records = self._call(impl, {}, lambda result: list(result or ()))
                for record in records:
                    if not isinstance(record, record_type):
                        wrong = type(record).__name__
                        raise TypeError(f"yields {wrong}, not {record_type.__name__}")
                found += records
        return found

    def _impls(self, hook: str) -> list[pluggy.HookImpl]:
        return getattr(self._hooks.hook, hook).get_hookimpls()  # type: ignore[no-any-return]

    def _call(
        self,
        impl: pluggy.HookImpl,
        arguments: Mapping[str, Any],
        take: Callable[[Any], Any] = lambda result: result,
    ) -> Any:
        """Call one implementation with the arguments it accepts, and ``take`` its result.

        ``take`` consumes a generator, which works, and may raise, only then.
        """
        name = f"hook {getattr(impl.function, '__name__', 'hook')}:"
        with _traced(name, self.candidate.key), redirect_stdout(sys.stderr):
            return take(impl.function(*(arguments[name] for name in impl.argnames)))

    @contextmanager
    def _isolated(self, stage: str) -> Iterator[None]:
        """Keep whatever the code of the plugin raises as a failure of this stage."""
        try:
            with redirect_stdout(sys.stderr):
                yield
        except BaseException as err:
            if is_own_signal(err):
                raise
            self._fail(stage, err)

    def _fail(self, stage: str, err: BaseException) -> None:
        self.failures.append(
            PluginFailure(
                plugin=self.candidate.name,
                distribution=self.candidate.distribution,
                version=self.candidate.version,
                stage=stage,
                error=f"{type(err).__name__}: {err}",
                traceback="".join(traceback.format_exception(err)),
            )
        )


def offered_twice(kind: str, name: str, owner: Candidate) -> str:
    """Describe the failure of a distribution that offers one name twice."""
    return f"{kind} {name!r} is offered twice by {owner.distribution}"


def is_traced() -> bool:
    """Return whether imports and calls of hooks are shown."""
    return os.environ.get(TRACE_VARIABLE, "") not in ("", "0")


@contextmanager
def _traced(what: str, whose: str) -> Iterator[None]:
    """Write a line to stderr at the end, if `TRACE_VARIABLE` is set."""
    start = time.perf_counter()
    ended = "raised"
    try:
        yield
        ended = "returned"
    finally:
        if is_traced():
            milliseconds = (time.perf_counter() - start) * 1000
            line = f"{what} {whose} {ended} after {milliseconds:.1f} ms"
            print(line, file=sys.stderr)  # noqa: T201 - enabled by the user


def _fault(component: Component[Any]) -> str:
    """Return the reason why a component is unusable, empty if it is valid."""
    name = component.name
    if not isinstance(name, str) or not name or any(char in name for char in "/:{}") or " " in name:
        return f"{name!r} is not a component name: text without '/', ':', '{{', '}}' and blanks"
    if not callable(component.factory):
        return f"{name!r}: its factory is not callable"
    if not isinstance(component.schema, Mapping):
        return f"{name!r}: its schema is not a mapping"
    for key in ("accepts", "requires"):
        value: Iterable[str] = getattr(component, key)
        if isinstance(value, str) or not all(isinstance(each, str) and each for each in value):
            return f"{name!r}: {key} is not a tuple of texts"
    wrong = fault(component)
    if not wrong:
        try:
            facts_of(component)
        except (TypeError, ValueError, RecursionError) as err:
            wrong = f"its record cannot be written as JSON: {err}"
    return f"{name!r}: {wrong}" if wrong else ""


def _check_contract(plugin: Any) -> None:
    """Refuse a plugin that is written for a later contract, before its hooks are looked at."""
    said = getattr(plugin, CONTRACT, 1)
    if not isinstance(said, int) or isinstance(said, bool) or said < 1:
        raise ValueError(f"{CONTRACT} is not the number of a contract: a whole number from 1")
    if said > API_VERSION:
        raise ValueError(
            f"it is written for contract {said} ({CONTRACT}), and pacsfw {__version__} has "
            f"contract {API_VERSION}: upgrade pacsfw (pip install --upgrade pacsfw)"
        )


def _check_hooks(manager: pluggy.PluginManager, plugin: Any) -> Iterator[str]:
    """Refuse hooks that pacsfw would never call, and yield a note for each optional one."""
    known = [name for name in vars(hookspecs) if name.startswith("pacsfw_")]
    for name in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, name)
        if options is None:
            if name.startswith("pacsfw_") and callable(getattr(plugin, name)):
                if name not in known:
                    raise ValueError(f"{name!r} is not a hook of pacsfw{nearest(name, known)}")
                raise ValueError(f"{name!r} lacks the @hookimpl decorator")
            continue
        hook = options.get("specname") or name
        if hook not in known:
            if not options["optionalhook"]:
                raise ValueError(f"{hook!r} is not a hook of pacsfw{nearest(hook, known)}")
            yield f"its optional hook {hook!r} is not used: pacsfw {__version__} does not have it"
            continue
        if options["wrapper"] or options["hookwrapper"]:
            raise ValueError(f"{hook!r} is a hook wrapper: pacsfw calls each hook on its own")
        if (options["tryfirst"] or options["trylast"]) and hook not in NAMELESS:
            raise ValueError(
                f"{hook!r} has tryfirst or trylast, but no order: the configuration selects by name"
            )


def _check_schemes(plugin: Any) -> None:
    said = getattr(plugin, SCHEMES, ())
    if isinstance(said, str) or not all(isinstance(each, str) and each for each in said):
        raise ValueError(f"{SCHEMES} is not a tuple of texts")
