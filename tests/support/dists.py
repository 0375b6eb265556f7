"""Tiny distributions, laid down as if they were installed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

LAYOUT = """
from pacsfw import Component, hookimpl

def {name}(header):
    "One folder per study."
    return [header.StudyInstanceUID, f"{{header.SOPInstanceUID}}.dcm"]

@hookimpl
def pacsfw_layouts():
    yield Component.of({name})
"""
CALLBACK = """
from pacsfw import Component, hookimpl

def {name}(value) -> str:
    "Text."
    return str(value)

@hookimpl
def pacsfw_tag_callbacks():
    yield Component.of({name})
"""
NOTED = """
import os
with open(os.environ["IMPORTS"], "a") as file:
    file.write(f"{__name__} {os.getpid()}\\n")
"""
"""Put before the code of a plugin, it notes each import."""


class Installed:
    """A folder with distributions. ``imports`` returns the noted imports, and forgets them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site = folder / "site"
        self.site.mkdir()
        self.variables = {
            "PYTHONPATH": str(self.site),
            "PACSFW_CACHE_DIR": str(folder / "cache"),
            "IMPORTS": str(folder / "imports.txt"),
        }

    def install(self, module: str, code: str, *, metadata: str = "", version: str = "1.2") -> None:
        """Lay down a distribution ``site-...`` with one module ``site_...`` and its entry point."""
        (self.site / f"{module}.py").write_text(NOTED + textwrap.dedent(code))
        info = self.site / f"{module}-{version}.dist-info"
        info.mkdir()
        name = module.replace("_", "-")
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(head + metadata)
        (info / "entry_points.txt").write_text(f"[pacsfw]\n{module} = {module}\n")

    def run(
        self, *arguments: str, cwd: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line in a process that sees the distributions."""
        return subprocess.run(
            [sys.executable, "-m", "pacsfw", *arguments],
            cwd=cwd or self.folder,
            env={**os.environ, **self.variables, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )

    def configure(self, text: str, name: str = "conf.yaml") -> str:
        """Write a file that only its owner may write; returns its path."""
        path = self.folder / name
        path.write_text(textwrap.dedent(text))
        path.chmod(0o600)
        return str(path)

    def imports(self) -> list[tuple[str, int]]:
        """Return (module, process) of each import since the last call."""
        path = Path(self.variables["IMPORTS"])
        if not path.exists():
            return []
        lines = path.read_text().splitlines()
        path.unlink()
        return [(name, int(pid)) for name, pid in map(str.split, lines)]
