"""Cohorts, tables of studies and patients to search for: their rows and the outcomes.

No message repeats a value, because a cohort names patients.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from pacsfw.api import Profile
from pacsfw.dicom.keys import normal
from pacsfw.dicom.levels import vr_of
from pacsfw.dicom.matching import has_wildcard
from pacsfw.durable import replacing, sync_folder
from pacsfw.errors import ConfigError, StateError
from pacsfw.steps.find.cohort_rows import Cells, CohortItem, keyed
from pacsfw.steps.find.filters import matches_text, may_send

Fate: TypeAlias = Literal["found", "missing", "ambiguous", "duplicate"]

_HEADER = ("row", "line", "outcome", "studies", "StudyInstanceUID")


@dataclass(frozen=True, slots=True)
class Member:
    """One row of a cohort.

    ``number`` counts the rows from 1, without the header; ``where`` is ``cohort.csv:7``.
    ``keys`` maps keywords of patient and study to matching values, which must all match.
    ``duplicate_of`` is the number of an earlier row with the same keys, or 0.
    """

    number: int
    where: str
    keys: Mapping[str, str]
    duplicate_of: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a row; an ambiguous one also has its studies, for the user to choose."""

    member: Member
    fate: Fate
    uids: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        """The outcome as text."""
        if self.fate == "duplicate":
            return f"duplicate of row {self.member.duplicate_of}"
        return self.fate


def read(rows: Iterable[CohortItem]) -> list[Member]:
    """Return every row of a cohort; `pacsfw.api.Cohort` says what its columns are.

    Raises
    ------
    ConfigError
        One message per wrong row or column, ``cohort.csv:7: ...``; or there is no row.
    RemoteError, ComponentError
        As its source raises them.
    """
    faults: list[str] = []
    members: list[Member] = []
    first: dict[tuple[tuple[str, str], ...], int] = {}
    for number, (where, cells) in enumerate(keyed(rows, faults), start=1):
        keys, wrong = _keys(cells)
        faults += [f"{where}: {why}" for why in wrong]
        identity = tuple(sorted(keys.items()))
        members.append(Member(number, where, keys, first.get(identity, 0)))
        first.setdefault(identity, number)
    if faults:
        raise ConfigError(*faults)
    if not members:
        raise ConfigError("find.cohort: has no row")
    return members


def _keys(cells: Cells) -> tuple[dict[str, str], list[str]]:
    """Return the matching values of a row and its errors."""
    keys: dict[str, str] = {}
    wrong: list[str] = []
    for keyword, cell in cells.items():
        try:
            keys[keyword] = normal(vr_of(keyword), cell)
        except ValueError as err:
            wrong.append(f"{keyword} {err}")
        else:
            if not cell.strip("*"):
                wrong.append(f"{keyword} is only a wildcard; leave the cell empty")
    if not cells:
        wrong.append("every cell is empty")
    return keys, wrong


def match_keys(member: Member, profile: Profile) -> dict[str, str]:
    """Return the keys of a row that a STUDY query may contain; see `filters.may_send`.

    StudyDate and StudyTime are not among them: the planner sets these itself.
    """
    return {
        keyword: value
        for keyword, value in member.keys.items()
        if may_send(keyword, value, profile)
    }


def accepts(member: Member, attributes: Mapping[str, str]) -> bool:
    r"""Return whether a study matches every key of the row.

    Names are compared without case and accents. An absent or empty attribute matches no key.

    Parameters
    ----------
    attributes
        Keyword to text, ``\`` between several values.
    """
    return all(
        matches_text(keyword, value, attributes.get(keyword, ""), fold=vr_of(keyword) == "PN")
        for keyword, value in member.keys.items()
    )


def judge(member: Member, studies: Iterable[Mapping[str, str]]) -> Outcome:
    """Return the outcome of a row.

    A row is ambiguous if it names a study (by StudyInstanceUID or AccessionNumber, without
    wildcards) and more than one matches, or if it names no patient and the studies that
    match belong to more than one PatientID.

    Parameters
    ----------
    studies
        The attributes of the studies that it accepts; a study may occur several times.
    """
    if member.duplicate_of:
        return Outcome(member, "duplicate")
    found = {study["StudyInstanceUID"]: study for study in studies}
    if not found:
        return Outcome(member, "missing")
    uids = tuple(found)
    names_study = _names(member, "StudyInstanceUID") or _names(member, "AccessionNumber")
    patients = {study.get("PatientID", "").strip() for study in found.values()}
    is_ambiguous = (names_study and len(uids) > 1) or (
        not _names(member, "PatientID") and len(patients) > 1
    )
    return Outcome(member, "ambiguous" if is_ambiguous else "found", uids)


def _names(member: Member, keyword: str) -> bool:
    value = member.keys.get(keyword)
    return value is not None and not has_wildcard(vr_of(keyword), value)


def write_outcomes(path: Path, outcomes: Sequence[Outcome]) -> None:
    r"""Write a CSV with one line per row of the cohort, durably, or leave the file unchanged.

    The columns are ``row``, ``line`` (``cohort.csv:7``), ``outcome``, ``studies`` (how
    many) and ``StudyInstanceUID`` (all of them, ``\`` between). The file has mode 0600.

    Raises
    ------
    StateError
        It cannot be written.
    """
    try:
        with replacing(path) as file:
            file.write(_encoded(outcomes))
        sync_folder(path.parent)
    except OSError as err:
        raise StateError(f"{path}: cannot be written: {err.strerror}") from err


def _encoded(outcomes: Iterable[Outcome]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    for each in outcomes:
        line = (each.member.number, each.member.where, each.in_words, len(each.uids))
        writer.writerow((*line, "\\".join(each.uids)))
    return text.getvalue().encode()
