"""Which cases of a parametrized test are in ``make test``; ``make test-full`` has all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def quick(cases: Iterable[Any], *chosen: object) -> list[Any]:
    """Return the cases, marked ``full`` but for those chosen.

    A case that is a tuple is known by its first value.
    """
    marked, left = [], list(chosen)
    for case in cases:
        values = case if isinstance(case, tuple) else (case,)
        if values[0] in chosen:
            left = [each for each in left if each != values[0]]
            marked.append(case)
        else:
            marked.append(pytest.param(*values, marks=pytest.mark.full))
    if left:
        raise ValueError(f"no such cases: {left}")
    return marked
