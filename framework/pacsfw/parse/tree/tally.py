"""Count files by outcome. The counts add up: files = rows + files without a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pacsfw.dicom.cell_errors import CellError, Stage
from pacsfw.parse.tree.file_reader import CRASHED, HARMLESS, Parsed, Unparsed
from pacsfw.parse.tree.walk import Item
from pacsfw.workers import Crashed


@dataclass(slots=True)
class Tally:
    """Counts, which the state of a parse records as JSON."""

    files: int = 0
    rows: int = 0
    harmless: Counter[str] = field(default_factory=Counter)
    """Files that are expected to have no row, by kind."""
    failed: Counter[str] = field(default_factory=Counter)
    """The other files without a row, by reason."""
    folders: Counter[str] = field(default_factory=Counter)
    """Folders that were not read, by reason; they do not count as files."""
    cells: Counter[str] = field(default_factory=Counter)
    """Cells that failed, by column and reason."""
    faulty: Counter[str] = field(default_factory=Counter)
    """Rows of files whose header is damaged, by reason."""
    odd: Counter[str] = field(default_factory=Counter)
    """Rows of irregular files, by kind."""
    duplicates: int = 0
    """Instances whose SOP Instance UID an earlier row has, whether they have a row or not."""

    blank: list[int] | None = None
    """The columns that have no value in any row, by number; None before the first row."""
    emptied: Counter[str] = field(default_factory=Counter)
    """Cells that a component failed to make, by column and component."""

    def count(self, item: Item, outcome: Parsed | Unparsed | Crashed) -> None:
        """Count one outcome."""
        if isinstance(outcome, Parsed):
            self.files += 1
            self.rows += 1
            blank = range(len(outcome.row)) if self.blank is None else self.blank
            self.blank = [number for number in blank if outcome.row[number] is None]
            for error in outcome.errors:
                if error.stage == "irregular":
                    continue
                self.cells[f"{error.column or error.tag}: {error.reason}"] += 1
                if error.plugin and error.stage in ("callback", "type"):
                    self.emptied[f"{error.column}: {error.plugin}"] += 1
            if outcome.fault:
                self.faulty[outcome.fault] += 1
            self.odd.update(outcome.odd)
            return
        kind, reason = kind_and_reason(outcome)
        if not item.is_file:
            self.folders[reason] += 1
            return
        self.files += 1
        if kind in HARMLESS:
            self.harmless[kind] += 1
        else:
            self.failed[reason] += 1

    def emptied_by(self, columns: Sequence[str]) -> list[str]:
        """Return a problem for each of these columns without a value, because of a component."""
        blank = {columns[number] for number in self.blank or ()}
        found = (each.partition(": ") for each in self.emptied)
        return [
            f"column {column}: has no value in any row, because {component} failed"
            for column, _, component in found
            if column in blank
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the counts for JSON."""
        counts = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: dict(each) if isinstance(each, Counter) else each for name, each in counts.items()
        }

    @classmethod
    def of_json(cls, tree: Mapping[str, Any]) -> Tally:
        """Return the tally of `as_json`."""
        counts: dict[str, Any] = {
            name: Counter(each) if isinstance(each, dict) else each for name, each in tree.items()
        }
        return cls(**counts)


def errors_of(item: Item, outcome: Parsed | Unparsed | Crashed) -> Sequence[CellError]:
    """Return the errors: of cells, or of the complete file or folder."""
    if isinstance(outcome, Parsed):
        return outcome.errors
    stage: Stage = "file" if item.is_file else "folder"
    reason = str(outcome) if isinstance(outcome, Crashed) else outcome.reason
    return [CellError.of_row(stage, reason)]


def kind_and_reason(outcome: Unparsed | Crashed) -> tuple[str, str]:
    """Return the kind and reason of an outcome without a row."""
    if isinstance(outcome, Crashed):
        return CRASHED, str(outcome)
    return outcome.kind, outcome.reason
