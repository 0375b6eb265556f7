"""``python -m fuzzing [TARGET] [--seconds N]``: find bytes that break a parser.

Without a target each one runs in a process of its own. Input that breaks one is kept as a
file ``fuzzing/crash-...``, which ``python -m fuzzing TARGET FILE`` runs again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    options = _options()
    if options.target is None:
        return _run_all(options.seconds)
    import atheris

    warnings.simplefilter("ignore")
    with atheris.instrument_imports(include=["pacsfw"]):
        from fuzzing.seeds import SEEDS
        from fuzzing.targets import TARGETS

    if options.file is not None:
        TARGETS[options.target](options.file.read_bytes())
        return 0
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(SEEDS[options.target]()):
            (Path(corpus) / str(number)).write_bytes(seed)
        flags = [
            f"-max_total_time={options.seconds}",
            f"-artifact_prefix={HERE}/",
            "-max_len=8192",
            "-timeout=20",
            "-rss_limit_mb=1024",
            "-print_final_stats=1",
            "-verbosity=0",
        ]
        atheris.Setup([sys.argv[0], *flags, corpus], TARGETS[options.target])
        atheris.Fuzz()
    return 0


def _run_all(seconds: int) -> int:
    from fuzzing.seeds import SEEDS

    broken = []
    for target in SEEDS:
        print(f"{target}: {seconds} s", flush=True)
        command = [sys.executable, "-m", "fuzzing", target, "--seconds", str(seconds)]
        result = subprocess.run(command, cwd=HERE.parent, stderr=subprocess.PIPE, text=True)
        lines = result.stderr.splitlines()
        if result.returncode:
            broken.append(target)
            print("\n".join(lines[-40:]))
        for line in lines:
            if "number_of_executed_units" in line or "peak_rss_mb" in line:
                print(f"  {line.removeprefix('stat::')}")
    print(f"broken: {', '.join(broken)}" if broken else "nothing was broken")
    return 1 if broken else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzzing", description=__doc__)
    parser.add_argument("target", nargs="?")
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--seconds", type=int, default=60)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
