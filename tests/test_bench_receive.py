"""The benchmarks of receiving work; what they say of speed is not looked at here."""

import subprocess
import sys
from pathlib import Path

import pytest

from peers.process import require

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.mark.full
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("bench_receive.py", "--parts=alone,pdu,everything", "--runs=1", "--objects=20"),
            ("512 KB, 1 association", "5 KB, 1 association", "everything on", "| Orthanc |"),
        ),
        (
            ("bench_retrieve.py", "--servers=orthanc", "--studies=1", "--runs=1"),
            ("C-MOVE from orthanc", "| movescu to pacsfw |", "| pacsfw move, 4 at once |"),
        ),
    ],
)
def test_a_small_run_prints_its_tables(arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    require("storescp", "movescu", "Orthanc")
    script, *options = arguments
    if script == "bench_receive.py":
        options.append("--associations=1")
    done = subprocess.run(
        [sys.executable, BENCHMARKS / script, *options], capture_output=True, text=True
    )
    # So small a run may well miss a target of speed.
    assert done.returncode in (0, 1), done.stderr
    assert done.stderr == ""
    for each in words:
        assert each in done.stdout
