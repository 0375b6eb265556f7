"""The fingerprint of a rule: the same while nothing changes that it may depend on."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pacsfw import Component
from pacsfw.plugins.records import Offer
from pacsfw.plugins.rules import rule_fingerprint


@pytest.fixture
def rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Offer:
    """The offer of a layout in a file."""
    (tmp_path / "its_layout.py").write_text("def layout(header):\n    return ['x']\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "its_layout", raising=False)
    module = importlib.import_module("its_layout")
    component = Component(name="mine", factory=lambda **_: module.layout)
    return Offer("layout", component, "plugin", "site", "1.0")


def test_it_changes_with_package_version_options_and_code(rule, tmp_path):
    first = rule_fingerprint(rule, {"a": 1, "b": 2})
    changed = [
        rule_fingerprint(rule, {"a": 1, "b": 3}),
        rule_fingerprint(replace(rule, version="1.1"), {"a": 1, "b": 2}),
        rule_fingerprint(replace(rule, distribution="other"), {"a": 1, "b": 2}),
    ]
    assert rule_fingerprint(rule, {"b": 2, "a": 1}) == first

    with (tmp_path / "its_layout.py").open("a") as code:
        code.write("# edited\n")

    changed.append(rule_fingerprint(rule, {"a": 1, "b": 2}))
    assert len({first, *changed}) == 5


def test_it_shows_no_option(rule):
    assert "secret" not in rule_fingerprint(rule, {"key": "secret"})
