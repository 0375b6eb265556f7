"""``make faults``: everything that can go wrong, many times, with the figures printed."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence

from faults import of_find, of_move, of_root, of_senders, of_web, of_wire
from faults.disk import fill_up
from faults.histories import play_all as search_histories
from faults.kills import PAIRS, Tally, blocked_peers, second_collector, stop_at_random
from faults.move_histories import play_all as study_histories
from faults.network import bad_network
from faults.scenarios import SCENARIOS as USUAL
from faults.scenarios import Result, play

SCENARIOS = (
    *USUAL,
    *of_find.SCENARIOS,
    *of_move.SCENARIOS,
    *of_root.SCENARIOS,
    *of_senders.SCENARIOS,
    *of_web.SCENARIOS,
    *of_wire.SCENARIOS,
)
TRANSFERS = ("cmove", "cget", "wado")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for; 1 where anything did not end as it has to."""
    asked = _parse(arguments)
    wrong: list[str] = []
    begun = time.monotonic()
    if asked.scenarios:
        wrong += scenarios(asked.scenarios, asked.only)
    for number, cycles in ((signal.SIGKILL, asked.kills), (signal.SIGTERM, asked.terms)):
        wrong += stops(number, cycles, asked.seed)
    if asked.histories:
        wrong += histories(asked.histories, asked.seed)
    if asked.disks:
        wrong += disks(asked.disks, asked.seed)
    if asked.offsets:
        wrong += network(asked.offsets, asked.seed)
    if (asked.scenarios or asked.kills) and not asked.only:
        found = second_collector()
        say("second collector", "refused, the first one unharmed" if not found else "WRONG")
        wrong += found
        found = blocked_peers()
        say("peers that block the end", "cannot" if not found else "WRONG")
        wrong += found
    say("in all", f"{time.monotonic() - begun:.0f} s, {len(wrong)} things wrong")
    for each in wrong:
        print(f"WRONG: {each}")
    return 1 if wrong else 0


def scenarios(most: int, only: str = "") -> list[str]:
    """Play the scenarios by every transfer that they are for."""
    results: list[Result] = []
    chosen = [each for each in SCENARIOS if only in each.name][:most]
    for scenario in chosen:
        for transfer in scenario.transfers:
            results.append(play(scenario, transfer))
            last = results[-1]
            ended = "; ".join(last.wrong) or f"{scenario.state}, as it has to be"
            say(f"{scenario.name} ({transfer})", f"{last.seconds:.1f} s: {ended}")
    wrong = [f"{each.scenario.name}: {text}" for each in results for text in each.wrong]
    say("scenarios", f"{len(chosen)}, played {len(results)} times")
    say("falsely called complete", str(sum("FALSELY" in text for text in wrong)))
    say("not retrieved though retrievable", str(sum("not retrieved" in text for text in wrong)))
    return wrong


def histories(count: int, seed: int) -> list[str]:
    """Let random PACS answer, and compare the words with the truth."""
    words, of_searches = search_histories(count, seed)
    said = ", ".join(f"{word} {number:,}" for word, number in sorted(words.items()))
    say(f"{count:,} searches of random PACS", f"{said}; {len(of_searches)} false or missing")
    of_studies = study_histories(count, seed)
    say(f"{count:,} studies of random PACS", f"{len(of_studies)} false or missing words")
    return [*of_searches, *of_studies]


def stops(number: signal.Signals, cycles: int, seed: int) -> list[str]:
    """Stop runs at random moments, as often with each archive and transfer."""
    if not cycles:
        return []
    tallies: list[Tally] = []
    for place, (archive, transfer) in enumerate(PAIRS):
        share = cycles // len(PAIRS) + (place < cycles % len(PAIRS))
        if share:
            tallies.append(stop_at_random(archive, transfer, share, number, seed + place))
            last = tallies[-1]
            say(
                last.name,
                f"{last.cycles} times, {last.collections} collections, "
                f"slowest start {last.slowest_start:.1f} s, slowest end {last.slowest_end:.1f} s"
                + "".join(f"; {text}" for text in last.wrong),
            )
    wrong = [f"{each.name}: {text}" for each in tallies for text in each.wrong]
    say(f"{number.name} in all", f"{sum(each.cycles for each in tallies)} times")
    for label, word in (
        ("objects lost", "not retrieved"),
        ("duplicate rows", "duplicate"),
        ("partial files", "left over"),
    ):
        say(f"  {label}", str(sum(word in text for text in wrong)))
    return wrong


def disks(cycles: int, seed: int) -> list[str]:
    """Fill up small disks."""
    try:
        full = fill_up(cycles, seed)
    except PermissionError as err:
        say("disk full", f"not tried: {err}")
        return []
    say(
        "disk full",
        f"{full.cycles} times: {full.waited} waited and went on (slowest after "
        f"{full.slowest_resume:.1f} s), {full.ended} ended and were given again",
    )
    return [f"disk full: {text}" for text in full.wrong]


def network(offsets: int, seed: int) -> list[str]:
    """Cut, reset, drip and stall connections."""
    wrong: list[str] = []
    faults: Counter[str] = Counter()
    for place, transfer in enumerate(TRANSFERS):
        share = offsets // len(TRANSFERS) + (place < offsets % len(TRANSFERS))
        if not share:
            continue
        bad = bad_network(transfer, share, seed)
        faults += bad.faults
        kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(bad.faults.items()))
        say(
            bad.name,
            f"{kinds}: {bad.collections} collections in {bad.runs} runs, "
            f"threads {min(bad.threads)} to {max(bad.threads)}, "
            f"open files {min(bad.files)} to {max(bad.files)}",
        )
        wrong += [f"{bad.name}: {text}" for text in bad.wrong]
    say("network faults in all", str(faults.total()))
    return wrong


def say(label: str, text: str) -> None:
    print(f"{label:<60}  {text}", flush=True)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    for name, default, what in (
        ("scenarios", len(SCENARIOS), "scripted scenarios, the first so many"),
        ("histories", 20_000, "searches and studies of random PACS"),
        ("kills", 200, "SIGKILL at random moments"),
        ("terms", 50, "SIGTERM at random moments"),
        ("disks", 20, "disks that are full"),
        ("offsets", 200, "faults of the network, at random offsets"),
        ("seed", 1, "other seeds give other moments and offsets"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{what} ({default})")
    parser.add_argument("--only", default="", help="only scenarios whose name contains this")
    asked = parser.parse_args(arguments)
    if asked.only:
        asked.kills = asked.terms = asked.disks = asked.offsets = asked.histories = 0
    return asked


if __name__ == "__main__":
    sys.exit(main())
