"""The closing table of `pacsfw parse`, and the exit code that goes with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from pacsfw.report.grid import print_grid
from pacsfw.words import printable

REASONS_SHOWN = 10
"""Maximum number of reasons listed per kind; the rest is counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ParseSummary:
    """The result of a parse: files = rows + harmless + failed. Holds no value of an instance."""

    files: int = 0
    rows: int = 0
    harmless: Mapping[str, int] = field(default_factory=dict)
    """Files that rightly have no row, by reason."""
    failed: Mapping[str, int] = field(default_factory=dict)
    """Files that should have a row but have none, by reason."""
    folders: Mapping[str, int] = field(default_factory=dict)
    """Folders that were not read, by reason."""
    cells: Mapping[str, int] = field(default_factory=dict)
    """Cells left empty because of a failure, by column and reason."""
    faulty: Mapping[str, int] = field(default_factory=dict)
    """Rows of files whose header is damaged, by reason."""
    odd: Mapping[str, int] = field(default_factory=dict)
    """Rows of irregular files, by kind."""
    duplicates: int = 0
    """Instances whose SOP Instance UID an earlier row has."""
    tables: Sequence[tuple[str, str]] = ()
    """(contents, file or URL) of each table."""
    problems: Sequence[str] = ()
    """Other problems, as complete messages."""

    @property
    def exit_code(self) -> int:
        """0 if every DICOM file has its row, read to its end, else 1."""
        return 1 if self.failed or self.faulty or self.folders or self.problems else 0


def render(summary: ParseSummary, console: Console) -> None:
    """Print the table: coloured on a terminal, aligned plain lines elsewhere."""
    print_grid(
        console, [(Text(a, style=style), Text(b, style=style)) for a, b, style in _lines(summary)]
    )


def _lines(summary: ParseSummary) -> Iterator[tuple[str, str, str]]:
    yield "files", f"{summary.files:,}", ""
    yield "rows", f"{summary.rows:,}", ""
    yield from _counted("without a row", {**summary.harmless}, "")
    yield from _counted("failed", summary.failed, "red")
    yield from _counted("folders not read", summary.folders, "red")
    yield from _counted("rows of damaged files", summary.faulty, "red")
    yield from _counted("cells left empty", summary.cells, "yellow")
    yield from _counted("irregular files", summary.odd, "yellow")
    if summary.duplicates:
        text = f"{summary.duplicates:,} x the SOP Instance UID of an earlier row"
        yield "duplicates", text, "yellow"
    for problem in summary.problems:
        yield "problem", printable(problem), "red"
    for holds, target in summary.tables:
        yield "table" if holds == "instances" else holds, target, ""


def _counted(label: str, reasons: Mapping[str, int], style: str) -> Iterator[tuple[str, str, str]]:
    if not reasons:
        return
    yield label, f"{sum(reasons.values()):,}", style
    ordered = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))
    for reason, number in ordered[:REASONS_SHOWN]:
        yield f"  {number:,} x", printable(reason), "dim"
    if len(ordered) > REASONS_SHOWN:
        rest = sum(number for _, number in ordered[REASONS_SHOWN:])
        yield f"  {rest:,} x", "other reasons", "dim"
