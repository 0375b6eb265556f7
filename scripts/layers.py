"""Write the layers of tests/test_architecture.py into CONTRIBUTING.md.

python scripts/layers.py    the list stands once, in the test that holds it
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEST = ROOT / "tests" / "test_architecture.py"
PAGE = ROOT / "CONTRIBUTING.md"
BLOCK = re.compile(r"(<!-- layers: .*? -->\n).*?(<!-- end of layers -->)", re.DOTALL)


def layers() -> str:
    """Return the list as the test has it, lowest first."""
    for node in ast.parse(TEST.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LAYERS":
            return str(ast.literal_eval(node.value))
    raise LookupError(f"{TEST}: no LAYERS")


def with_layers(page: str) -> str:
    """Return the page with the present layers in its marked block."""
    block = f"\n```text\n{layers()}```\n\n"
    changed, count = BLOCK.subn(lambda found: found[1] + block + found[2], page)
    if count != 1:
        raise LookupError(f"{PAGE}: {count} blocks of layers, not 1")
    return changed


def main() -> None:
    """Write the block."""
    PAGE.write_text(with_layers(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
