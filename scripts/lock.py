"""Write requirements-dev.lock: the versions of what `make` installs for development.

python scripts/lock.py    take the newest versions that pyproject.toml allows

The file is a list of constraints. It is made with the oldest Python that is supported, as new
releases drop old Pythons, not new ones; a package that only a newer Python needs is not in it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements-dev.lock"
OLDEST = (3, 11)
GROUPS = ("dev", "contrib")
HEAD = "# Made by `make lock`: the versions that development and CI use.\n"


def resolve() -> dict[str, Any]:
    """Return what pip would install into an empty environment."""
    groups = [word for group in GROUPS for word in ("--group", group)]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
    command += ["--ignore-installed", "--report", "-", ".", *groups]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def pins(report: dict[str, Any]) -> list[str]:
    """Return the lines of the lock, without this project itself."""
    found = [each["metadata"] for each in report["install"]]
    lines = [f"{_normal(each['name'])}=={each['version']}" for each in found]
    return sorted(line for line in lines if not line.startswith("pacsfw=="))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    """Write the lock."""
    if sys.version_info[:2] != OLDEST:
        oldest = ".".join(map(str, OLDEST))
        sys.exit(f"the lock is made with Python {oldest}: make PYTHON=python{oldest} clean lock")
    LOCK.write_text(HEAD + "".join(f"{line}\n" for line in pins(resolve())), encoding="utf-8")


if __name__ == "__main__":
    main()
