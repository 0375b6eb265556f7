"""Print the oldest release of each dependency that pyproject.toml allows, as pip constraints.

Those of the extra dicomweb are included. `make lowest` installs them and runs tests, which
shows that the lower bounds are true.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def main() -> None:
    """Print a line for each dependency with a lower bound."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    texts = [*project["dependencies"], *project["optional-dependencies"]["dicomweb"]]
    for requirement in map(Requirement, texts):
        for bound in requirement.specifier:
            if bound.operator == ">=":
                print(f"{requirement.name}=={bound.version}")


if __name__ == "__main__":
    main()
