"""Which matching keys are honoured and which are ignored, and how they are matched.

The experiment is always the same: a query for one study with one additional key. With the
value of the study, it must be found; with another value, it must not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from pydicom.datadict import dictionary_VR

from pacsfw.dicom.matching import matches
from pacsfw.probe.findings import Findings
from pacsfw.probe.prober import UID, Prober, Reply, Row
from pacsfw.probe.sample import MATCHING, with_modalities

_STUDIES = 3
"""Maximum number of sample studies to test per key."""
_ROWS = 50
_PLAIN = re.compile(r"[^*?\x00-\x1f]+")
_TIME = re.compile(r"(?:[01]\d|2[0-3])(?:[0-5]\d){1,2}(?:\.\d{1,6})?")
_FIRST_YEAR = 1901
_MODALITIES = ("XA", "MG", "NM", "US")
_SEXES = ("O", "F", "M")
_WILD = ("PatientID", "PatientName", "AccessionNumber", "StudyDescription")
_WITH_CASE = ("PatientName", "AccessionNumber")
_RANGED = ("StudyDate", "StudyTime")


def values_of(row: Row, keyword: str) -> list[str]:
    """Return the values of an attribute that can be used as a key: plain ASCII."""
    vr = dictionary_VR(keyword)
    fits = _is_day if vr == "DA" else _TIME.fullmatch if vr == "TM" else _PLAIN.fullmatch
    return [value for value in _values(row, keyword) if value.isascii() and fits(value)]


def is_match(row: Row, keyword: str, key: str) -> bool:
    """Return whether a row matches a key (PS3.4 C.2.2.2), ignoring the case of names."""
    return matches(dictionary_VR(keyword), key, _values(row, keyword), fold=True)


@dataclass(frozen=True, slots=True)
class _Proof:
    """How a key was proven honoured: the study, the other keys, the value."""

    row: Row
    base: Mapping[str, str]
    own: str


class KeyExperiments:
    """The experiments on a sample of studies; the results go to the findings."""

    def __init__(self, prober: Prober, sample: Sequence[Row], findings: Findings) -> None:
        self._prober, self._sample, self._findings = prober, sample, findings
        self._proofs: dict[str, _Proof] = {}

    def run(self) -> None:
        """Run all experiments."""
        self._sample, problem = self._usable()
        for keyword in MATCHING:
            if problem:
                self._findings.note("match", keyword, None, problem)
            else:
                self._match(keyword)
        for keyword in _WILD:
            self._wildcard(keyword)
        for keyword in _RANGED:
            self._range(keyword)
        for keyword in _WITH_CASE:
            self._case(keyword)

    def _usable(self) -> tuple[list[Row], str]:
        """Return the sample if its studies can be queried by UID, otherwise the problem."""
        problem = "there is no study to query"
        for row in self._sample[:_STUDIES]:
            reply = self._put(self._prober.about(row))
            if reply.is_clear and len(reply.rows) == 1 and reply.has(row[UID]):
                first = with_modalities(self._prober, row)
                return [first, *(each for each in self._sample if each is not row)], ""
            problem = f"a query for one study by its UID returned {_rows(reply)}"
        return [], problem

    def _match(self, keyword: str) -> None:
        candidates = [row for row in self._sample if values_of(row, keyword)][:_STUDIES]
        if not candidates:
            self._match_blindly(keyword)
            return
        result, evidence = None, ""
        for row in candidates:
            result, evidence, base = self._try(keyword, row)
            if result:
                self._proofs[keyword] = _Proof(row, base, values_of(row, keyword)[0])
            if result is not None:
                break
        self._findings.note("match", keyword, result, evidence)

    def _match_blindly(self, keyword: str) -> None:
        """Test a key without a known value: a row proves it ignored, no row proves nothing."""
        if any(keyword in row for row in self._sample):
            words = f"none of {len(self._sample)} studies has a value that can be queried"
            self._findings.note("match", keyword, None, words)
            return
        row = self._sample[0]
        reply = self._put({**self._prober.about(row), keyword: _foreign(keyword, [])})
        ignored = reply.is_clear and reply.has(row[UID])
        words = f"not returned; for one study: {_rows(reply)} with a value that no study has"
        self._findings.note("match", keyword, False if ignored else None, words)

    def _try(self, keyword: str, row: Row) -> tuple[bool | None, str, Mapping[str, str]]:
        """Return whether the key is honoured, the evidence, and the other keys of the query."""
        about = self._prober.about(row)
        own, other = self._own_and_other(keyword, row, about)
        words = f"for one study: {_compared(own, other)}"
        if not (own.is_clear and other.is_clear):
            return None, words, about
        if not other.has(row[UID]):
            if own.has(row[UID]):
                return True, words, about
            return None, f"{words}: this proves nothing", about
        # Some PACS ignore all other keys if there is a UID.
        day = self._prober.on_its_day(row)
        if not day:
            return False, words, about
        own, other = self._own_and_other(keyword, row, day)
        words = f"{words}; for its day: {_compared(own, other)}"
        key = _foreign(keyword, _values(row, keyword))
        wrong = [each for each in other.rows if not is_match(each, keyword, key)]
        honoured = own.is_clear and own.rows and other.complete and not wrong
        return bool(honoured), words, day

    def _own_and_other(
        self, keyword: str, row: Row, base: Mapping[str, str]
    ) -> tuple[Reply, Reply]:
        own, other = values_of(row, keyword)[0], _foreign(keyword, _values(row, keyword))
        return self._both(keyword, base, own, other)

    def _wildcard(self, keyword: str) -> None:
        if proof := self._proof("wildcard", keyword):
            begin = proof.own[:-1] or proof.own
            self._pair("wildcard", keyword, proof, f"{begin}*", "PACSFW-NO*")

    def _range(self, keyword: str) -> None:
        if proof := self._proof("range", keyword):
            self._pair("range", keyword, proof, *_ranges(keyword, proof.own))

    def _pair(
        self,
        topic: Literal["wildcard", "range"],
        keyword: str,
        proof: _Proof,
        around: str,
        elsewhere: str,
    ) -> None:
        own, other = self._both(keyword, proof.base, around, elsewhere)
        uid = proof.row[UID]
        clear = own.is_clear and other.is_clear
        result = own.has(uid) and not other.has(uid) if clear else None
        self._findings.note(
            topic, keyword, result, f"{_rows(own)} if it matches, {_rows(other)} if not"
        )

    def _case(self, keyword: str) -> None:
        if (proof := self._proof("case", keyword)) is None:
            return
        variant = proof.own.lower() if proof.own.lower() != proof.own else proof.own.upper()
        if variant == proof.own:
            self._findings.note("case", keyword, None, "the value of the study contains no letters")
            return
        reply = self._put({**proof.base, keyword: variant})
        words = f"{_rows(reply)} for its own value in the other case"
        self._findings.note(
            "case", keyword, reply.has(proof.row[UID]) if reply.is_clear else None, words
        )

    def _proof(self, topic: Literal["wildcard", "range", "case"], keyword: str) -> _Proof | None:
        """Return what proved a key honoured; without it, further experiments are skipped."""
        proof = self._proofs.get(keyword)
        if proof is None:
            self._findings.note(topic, keyword, None, "the key is not known to be honoured")
        return proof

    def _both(
        self, keyword: str, base: Mapping[str, str], first: str, second: str
    ) -> tuple[Reply, Reply]:
        ours = self._put({**base, keyword: first}, keyword)
        return ours, self._put({**base, keyword: second}, keyword)

    def _put(self, match: Mapping[str, str], *returns: str) -> Reply:
        return self._prober.put(match, returns, max_rows=_ROWS)


def _is_day(text: str) -> bool:
    try:
        return len(text) == len("YYYYMMDD") and date.fromisoformat(text).year > _FIRST_YEAR
    except ValueError:
        return False


def _values(row: Row, keyword: str) -> list[str]:
    return row.get(keyword, "").split("\\")


def _foreign(keyword: str, own: Sequence[str]) -> str:
    """Return a valid value for this key that the study does not have."""
    vr = dictionary_VR(keyword)
    if vr == "DA":
        choices: Sequence[str] = ("19000101", "19010101")
    elif vr == "TM":
        choices = ("031415", "161803")
    elif keyword == "ModalitiesInStudy":
        choices = _MODALITIES
    elif keyword == "PatientSex":
        choices = _SEXES
    else:
        choices = ("PACSFWNO^SUCH" if vr == "PN" else "PACSFW-NO-SUCH",)
    return next((value for value in choices if value not in own), choices[0])


def _ranges(keyword: str, own: str) -> tuple[str, str]:
    """Return a range that contains a value and one that does not."""
    if keyword == "StudyDate":
        day = date(int(own[:4]), int(own[4:6]), int(own[6:8]))
        around = f"{day - timedelta(days=1):%Y%m%d}-{day + timedelta(days=1):%Y%m%d}"
        return around, "19000101-19000131"
    hour = own[:2]
    elsewhere = "03" if hour != "03" else "16"
    return f"{hour}0000-{hour}5959", f"{elsewhere}0000-{elsewhere}5959"


def _compared(own: Reply, other: Reply) -> str:
    return f"{_rows(own)} with its own value, {_rows(other)} with another one"


def _rows(reply: Reply) -> str:
    if not reply.is_clear:
        return f"no clear result ({reply.status_text})"
    number = len(reply.rows)
    return f"{number} row{'' if number == 1 else 's'}"
