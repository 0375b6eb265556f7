"""`pacsfw find` with criteria of one's own, and what it said and listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from pacsfw.testing import Logged, Study
from support.documented import Collected, rows

DOCUMENTED = """\
    start_date: "20200101"
    end_date: "20201212"
    modality: CT
"""


class Asked(Protocol):
    """A PACS that counts what it is asked."""

    @property
    def log(self) -> list[Logged]: ...


def criteria(*lines: str) -> dict[str, str]:
    """The changes that put these lines in place of the documented dates and modality."""
    return {DOCUMENTED: "".join(f"    {line}\n" for line in lines)}


def between(start: date, end: date, *lines: str) -> dict[str, str]:
    return criteria(f'start_date: "{start:%Y%m%d}"', f'end_date: "{end:%Y%m%d}"', *lines)


@dataclass(frozen=True)
class Come:
    """What came of one `pacsfw find`."""

    code: int
    said: str
    listed: frozenset[str]

    @property
    def proven(self) -> bool:
        """It says that it has everything."""
        return any(line.split() == ["coverage", "proven"] for line in self.said.splitlines())

    @property
    def names_doubts(self) -> bool:
        return "not proven" in self.said or "problem" in self.said


def look(collected: Collected, said: Callable[[], str]) -> Come:
    """Find in this process; ``said`` returns what was written to the screen since."""
    said()
    code = collected.run("find")
    return Come(code, said(), listed(collected))


def listed(collected: Collected) -> frozenset[str]:
    if not collected.resources.exists():
        return frozenset()
    found = [row["StudyInstanceUID"] for row in rows(collected.resources)]
    assert len(found) == len(set(found)), "a study is listed twice"
    return frozenset(found)


def assert_honest(come: Come, truth: Iterable[str]) -> None:
    """Everything and said to be so, or doubts that are named; never a study too many."""
    truth = frozenset(truth)
    assert come.listed <= truth
    assert (come.code == 0) == (come.proven and "problem" not in come.said)
    if come.code:
        assert come.code == 1
        assert come.names_doubts
    if come.proven:
        assert come.listed == truth


def of_modality(studies: Iterable[Study], modality: str) -> frozenset[str]:
    return frozenset(study.uid for study in studies if modality in study.modalities)


def dated(studies: Iterable[Study], first: str, last: str) -> list[Study]:
    return [study for study in studies if study.study_date and first <= study.study_date <= last]


def questions(pacs: Asked, level: str = "STUDY") -> list[Logged]:
    """The questions of a level, as the PACS logged them."""
    return [each for each in pacs.log if (each.service, each.level) == ("C-FIND", level)]
