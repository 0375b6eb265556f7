"""Random PACS answer the real planner, and the word "proven" must never be false.

The fault model. A *history* is a PACS with some studies, its faults, and one search. Each fault
is there or not, at random:

* a limit of rows of at least 2, the same for all queries of a level, silent, FE00, A700, B000 or
  B001; the rows come in one order or another;
* studies without a date, with an empty one, with a date that is none, with a dotted date; studies
  without a time;
* ranges without a beginning find studies with an empty date, or only some of them;
* ranges of more than N days (of any length: N = 1) find nothing, and that is a success;
* ranges leave out their first or their last day;
* ranges of more than N days are refused;
* matching keys are ignored;
* studies arrive between two queries (those of the beginning are the ones that count);
* every answer, or only the empty ones, end with a warning;
* queries with certain optional return keys are refused, with or without their names;
* a cohort names accession numbers that exist and others; the PACS may find nothing by them;
* the PACS is empty. Otherwise it has studies of other years: where an answer is the largest that a
  PACS could give, nothing proves it.

Rows that come with the final status are rows for the planner: `_cfind` has its own test.

`play` raises nothing: it returns what is wrong. Where there is no fault, and there is a study to
be seen, the word must be "proven".
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from pathlib import Path

from pacsfw.api import Query, QueryProvider, QueryResult, QueryRow
from pacsfw.errors import ComponentError, RemoteError
from pacsfw.plugins.pacs_query import PacsQuery
from pacsfw.steps.find.cohort import Member
from pacsfw.steps.find.criteria import Criteria
from support.archive import Archive, Came, looked_for, study

FIRST = date(2020, 1, 1)
ODD_DATES = ("2020", "20201399", "0095.07.24", "2020.06.15", "00000000")


@dataclass
class Faults:
    """What is wrong in one history; the defaults are a PACS without a fault."""

    cap: int | None = None
    cap_status: int = 0
    turned: bool = False
    odd_dates: bool = False
    undated: bool = False
    open_ranges: bool = False
    some_undated: bool = False
    longest_range: int | None = None
    refused_range: int | None = None
    leaves_out: str = ""
    ignores: frozenset[str] = frozenset()
    grows: bool = False
    warns: int = 0
    warns_if_empty: bool = False
    refuses: frozenset[str] = frozenset()
    names_refused: bool = False
    blind_to: str = ""
    empty: bool = False


ARRIVALS = 6
"""Maximum number of studies that arrive in a history."""

HARMLESS = {"turned", "open_ranges", "names_refused", "cap_status", "leaves_out"}
"""Not faults by themselves."""


class RandomPacs(Archive):
    """An `Archive` with the other faults of the model."""

    def __init__(self, rows: Sequence[Mapping[str, str]], faults: Faults, random_: random.Random):
        super().__init__(
            rows[::-1] if faults.turned else rows,
            faults.cap,
            faults.cap_status,
            faults.ignores,
            faults.open_ranges,
            faults.leaves_out,
            longest_range=faults.longest_range,
        )
        self._faults, self._random, self._left = faults, random_, ARRIVALS

    def put(self, question: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
        faults = self._faults
        if faults.grows and self._left and self._random.random() < 0.2:
            self._left -= 1
            day = FIRST + timedelta(days=self._random.randrange(366))
            new = study(f"9.{len(self.rows)}", StudyDate=f"{day:%Y%m%d}")
            self.rows = [new, *self.rows] if self._random.random() < 0.5 else [*self.rows, new]
        refused = sorted(faults.refuses & set(question.returns))
        if refused:
            named = tuple(refused[:1]) if faults.names_refused else ()
            return QueryResult(
                complete=False, status_text="A900", status=0xA900, refused_keys=named
            )
        if self._is_refused(question):
            return QueryResult(complete=False, status_text="A700", status=0xA700)
        count = 0

        def counting(found: QueryRow) -> None:
            nonlocal count
            count += 1
            emit(found)

        answer = super().put(question, counting)
        warns = faults.warns and (not count or not faults.warns_if_empty)
        if answer.complete and warns:
            return QueryResult(
                complete=False, status_text=f"{faults.warns:04X}", status=faults.warns
            )
        return answer

    def _is_refused(self, question: Query) -> bool:
        first, _, last = question.match.get("StudyDate", "").partition("-")
        if self._faults.refused_range is None or not (first and last):
            return False
        begin, end = (date(int(day[:4]), int(day[4:6]), int(day[6:])) for day in (first, last))
        return (end - begin).days + 1 > self._faults.refused_range

    def _matches(self, question: Query, row: Mapping[str, str]) -> bool:
        if self._faults.blind_to in question.match:
            return False
        dates = question.match.get("StudyDate", "")
        if dates and row.get("Lacks") == "StudyDate":
            return False
        if dates and row["StudyDate"] in ODD_DATES:
            # No query finds it for certain: a PACS may keep no such date, or compare the text.
            return row["StudyDate"] == dates
        return super()._matches(question, row)


class Provided(QueryProvider):
    """The PACS behind `PacsQuery`, through which every query of the product goes."""

    def __init__(self, pacs: RandomPacs) -> None:
        self._pacs = pacs

    def ask(self, query: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
        return self._pacs.put(query, emit)


@dataclass
class Played:
    """What came of one history."""

    seed: int
    faults: list[str]
    proven: bool
    failed: bool = False
    wrong: str = ""


def play(seed: int) -> Played:
    """Play the history of a seed; it is always the same one."""
    chance = random.Random(seed)
    faults = _faults(chance)
    rows = [] if faults.empty else _studies(chance, faults)
    criteria, wanted = _wanted(chance, rows, faults)
    pacs = RandomPacs(rows, faults, chance)
    there = sorted(
        each.name
        for each in fields(faults)
        if getattr(faults, each.name) != each.default and each.name not in HARMLESS
    )
    if criteria.undated:
        there.append("undated is asked for")
    with tempfile.TemporaryDirectory(dir=_memory()) as state:
        try:
            came = looked_for(PacsQuery(Provided(pacs), "random"), criteria, Path(state))
        except ComponentError:
            return Played(seed, there, proven=False, failed=True, wrong="too many queries")
        except RemoteError:
            return Played(seed, there, proven=False, failed=True, wrong="" if there else "an error")
    # They may be found, and need not.
    late = {uid for uid in came.uids if uid.startswith("9.")}
    odd = late | {row["StudyInstanceUID"] for row in rows if row["StudyDate"] in ODD_DATES}
    return Played(seed, there, not _doubts(came), wrong=_wrong(came, wanted, odd, there))


def play_all(count: int, seed: int = 1) -> tuple[Counter[str], list[str]]:
    """Play many histories; return figures, and what is wrong."""
    figures: Counter[str] = Counter()
    wrong: list[str] = []
    for number in range(count):
        played = play(seed * 1_000_003 + number)
        figures["histories"] += 1
        figures["proven"] += played.proven
        figures["ended with an error"] += played.failed
        figures["without a fault"] += not played.faults
        figures["without a fault and proven"] += played.proven and not played.faults
        if played.wrong:
            wrong.append(f"history {played.seed} ({', '.join(played.faults)}): {played.wrong}")
    figures["wrong"] = len(wrong)
    return figures, wrong


def _doubts(came: Came) -> bool:
    return bool(came.unproven or came.problems)


def _wrong(came: Came, wanted: frozenset[str], odd: set[str], faults: list[str]) -> str:
    if came.uids - wanted - odd:
        return "studies that were not looked for"
    if not _doubts(came) and wanted - came.uids:
        return f"FALSELY proven: {len(wanted - came.uids)} of {len(wanted)} studies are missing"
    if not faults and _doubts(came):
        return f"not proven without a fault: {[*came.unproven, *came.problems][0][-1]}"
    return ""


def _faults(chance: random.Random) -> Faults:
    some = chance.choice([0.0, 0.0, 0.08, 0.2])

    def there() -> bool:
        return chance.random() < some

    faults = Faults(turned=chance.random() < 0.5, open_ranges=chance.random() < 0.3)
    if some and chance.random() < 0.3:
        faults.cap = chance.choice([2, 3, 5, 10, 17])
        faults.cap_status = chance.choice([0, 0, 0, 0xFE00, 0xA700, 0xB000, 0xB001])
    faults.odd_dates, faults.undated, faults.some_undated = there(), there(), there()
    faults.longest_range = chance.choice([1, 2, 7, 31, 60]) if there() else None
    faults.refused_range = chance.choice([1, 2, 7, 31, 60]) if there() else None
    faults.leaves_out = chance.choice(["first", "last"]) if there() else ""
    keys = ["StudyDate", "StudyTime", "PatientID", "AccessionNumber"]
    faults.ignores = frozenset(key for key in keys if there())
    faults.grows = there()
    if there():
        faults.warns = chance.choice([0x0001, 0x0107, 0x0116, 0xB000, 0xB00A])
        faults.warns_if_empty = chance.random() < 0.3
    optional = ["ModalitiesInStudy", "NumberOfStudyRelatedInstances", "StudyDescription"]
    faults.refuses = frozenset(key for key in optional if there())
    faults.names_refused = chance.random() < 0.5
    faults.blind_to = "AccessionNumber" if there() else ""
    faults.empty = there() and chance.random() < 0.3
    return faults


def _studies(chance: random.Random, faults: Faults) -> list[dict[str, str]]:
    rows = []
    count = chance.choice([1, 2, 5, 20, 60])
    for number in range(count):
        # Some days have many studies, and there are studies in other years.
        day = chance.choice([chance.randrange(366), chance.randrange(900), 182, 182])
        when = f"{FIRST + timedelta(days=day - 200 * (day > 365)):%Y%m%d}"
        if faults.undated and chance.random() < 0.15:
            when = ""
        if faults.odd_dates and chance.random() < 0.15:
            when = chance.choice(ODD_DATES)
        time = "" if faults.undated and chance.random() < 0.1 else f"{chance.randrange(86400)}"
        clock = (
            f"{int(time) // 3600:02}{int(time) // 60 % 60:02}{int(time) % 60:02}" if time else ""
        )
        row = study(f"1.{number}", StudyDate=when, StudyTime=clock, PatientID=f"P{number % 9}")
        if not when and (faults.some_undated or not faults.open_ranges) and chance.random() < 0.5:
            row["Lacks"] = "StudyDate"
        rows.append(row)
    return [
        *rows,
        *(
            study(f"8.{n}", StudyDate=f"2017{n % 12 + 1:02}{n // 12 + 1:02}")
            for n in range(count + 1)
        ),
    ]


def _wanted(
    chance: random.Random, rows: Sequence[Mapping[str, str]], faults: Faults
) -> tuple[Criteria, frozenset[str]]:
    """Return criteria, and the studies that they mean."""
    first = FIRST + timedelta(days=chance.choice([0, 0, 181, 182, chance.randrange(300)]))
    last = first + timedelta(days=chance.choice([0, 1, 6, 31, 90, 365, 365, 500]))
    # Without long ranges, undated studies cost thousands of queries for 150 years.
    short = faults.refused_range or faults.longest_range
    undated = chance.random() < 0.15 and not short
    members: list[Member] = []
    if chance.random() < 0.25:
        numbers = [f"A1.{chance.randrange(70)}" for _ in range(chance.randint(1, 4))]
        members = [
            Member(place, f"c.csv:{place + 1}", {"AccessionNumber": number})
            for place, number in enumerate(dict.fromkeys(numbers), start=1)
        ]
    criteria = Criteria(
        start=first, end=last, modality="", search_fields=("StudyDescription",), undated=undated,
        members=members, has_cohort=bool(members),
    )  # fmt: skip
    meant = {member.keys["AccessionNumber"] for member in members}
    return criteria, frozenset(
        row["StudyInstanceUID"]
        for row in rows
        if _in_time(row["StudyDate"], first, last, undated=undated)
        and (not members or row["AccessionNumber"] in meant)
    )


def _in_time(text: str, first: date, last: date, *, undated: bool) -> bool:
    if text in ("", "2020", "20201399", "00000000"):
        return undated and not text
    # A dotted date is one, but no query is certain to find it.
    return f"{first:%Y%m%d}" <= text <= f"{last:%Y%m%d}" and text not in ODD_DATES


def _memory() -> str | None:
    """Return a folder in memory, if there is one: each history has a ledger."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


__all__ = ["Faults", "Played", "play", "play_all"]
