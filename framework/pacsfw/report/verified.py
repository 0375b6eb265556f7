"""What a verification came to, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from pacsfw.report.grid import print_grid
from pacsfw.words import GOOD, VERDICTS, amount, printable


@dataclass(slots=True)
class Verified:
    """What came of a verification. Plain data, without any patient's identifiers."""

    files: int = 0
    bytes: int = 0
    conditions: dict[str, int] = field(default_factory=dict)
    """Stored objects by the condition of their files; those that are whole are not counted."""
    unknown: int = 0
    """Files in the archive that the ledger does not know."""
    asked: int = 0
    """Studies that the PACS was asked about."""
    unanswered: int = 0
    """Of them, those of which it said less than it had before."""
    grown: int = 0
    """Complete studies of which the PACS lists more now."""
    verdicts: Mapping[str, int] = field(default_factory=dict)
    flags: Mapping[str, int] = field(default_factory=dict)
    manifest: str = ""
    unknown_listed: str = ""
    """The file that names the unknown ones."""

    @property
    def is_good(self) -> bool:
        """Tell whether everything is whole, known and complete."""
        unfinished = any(n for state, n in self.verdicts.items() if state not in GOOD)
        return not (self.conditions or self.unknown or self.unanswered or unfinished)


def render(verified: Verified, console: Console) -> None:
    """Print what came of it."""
    rows = [(Text(label), Text(printable(value))) for label, value in _lines(verified)]
    print_grid(console, rows)


def _lines(verified: Verified) -> Iterator[tuple[str, str]]:
    conditions = verified.conditions
    yield "files read", amount(verified.files, verified.bytes)
    yield "damaged", f"{conditions.get('damaged', 0):,}"
    yield "gone", f"{conditions.get('missing', 0):,}"
    if unreadable := conditions.get("unreadable"):
        yield "not readable", f"{unreadable:,}"
    yield "unknown files", f"{verified.unknown:,}"
    if verified.unknown:
        yield "  listed in", verified.unknown_listed
    if verified.asked:
        yield "studies asked for", f"{verified.asked:,}"
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
