"""The bundled tag callbacks are found by name and do what their summary says."""

import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydicom.multival import MultiValue
from pydicom.valuerep import DSfloat, PersonName

from pacsfw.api import Component
from pacsfw.config.columns import type_of
from pacsfw.plugins import PluginPlan, discover
from pacsfw_plugins.callbacks import pacsfw_tag_callbacks


def offered() -> dict[str, Component[Any]]:
    return {component.name: component for component in pacsfw_tag_callbacks()}


@pytest.mark.parametrize(
    ("name", "value", "result", "column_type"),
    [
        ("str", PersonName("Doe^Jane"), "Doe^Jane", "text"),
        ("str", MultiValue(str, ["A", "B"]), "A\\B", "text"),
        ("int", DSfloat("7"), 7, "int"),
        ("float", "1.5", 1.5, "float"),
        ("bool", "NO", False, "bool"),
        ("str2datetime", "20200102", datetime(2020, 1, 2), "datetime"),
        ("str2timedelta", "0304", timedelta(hours=3, minutes=4), "duration"),
        ("agestr2years", "018M", 1.5, "float"),
    ],
)
def test_a_callback_is_built_by_its_name(
    name: str, value: Any, result: Any, column_type: str
) -> None:
    callback = discover(PluginPlan()).build("callback", name, {})
    assert callback(value) == result
    assert type_of(callback) == column_type


def test_the_documented_module_names_give_the_same_functions() -> None:
    registry = discover(PluginPlan())
    by_reference = registry.build("callback", "pacsanini.convert:str2datetime", {})
    assert by_reference is registry.build("callback", "str2datetime", {})


def test_every_callback_says_what_it_does() -> None:
    assert all(component.summary for component in offered().values())


@pytest.mark.parametrize("module", ["callbacks", "layouts"])
def test_the_plugin_is_quick_to_import(module: str) -> None:
    code = (
        f"import sys, pacsfw_plugins.{module} as plugin;"
        "[list(getattr(plugin, hook)()) for hook in dir(plugin) if hook.startswith('pacsfw_')];"
        "sys.exit('pydicom' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
