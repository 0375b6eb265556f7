"""The identity of a component: it changes with all that may change what the component does."""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import operator
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pacsfw import Component, lazy
from pacsfw.api import Converter
from pacsfw.errors import ComponentError
from pacsfw.plugins import discover
from pacsfw.plugins.discovery import PluginPlan
from pacsfw.plugins.origin import LONGEST, Identity, code_of
from pacsfw.plugins.origin import identity_of as identity_of_built
from pacsfw.plugins.records import Offer

MODULE = """
class Place:
    def __call__(self, header):
        return ["x"]


def layout(header):
    return ["x"]
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Makes modules that can be imported, by path and text; returns the folder."""
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)

    def write(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        importlib.invalidate_caches()
        return tmp_path

    yield write
    for name in set(sys.modules) - known:
        if name.startswith("its_"):
            del sys.modules[name]


def offer(factory: Callable[..., Any], kind: str = "layout", **facts: str) -> Offer:
    named = {"plugin": "plugin", "distribution": "site", "version": "1.0", **facts}
    return Offer(kind, Component(name="mine", factory=factory), **named)


def identity_of(offer: Offer, options: Mapping[str, Any]) -> Identity:
    return identity_of_built(offer, options, offer.component.factory(**options))


def test_it_changes_with_package_version_options_and_code(site):
    folder = site({"its_layout.py": MODULE})
    module = importlib.import_module("its_layout")
    mine = offer(lambda **_: module.layout)
    first = identity_of(mine, {"a": 1, "b": 2})
    assert identity_of(mine, {"b": 2, "a": 1}) == first
    changed = [
        identity_of(mine, {"a": 1, "b": 3}),
        identity_of(replace(mine, version="1.1"), {"a": 1, "b": 2}),
        identity_of(replace(mine, distribution="other"), {"a": 1, "b": 2}),
    ]

    with (folder / "its_layout.py").open("a") as code:
        code.write("# edited\n")

    changed.append(identity_of(mine, {"a": 1, "b": 2}))
    assert len({each.digest for each in (first, *changed)}) == 5


def test_it_shows_no_option():
    found = identity_of(offer(lambda key: print), {"key": "secret"})
    assert "secret" not in json.dumps(found.record)


@pytest.mark.parametrize(
    "make",
    [
        lambda module: lambda: module.layout,
        lambda module: module.Place,
        lambda module: lambda: module.Place(),
        lambda module: lambda: partial(module.layout),
        lambda module: lambda: partial(map, module.layout),
        lambda module: lazy("its_layout:Place"),
    ],
    ids=["function", "class", "callable", "partial", "argument", "lazy"],
)
def test_a_component_is_digested_by_the_file_that_defines_it(site, make):
    folder = site({"its_layout.py": MODULE})
    mine = offer(make(importlib.import_module("its_layout")))
    before = identity_of(mine, {}).info.code

    (folder / "its_layout.py").write_text(MODULE + "# edited\n")

    assert before
    assert identity_of(mine, {}).info.code not in ("", before)


def test_a_file_of_the_user_has_the_digest_of_the_file_and_may_be_moved(site, tmp_path):
    text = (
        "from functools import partial\nimport operator\nfrom pacsfw import Component, hookimpl\n\n"
        "@hookimpl\ndef pacsfw_tag_callbacks():\n"
        "    yield Component.of(partial(operator.add, '>'), name='marked')\n"
    )
    found = []
    for place in ("one", "other"):
        path = site({f"{place}/its_file.py": text}) / place / "its_file.py"
        registry = discover(PluginPlan(load=(path,), installed=False))
        found.append(registry.identify("callback", "marked", {}))
        del sys.modules["its_file"]
        sys.path.remove(str(path.parent))  # as in another process
    assert {each.info.code for each in found} == {hashlib.sha256(text.encode()).hexdigest()}
    assert found[0].digest == found[1].digest
    assert found[0].info.distribution != found[1].info.distribution


def test_all_modules_of_a_package_count_whatever_its_folder(site):
    files = {"__init__.py": "", "layouts.py": MODULE, "helper.py": "DEPTH = 1\n"}
    folder = site({f"its_package/{name}": text for name, text in files.items()})
    mine = offer(lazy("its_package.layouts:Place"))
    before = code_of(mine)

    (folder / "its_package" / "helper.py").write_text("DEPTH = 2\n")

    assert code_of(mine) not in ("", before)


def test_of_the_standard_library_and_of_compiled_modules_there_is_no_code():
    for function in (math.sqrt, operator.add, partial(print), json.dumps):
        factory = partial(lambda made: made, function)
        assert code_of(offer(Component.of(function, name="x").factory), function) == "", factory


def test_a_bundled_component_shows_its_version_only():
    registry = discover(PluginPlan(installed=False))
    found = registry.identify("layout", "PATIENT", {})
    assert (found.info.code, found.info.described) == ("", f"'PATIENT' (from {_owner(registry)})")


def _owner(registry) -> str:
    return registry.select("layout", "PATIENT").owner


class Note(Converter):
    """A converter that says whatever it is told about its data."""

    def __init__(self, said: Any = "") -> None:
        self._said = said

    def fingerprint(self) -> str:
        if isinstance(self._said, Exception):
            raise self._said
        return self._said

    def convert(self, files, out):
        return ()


def test_the_fingerprint_that_a_component_gives_counts_and_is_shown():
    mine = offer(Note, "converter")
    one, other = (identity_of(mine, {"said": said}) for said in ("v1", ""))
    assert (one.info.fingerprint, other.info.fingerprint) == ("v1", "")
    assert one.digest != other.digest
    assert one.info.described.endswith(", data v1)")


def test_a_function_has_a_fingerprint_as_an_attribute():
    def place(header):
        return [header]

    place.fingerprint = "v2"
    assert identity_of(offer(lambda: place), {}).info.fingerprint == "v2"
    place.fingerprint = lambda: "v3"
    assert identity_of(offer(lambda: place), {}).info.fingerprint == "v3"


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (None, "fingerprint: is NoneType, not str"),
        (b"x", "fingerprint: is bytes, not str"),
        ("x" * (LONGEST + 1), "fingerprint: is not at most 200 printable ASCII characters"),
        ("Doe\nJohn", "fingerprint: is not at most 200 printable ASCII characters"),
        ("\udcff", "fingerprint: is not at most 200 printable ASCII characters"),
        (ValueError("Doe"), "fingerprint: ValueError at test_origin.py:"),
    ],
)
def test_a_wrong_fingerprint_is_a_fault_of_the_component_and_is_not_quoted(said, fault):
    with pytest.raises(ComponentError) as caught:
        identity_of(offer(Note, "converter"), {"said": said})
    assert str(caught.value).startswith(f"converter 'mine' (from site 1.0): {fault}")
    assert "Doe" not in str(caught.value)
