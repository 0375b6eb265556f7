"""The closing table of a run, and the exit code that goes with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from pacsfw.report.grid import print_grid
from pacsfw.words import GOOD, VERDICTS, amount, count, printable

REASONS_SHOWN = 10
"""Maximum number of reasons listed per kind; the rest is counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The state of a collection. Plain data without patient identifiers."""

    found: int = 0
    """Studies found by `find`."""
    questions: Mapping[str, int] = field(default_factory=dict)
    """Queries of the last search, by level."""
    unproven: Sequence[tuple[str, str]] = ()
    """(part, reason) of each part of the search that is not proven."""
    deselected: int = 0
    """Studies found that the user removed from the study list."""
    verdicts: Mapping[str, int] = field(default_factory=dict)
    """Studies on the study list by verdict state, ``pending`` for those without a verdict."""
    reasons: Sequence[tuple[str, str, int]] = ()
    """(verdict state, reason, studies) of the verdicts with a reason."""
    comments: Sequence[tuple[str, str, str, int]] = ()
    """(verdict state, reason, what the PACS said, studies). It may name a patient."""
    series: Mapping[str, int] = field(default_factory=dict)
    """Known series of these studies by verdict state."""
    instances: int = 0
    """Instances in the dataset folder."""
    size: int = 0
    """Their bytes."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Instances that were left out on purpose, by reason."""
    quarantined: Mapping[str, int] = field(default_factory=dict)
    """Instances in quarantine, by reason."""
    cell_errors: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Cells left empty because of a failure, by (column, reason)."""
    converted: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By converter: its items ``done``, ``skipped`` and ``failed``, its ``files``, and the
    studies with items that are ``due``."""
    conversion_reasons: Sequence[tuple[str, str, str, int]] = ()
    """(converter, state, reason, items) of the items that were not converted."""
    archive: str = ""
    """The dataset folder."""
    quarantine: str = ""
    """Folder of the quarantined instances; shown if there are any."""
    study_list: str = ""
    """File or URL of the study list."""
    tables: Sequence[str] = ()
    """Files or URLs of the tables."""
    error_tables: Sequence[str] = ()
    """Files that list each failure; set if there are failures."""
    problems: Sequence[str] = ()
    """Problems other than verdicts, such as a failed sink, as complete messages."""
    faults: Sequence[tuple[str, str, str, int]] = ()
    """(kind, component, reason, count) of components that failed in the last run."""
    notes: Sequence[str] = ()
    """Information that is not a failure, as complete messages."""

    @property
    def exit_code(self) -> int:
        """0 if the search is proven and every listed study is complete, else 1.

        All conversions must be done as well. Empty cells do not count: every file is there, and
        the table of errors says what is missing.
        """
        unfinished = any(n for state, n in self.verdicts.items() if state not in GOOD)
        unconverted = any(each.get("due") for each in self.converted.values())
        return 1 if unfinished or unconverted or self.problems or self.unproven else 0


@dataclass(frozen=True, slots=True)
class _Line:
    label: str
    value: str
    style: str = ""
    indent: bool = False


def render(summary: Summary, console: Console) -> None:
    """Print the closing table: coloured on a terminal, aligned plain lines elsewhere."""
    print_grid(console, [_cells(line) for line in _lines(summary)])


def _cells(line: _Line) -> tuple[Text, Text]:
    label, style = (f"  {line.label}", "dim") if line.indent else (line.label, line.style)
    return Text(label, style=style), Text(line.value, style=style)


