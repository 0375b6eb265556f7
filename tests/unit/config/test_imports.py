"""Reading a configuration imports nothing slow before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["pacsfw.config", "pacsfw.cli.config"])
def test_pydicom_is_not_imported_with_the_module(module: str) -> None:
    code = f"import sys, {module}; print([n for n in sys.modules if n.startswith(('pyd', 'pyn'))])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout == "[]\n"
