"""What `make fuzz` tries for long, for a moment: seeds, and seeds with some bytes changed."""

from __future__ import annotations

import pytest
from fuzzing.seeds import SEEDS
from fuzzing.targets import TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st

_FOUND = {name: list(seeds()) for name, seeds in SEEDS.items()}


@pytest.mark.parametrize("name", TARGETS)
@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_parser_reads_what_the_reference_reads_or_refuses_it(name, data) -> None:
    seed = data.draw(st.sampled_from(_FOUND[name]))
    TARGETS[name](seed)
    changed = bytearray(seed)
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(changed) - 1))
        changed[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    TARGETS[name](bytes(changed))
    TARGETS[name](data.draw(st.binary(max_size=200)))