def _lines(summary: Summary) -> Iterator[_Line]:
    removed = f" ({summary.deselected:,} removed from the study list)" if summary.deselected else ""
    yield _Line("studies found", f"{summary.found:,}{removed}")
    yield from _coverage(summary)
    listed = sum(summary.verdicts.values())
    if summary.verdicts and listed != summary.found:
        yield _Line("on the list", f"{listed:,}")
    yield from _verdicts(summary)
    yield _Line("stored", amount(summary.instances, summary.size))
    if summary.left_out:
        yield _Line("left out", f"{sum(summary.left_out.values()):,}")
        yield from _details(list(summary.left_out.items()))
    if summary.quarantined:
        yield _Line("quarantined", f"{sum(summary.quarantined.values()):,}", "yellow")
        yield from _details(list(summary.quarantined.items()))
    if summary.cell_errors:
        yield _Line("cells left empty", f"{sum(summary.cell_errors.values()):,}", "yellow")
        yield from _details(
            [(f"{column}: {reason}", n) for (column, reason), n in summary.cell_errors.items()]
        )
    yield from _converted(summary)
    for problem in summary.problems:
        yield _Line("problem", printable(problem), "red")
    yield from _faults(summary.faults)
    for note in summary.notes:
        yield _Line("note", printable(note))
    if summary.archive:
        yield _Line("files", summary.archive)
    if summary.quarantined:
        yield _Line("quarantine", summary.quarantine)
    if summary.study_list:
        yield _Line("list", summary.study_list)
    for table in summary.tables:
        yield _Line("table", table)
    for table in summary.error_tables:
        yield _Line("errors", table)


def _faults(faults: Sequence[tuple[str, str, str, int]]) -> Iterator[_Line]:
    for kind, component, reason, number in faults[:REASONS_SHOWN]:
        times = f" ({number:,} x)" if number > 1 else ""
        yield _Line("fault", printable(f"{kind} {component}: {reason}{times}"), "yellow")
    if len(faults) > REASONS_SHOWN:
        more = f"{len(faults) - REASONS_SHOWN:,} more: pacsfw plugins doctor -f"
        yield _Line("...", more, indent=True)


def _coverage(summary: Summary) -> Iterator[_Line]:
    if summary.questions:
        yield _queries(summary)
    if summary.unproven:
        yield from _unproven(summary.unproven)
    elif summary.questions:
        yield _Line("coverage", "proven", "green")


def _queries(summary: Summary) -> _Line:
    series = summary.questions.get("SERIES", 0)
    others = sum(summary.questions.values()) - series
    of_series = f", and {series:,} for series" if series else ""
    return _Line("queries", f"{others:,}{of_series}")


def _unproven(parts: Sequence[tuple[str, str]]) -> Iterator[_Line]:
    yield _Line("not proven", count(len(parts), "part"), "red")
    for part, reason in parts[:REASONS_SHOWN]:
        yield _Line(printable(part), printable(reason), indent=True)
    if len(parts) > REASONS_SHOWN:
        yield _Line("...", f"{len(parts) - REASONS_SHOWN:,} more", indent=True)


def _verdicts(summary: Summary) -> Iterator[_Line]:
    for state, words in VERDICTS.items():
        studies = summary.verdicts.get(state, 0)
        # "complete 0" and "short 0" are information; rarer verdicts are shown only if they occur.
        if studies or (summary.verdicts and state in ("complete", "short", "failed")):
            attention = "red" if studies and state not in GOOD else ""
            yield _Line(words, f"{studies:,}", "green" if state in GOOD else attention)
            yield from _details([(why, n) for of, why, n in summary.reasons if of == state])
            said = [(words, n) for of, _, words, n in summary.comments if of == state]
            yield from _details([(f"the PACS says: {words}", n) for words, n in said])


def _converted(summary: Summary) -> Iterator[_Line]:
    for converter, counts in summary.converted.items():
        parts = [f"{count(counts.get('done', 0), 'item')}, {count(counts['files'], 'file')}"]
        parts += [
            f"{counts[state]:,} {state}" for state in ("skipped", "failed") if counts.get(state)
        ]
        if counts["due"] and not counts.get("failed"):
            parts.append(f"{count(counts['due'], 'study')} not done")
        yield _Line(f"converted {converter}", ", ".join(parts), "red" if counts["due"] else "")
        yield from _details(
            [
                (f"{state}: {why}", n)
                for of, state, why, n in summary.conversion_reasons
                if of == converter
            ]
        )


def _details(reasons: Sequence[tuple[str, int]]) -> Iterator[_Line]:
    ordered = sorted(reasons, key=lambda each: (-each[1], each[0]))
    for reason, number in ordered[:REASONS_SHOWN]:
        yield _Line(f"{number:,} x", printable(reason), indent=True)
    if len(ordered) > REASONS_SHOWN:
        rest = sum(number for _, number in ordered[REASONS_SHOWN:])
        yield _Line(f"{rest:,} x", "other reasons", indent=True)
