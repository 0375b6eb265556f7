"""The contract of components of any kind."""

from __future__ import annotations

import inspect
import json
import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar

from jsonschema import Draft202012Validator

from pacsfw.api import Clock, Closing, Component, Net, RunContext
from pacsfw.api.components import Lazy
from pacsfw.errors import PacsfwError, Retry
from pacsfw.plugins import registry_of
from pacsfw.plugins.boundary import Boundary
from pacsfw.plugins.discovery import Candidate
from pacsfw.plugins.facts import PLAIN_CALLABLES, disagreement
from pacsfw.plugins.opening import open_callable
from pacsfw.plugins.origin import fingerprint_of
from pacsfw.plugins.registry import Registry


class ComponentContract:
    """Base of the suites; not a suite itself."""

    kind: ClassVar[str]
    plugin: ClassVar[Any]
    """The module (or object) with the hook that offers the component."""
    name: ClassVar[str]
    """The name used in a configuration."""
    options: ClassVar[Mapping[str, Any]] = {}
    """Its options, as in ``with:``."""
    sections: ClassVar[Mapping[str, Any]] = {}
    """Configuration sections of plugins that it needs, by key."""

    def registry(self) -> Registry:
        """Return a registry with only this plugin."""
        return registry_of(Candidate("plugin", "under-test", "0", lambda: self.plugin))

    def component(self) -> Component[Any]:
        """Return the component that the plugin offers under the name."""
        return self.registry().select(self.kind, self.name).component

    def options_in(self, folder: Path) -> Mapping[str, Any]:
        """Return the options for a test with this folder; `options` unless overridden."""
        return self.options

    def make(self, **options: Any) -> Any:
        """Build it with ``options`` of this contract and additional ones.

        A layout or callback with ``open`` is opened as well.
        """
        built = self.registry().make(self.kind, self.name, {**self.options, **options})
        if self.kind in PLAIN_CALLABLES:
            # Not closed before the end of the tests: it may be used as long as it exists.
            context = self.context(Path(tempfile.gettempdir()))
            open_callable(ExitStack(), self.kind, self.name, built, context)
        return built

    def context(self, workdir: Path, net: Net | None = None) -> RunContext:
        """Return the context with which it is opened."""
        return RunContext(
            run_id="contract",
            workdir=workdir,
            net=net,
            sections=self.sections,
            clock=Clock(),
            log=logging.getLogger("pacsfw.plugins"),
        )

    @contextmanager
    def opened(self, made: Any, workdir: Path, net: Net | None = None) -> Iterator[Any]:
        """Open an object like a run does, and close it in any case."""
        if isinstance(made, Closing):
            made.open(self.context(workdir, net))
        try:
            yield made
        finally:
            if isinstance(made, Closing):
                made.close()

    def test_the_plugin_offers_it_and_nothing_fails(self) -> None:
        """The hook runs, and the name is known."""
        registry = self.registry()
        assert not registry.failures, "; ".join(map(str, registry.failures))
        assert self.component().name == self.name

    def test_it_says_in_one_line_what_it_is(self) -> None:
        """``pacsfw plugins list`` shows it."""
        summary = self.component().summary
        assert summary.strip(), f"{self.name}: the summary is empty"
        assert "\n" not in summary.strip(), f"{self.name}: the summary has several lines"

    def test_its_schema_is_valid_and_lets_no_misspelt_option_through(self) -> None:
        """A misspelt option of a configuration is found before the run."""
        schema = self.component().schema
        Draft202012Validator.check_schema(schema)
        assert schema.get("type") == "object", f"{self.name}: the type of its schema is not object"
        closed = schema.get("additionalProperties") is False
        assert closed, f"{self.name}: its schema lacks additionalProperties: false"

    def test_its_schema_and_its_factory_take_the_same_options(self) -> None:
        """Both have the same options, with the same defaults."""
        component = self.component()
        properties = component.schema.get("properties", {})
        required = set(component.schema.get("required", ()))
        parameters = _parameters(component)
        takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        named = {
            name: each
            for name, each in parameters.items()
            if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
        }
        for option in properties:
            assert takes_any or option in named, f"{option}: in the schema, but not in the factory"
        for name, parameter in named.items():
            assert name in properties, f"{name}: in the factory, but not in the schema"
            if parameter.default is parameter.empty:
                assert name in required, f"{name}: required by the factory, but not by the schema"
            elif "default" in properties[name]:
                shown = properties[name]["default"]
                built_in = parameter.default
                same = shown == (list(built_in) if isinstance(built_in, tuple) else built_in)
                assert same, f"{name}: default {shown!r} in the schema, not in the factory"

    def test_the_options_of_this_contract_are_valid(self, tmp_path: Path) -> None:
        """They are valid in a configuration: JSON that the schema allows."""
        options = json.loads(json.dumps(dict(self.options_in(tmp_path))))
        problems = list(Draft202012Validator(self.component().schema).iter_errors(options))
        assert not problems, "; ".join(problem.message for problem in problems)

    def test_its_record_and_its_object_agree(self, tmp_path: Path) -> None:
        """Pacsfw reads what it must know beforehand from the record, and builds nothing."""
        component = self.component()
        options = {**self.options, **self.options_in(tmp_path)}
        wrong = disagreement(self.kind, component, options, component.factory(**options))
        assert not wrong, f"{self.name}: {wrong}"

    def test_its_check_answers_with_a_text_or_none(self, tmp_path: Path) -> None:
        """``pacsfw plugins doctor -f`` calls it on an object that is not opened."""
        built = self.registry().make(
            self.kind, self.name, {**self.options, **self.options_in(tmp_path)}
        )
        check = getattr(built, "check", None)
        if not callable(check) or isinstance(built, type):
            return
        try:
            answer = check(self.context(tmp_path))
        except (PacsfwError, Retry):  # these are answers, too
            return
        told = answer is None or (isinstance(answer, str) and answer.strip())
        assert told, f"{self.name}: check returned {answer!r}, not a text or None"

    def test_its_fingerprint_is_a_short_text_and_stays_the_same(self, tmp_path: Path) -> None:
        """Another one means other data: the ledger keeps it, and manifests show it."""
        component = self.component()
        options = {**self.options, **self.options_in(tmp_path)}
        boundary = Boundary(self.kind, repr(self.name))
        one, other = (fingerprint_of(boundary, component.factory(**options)) for _ in range(2))
        assert one == other, f"{self.name}: its fingerprint changes although nothing else does"

    def test_every_use_gets_an_object_of_its_own(self, tmp_path: Path) -> None:
        """Objects are not shared: each worker process and each use builds its own."""
        if self.kind not in PLAIN_CALLABLES:
            options = self.options_in(tmp_path)
            one, other = self.make(**options), self.make(**options)
            assert one is not other, f"{self.name}: its factory returns the same object again"


def _parameters(component: Component[Any]) -> Mapping[str, inspect.Parameter]:
    factory = component.factory
    if isinstance(factory, Lazy):
        factory = factory.load()
    try:
        return inspect.signature(factory).parameters
    except (TypeError, ValueError):  # of some built-in types nothing is known
        keyword = inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD)
        return {"options": keyword}
