"""A small real registry, and configurations written to disk and loaded from there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from pacsfw.api import Column, Component, ConfigSection
from pacsfw.config import Loaded, load
from pacsfw.errors import PacsfwError
from pacsfw.plugins import PluginPlan
from pacsfw.plugins.records import Offer, SectionOffer
from pacsfw.plugins.registry import Registry
from pacsfw_plugins.secrets import pacsfw_resolve_secret
from support.documented import DOCUMENTED
from support.guards import plain

PATH_OPTION = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "level": {"type": "integer", "maximum": 9}},
    "required": ["path"],
    "additionalProperties": False,
}
SPEED_OPTION = {
    "type": "object",
    "properties": {"speed": {"type": "integer"}, "password": {"type": "string", "minLength": 8}},
    "additionalProperties": False,
}


def template(pattern: str) -> Callable[[Any], list[str]]:
    if "PatientNmae" in pattern:
        raise ValueError("unknown DICOM keyword 'PatientNmae' (did you mean 'PatientName'?)")
    return lambda _header: [pattern]


class Ages:
    def __call__(self, header: Any) -> Any:
        return {}


def broken() -> Any:
    raise RuntimeError("out of order")


def offers() -> Iterator[Offer]:
    def offer(kind: str, name: str, factory: Any = None, **more: Any) -> Offer:
        component = Component(name=name, factory=factory or (lambda **_: plain(kind)), **more)
        return Offer(kind, component, "mine", "house", "1.2")

    yield offer("cohort", "text", schema=PATH_OPTION, accepts=(".csv", ".tsv", ".jsonl", ".ndjson"))
    yield offer("query", "cfind")
    yield offer("transfer", "cmove", schema=SPEED_OPTION)
    yield offer("layout", "PATIENT")
    yield offer(
        "layout",
        "template",
        template,
        schema={"type": "object", "properties": {"pattern": {"type": "string"}}},
    )
    yield offer("callback", "str")
    yield offer("callback", "int")
    yield offer("callback", "broken", broken)
    yield offer("row-callback", "age", Ages, columns=(Column("years", "float"), Column("at")))
    yield offer("row-callback", "silent")
    yield offer("sink", "csv", schema=PATH_OPTION, accepts=(".csv",))
    yield offer("sink", "jsonl", schema=PATH_OPTION, accepts=(".jsonl",))
    yield offer("sink", "sql", schema=PATH_OPTION, accepts=("sqlite:",))
    yield offer("observer", "bell", schema=SPEED_OPTION)
    yield offer("converter", "oven", scope="series")
    yield offer("converter", "odd", scope="patient")


class Hooks:
    """A store of secrets."""

    def resolve_secret(self, scheme: str, reference: str) -> str | None:
        if scheme == "vault" and reference == "down":
            raise OSError("sesame is not to be seen")
        if scheme == "vault":
            return f"sesame-{reference}"
        return pacsfw_resolve_secret(scheme, reference) if scheme == "file" else None

    def implementing(self, hook: str) -> list[str]:
        return []

    def config_loaded(self, config: Mapping[str, Any]) -> None:
        """Refuse nothing."""

    def import_file(self, module: str) -> None:
        """There is none."""


def make_registry(_plan: PluginPlan) -> Registry:
    lamp = {"type": "object", "properties": {"watt": {"type": "integer"}}}
    section = SectionOffer(ConfigSection(key="lamp", schema=lamp), "mine", "house", "1.2")
    return Registry(
        offers(),
        sections={"lamp": section},
        hooks=Hooks(),
    )


class Desk:
    """A working directory with a configuration in it."""

    documented = DOCUMENTED
    """The configuration of the predecessor's guide, unchanged."""
    registry_for = staticmethod(make_registry)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str | bytes, name: str = "conf.yaml") -> Path:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o600)
        return path

    def load(
        self,
        text: str | bytes,
        name: str = "conf.yaml",
        registry_for: Callable[[PluginPlan], Registry] = make_registry,
        env: Mapping[str, str] | None = None,
        build: bool = False,
    ) -> Loaded:
        self.write(text, name)
        home = self.folder / "home"
        return load(
            Path(name), registry_for, env=env or {}, cwd=self.folder, home=home, build=build
        )

    def refusal(self, text: str | bytes, name: str = "conf.yaml", **more: Any) -> list[str]:
        """Return the lines with which a configuration is refused."""
        with pytest.raises(PacsfwError) as caught:
            self.load(text, name, **more)
        return str(caught.value).splitlines()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "home").mkdir()
    with chdir(tmp_path):
        yield Desk(tmp_path)
