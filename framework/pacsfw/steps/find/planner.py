"""From the criteria to covered regions: the queries, their order, and what stays unproven."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pacsfw.api import Profile, Query, QueryResult, QueryRow
from pacsfw.dicom import matching
from pacsfw.steps.find import matches
from pacsfw.steps.find.cohort import Member
from pacsfw.steps.find.coverage import IGNORED, Coverage
from pacsfw.steps.find.criteria import Criteria, regions
from pacsfw.steps.find.division import MODALITIES
from pacsfw.steps.find.journal import Journal
from pacsfw.steps.find.matches import Matches
from pacsfw.steps.find.questions import Puts, Questions
from pacsfw.steps.find.region import Region


class Planner:
    """Covers everything that matches the criteria.

    Parameters
    ----------
    requires_patient_id
        Whether every query must name a patient.
    is_unlimited
        Whether complete results need no proof, because there is no limit of rows.
    advice
        What to check if the PACS refuses queries.
    """

    def __init__(
        self,
        criteria: Criteria,
        pacs: Puts,
        requires_patient_id: bool,
        profile: Profile,
        found: Matches,
        journal: Journal,
        *,
        is_unlimited: bool = False,
        advice: str = "",
    ) -> None:
        self._criteria, self._profile = criteria, profile
        self._pacs, self._requires_patient_id = pacs, requires_patient_id
        self._matches, self._journal = found, journal
        self._patients: list[str] | None = None
        self._advice = advice
        self._questions = Questions(
            self,
            found,
            journal,
            criteria.returns,
            modalities=MODALITIES in profile.before_limit,
            ignored=profile.ignored,
            is_unlimited=is_unlimited,
            advice=advice,
        )

    def run(self) -> None:
        """Query until everything is proven, or the unproven parts are named.

        Raises
        ------
        RemoteError
            The PACS cannot be queried. Studies found before are in the ledger.
        TooMany
            More studies match than the configuration allows.
        """
        try:
            wanted = regions(self._criteria, self._profile)
            needs_patients = self._requires_patient_id
            coverage = Coverage(self._questions, self._journal, may_widen=not needs_patients)
            wider: dict[Region, list[Member]] = {}
            in_vain: list[Region] = []
            for region, members in wanted.items():
                self._matches.members = members
                if needs_patients and "*" in dict(region.keys).get("PatientID", "*"):
                    self._patient_by_patient(region, coverage)
                    continue
                if not region.exact_keys & self._questions.ignored:
                    self._cover(region, coverage)
                if not needs_patients and self._was_in_vain(region):
                    wider.setdefault(replace(region, keys=()), []).extend(members)
                    in_vain.append(region)
            for region, members in wider.items():
                self._matches.members = members
                self._cover(region, coverage)
            self._matches.members = self._criteria.members
            coverage.check_empty()
            # Not earlier: a search resumed after a kill must see that these are not covered.
            for region in in_vain:
                self._mark_covered(region)
        finally:
            self._matches.flush()

    def put(self, query: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
        """Send a query, then query the series of the studies that wait for them."""
        self._matches.dates_asked = "StudyDate" in query.match
        answer = self._pacs.put(query, emit)
        waiting = self._matches.waiting()
        largest = max(self._questions.largest, len(waiting))
        for uid, attributes in waiting.items():
            self._ask_series(uid, attributes, largest)
        return answer

    def _was_in_vain(self, region: Region) -> bool:
        """Return whether a key is ignored; then one wider query covers all such regions."""
        if not region.exact_keys & self._questions.ignored:
            state = self._journal.state_of(region)
            undated = self._journal.state_of(replace(region, days=None))
            return ("unproven", IGNORED) in (state, undated)
        return True

    def _mark_covered(self, region: Region) -> None:
        """Remove the reason of an unproven region, because a wider one covers it."""
        for asked in (region, replace(region, days=None)):
            if self._journal.state_of(asked)[0] == "unproven":
                self._journal.settle(asked, "unproven")

    def _cover(self, region: Region, coverage: Coverage) -> None:
        if self._criteria.undated and region.days and "PatientID" in dict(region.keys):
            # One patient: the result is small, and the dates are checked here.
            coverage.cover(replace(region, days=None))
            return
        coverage.cover(region)
        if self._criteria.undated and region.days:
            coverage.cover_undated(replace(region, days=None))

    def _patient_by_patient(self, region: Region, coverage: Coverage) -> None:
        """Enumerate the patients, then query the studies of each (PS3.4 C.6.1)."""
        if self._patients is None:
            self._patients = self._enumerated()
        keys = dict(region.keys)
        wanted = keys.pop("PatientID", "*")
        for patient in self._patients:
            if matching.matches("LO", wanted, [patient]):
                of_patient = tuple(sorted({**keys, "PatientID": patient}.items()))
                self._cover(replace(region, keys=of_patient), coverage)

    def _enumerated(self) -> list[str]:
        """Return the IDs of all patients that a query can name; report the number of others."""
        found = _Patients()
        everyone = Region(level="PATIENT")
        # The ledger does not keep the patients that an interrupted search found.
        self._journal.forget("PATIENT")
        questions = Questions(
            self._pacs,
            found,
            self._journal,
            ("PatientID",),
            level="PATIENT",
            advice=self._advice,
        )
        coverage = Coverage(questions, self._journal, may_widen=False)
        coverage.cover(everyone)
        if not found.ids:
            # Some PACS refuse a query at this level without a key.
            self._journal.settle(everyone, "unproven")
            everyone = replace(everyone, keys=(("PatientID", "*"),))
            coverage.cover(everyone)
        coverage.check_empty()
        patients = found.ids
        nameless = [patient for patient in patients if not matching.is_nameable(patient)]
        if nameless:
            reason = (
                "this PACS answers only queries with a PatientID, and some patients have an ID "
                "that a query cannot name (empty, or with a wildcard or backslash): "
                f"{len(nameless)}"
            )
            self._journal.settle(replace(everyone, keys=(("PatientID", ""),)), "unproven", reason)
        return sorted(patients.difference(nameless))

    def _ask_series(self, uid: str, attributes: dict[str, str], largest: int) -> None:
        """Query the series of a study; also by modality if the result may be truncated."""
        of_patient = attributes if self._requires_patient_id else {}
        asked = matches.series_query(uid, of_patient, self._criteria.series_keywords)
        answer, rows = self._put_and_keep(asked)
        wanted = self._criteria.modality
        has_it = any(row.attributes.get("Modality") == wanted for row in rows)
        if wanted and not has_it and len(rows) >= largest:
            by_modality = {**asked.match, "Modality": wanted}
            answer, found = self._put_and_keep(replace(asked, match=by_modality))
            rows += found
        self._matches.series(uid, attributes, answer, rows)

    def _put_and_keep(self, asked: Query) -> tuple[QueryResult, list[QueryRow]]:
        rows: list[QueryRow] = []
        started = self._journal.clock.monotonic()
        answer = self._pacs.put(asked, rows.append)
        seconds = self._journal.clock.monotonic() - started
        self._journal.question(asked, answer, len(rows), seconds)
        return answer, rows


class _Patients:
    """The IDs of patients that the PACS knows."""

    def __init__(self) -> None:
        self.ids: set[str] = set()

    def take(self, uid: str, found: QueryRow) -> None:
        self.ids.add(uid)
