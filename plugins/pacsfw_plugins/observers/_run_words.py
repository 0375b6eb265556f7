"""The result of a run for mails and programs: numbers only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pacsfw import api
from pacsfw.errors import INTERRUPTED
from pacsfw.words import VERDICTS, amount, count

_ENDINGS = {
    0: "everything is complete",
    1: "finished, but not everything is complete",
    2: "aborted: a file, a folder or the configuration cannot be used",
    3: "aborted: a plugin is missing or broken",
    4: "aborted: the PACS cannot be reached, or refuses the request",
    INTERRUPTED: "interrupted",
}


def ending(exit_code: int) -> str:
    """Return in words how a run ended."""
    return _ENDINGS.get(exit_code, f"aborted (exit code {exit_code})")


def lines(event: api.RunFinished) -> Iterator[str]:
    """Yield the numbers as lines of a label and a value."""
    if event.found:
        yield f"studies found: {event.found:,}"
    if event.unproven:
        yield f"not proven: {count(event.unproven, 'part')}"
    for state, words in VERDICTS.items():
        if number := event.counts.get(state):
            yield f"{words}: {number:,}"
    yield f"stored: {amount(event.instances, event.size)}"
    if event.left_out:
        yield f"left out: {event.left_out:,}"
    if event.quarantined:
        yield f"quarantined: {event.quarantined:,}"
    for state, number in event.converted.items():
        yield f"conversions {state}: {number:,}"
    if event.problems:
        yield f"problems: {event.problems:,}"


def numbers(event: api.RunFinished) -> dict[str, Any]:
    """Return the numbers for JSON."""
    return {
        "exit_code": event.exit_code,
        "ending": ending(event.exit_code),
        "found": event.found,
        "unproven": event.unproven,
        "studies": dict(event.counts),
        "instances": event.instances,
        "bytes": event.size,
        "left_out": event.left_out,
        "quarantined": event.quarantined,
        "converted": dict(event.converted),
        "problems": event.problems,
    }
