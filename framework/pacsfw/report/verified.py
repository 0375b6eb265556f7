"""The result of a verification, and its display."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from pacsfw.report.grid import print_grid
from pacsfw.words import GOOD, VERDICTS, amount, printable


@dataclass(slots=True)
class Verified:
    """The result of a verification. Plain data without patient identifiers."""

    files: int = 0
    bytes: int = 0
    conditions: dict[str, int] = field(default_factory=dict)
    """Damaged or missing instances by the condition of their files."""
    left_out: int = 0
    """Instances that were left out on purpose, and have no file."""
    unknown: int = 0
    """Files in the dataset folder that are not in the ledger."""
    asked: int = 0
    """Studies that were queried at the PACS."""
    unanswered: int = 0
    """Queried studies for which the PACS returned less than before."""
    edited_tables: Sequence[str] = ()
    """Tables whose rows are not those that the ledger says they have."""
    grown: int = 0
    """Complete studies for which the PACS now lists more."""
    verdicts: Mapping[str, int] = field(default_factory=dict)
    flags: Mapping[str, int] = field(default_factory=dict)
    manifest: str = ""
    unknown_listed: str = ""
    """The file that lists the unknown files."""

    @property
    def is_good(self) -> bool:
        """Whether everything is intact, known and complete."""
        unfinished = any(n for state, n in self.verdicts.items() if state not in GOOD)
        faults = self.conditions or self.edited_tables or self.unknown or self.unanswered
        return not (faults or unfinished)


def render(verified: Verified, console: Console) -> None:
    """Print the result."""
    rows = [(Text(label), Text(printable(value))) for label, value in _lines(verified)]
    print_grid(console, rows)


def _lines(verified: Verified) -> Iterator[tuple[str, str]]:
    conditions = verified.conditions
    yield "files read", amount(verified.files, verified.bytes)
    yield "damaged", f"{conditions.get('damaged', 0):,}"
    yield "missing", f"{conditions.get('missing', 0):,}"
    if unreadable := conditions.get("unreadable"):
        yield "unreadable", f"{unreadable:,}"
    if verified.left_out:
        yield "left out", f"{verified.left_out:,}"
    yield "unknown files", f"{verified.unknown:,}"
    if verified.unknown:
        yield "  listed in", verified.unknown_listed
    for name in verified.edited_tables:
        yield "edited table", name
    if verified.asked:
        yield "studies queried", f"{verified.asked:,}"
        yield "grown since", f"{verified.grown:,}"
    if verified.unanswered:
        yield "not answered", f"{verified.unanswered:,}"
    for flag, number in verified.flags.items():
        yield f"{flag} at the PACS", f"{number:,}"
    for state, words in VERDICTS.items():
        number = verified.verdicts.get(state, 0)
        if number or state == "complete":
            yield words, f"{number:,}"
    yield "manifest", verified.manifest
