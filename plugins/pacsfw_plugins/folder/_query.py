"""A tree of DICOM files as a query provider (PS3.4 section C.4.1 over PS3.10 files)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.datadict import dictionary_VR, tag_for_keyword

from pacsfw.api import Query, QueryProvider, QueryResult, QueryRow
from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import FileHeader, read_header
from pacsfw.dicom.levels import LEVEL_OF, LEVELS
from pacsfw.dicom.matching import matches
from pacsfw.dicom.values import text_of
from pacsfw.dicom.vr import SINGLE_VALUED
from pacsfw.dimse.status import CANCELLED, SUCCESS, WRONG_IDENTIFIER
from pacsfw_plugins.folder._index import COUNTED, Attributes, Index, Instance, Study
from pacsfw_plugins.folder._shared import Indexed

_UNIQUE_KEYS = {
    "PATIENT": ("PatientID",),
    "STUDY": ("StudyInstanceUID",),
    "SERIES": ("StudyInstanceUID", "SeriesInstanceUID"),
    "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
}
_NO_KEYS = {
    "QueryRetrieveLevel",
    "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
    "RetrieveAETitle",
    "InstanceAvailability",
}
"""They are part of the query, or describe the PACS instead of its content."""
_UNABLE = 0xC000
"""Status "unable to process" (PS3.4 table C.4-1)."""
_PLAIN = {"AE", "CS", "LO", "SH", "UI"}
"""VRs of keys that are looked up, unless they have wildcards, instead of compared per study."""


class Folder(Indexed, QueryProvider):
    """Answers queries from the headers of the files below a folder, which are read once.

    A damaged or unreadable file may be of a study that no other file represents. With such a
    file no list of studies is complete, unless it was asked for by UIDs that are all there, and
    narrower queries would not help (evidence ``narrower_helps``). The content of a study is
    that of its readable files.

    Parameters
    ----------
    path
        The folder.
    """

    @property
    def is_unlimited(self) -> bool:
        """True: every file is looked at."""
        return True

    def ask(self, query: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
        """Answer one query; the first one waits until every file is scanned.

        Keys below the level of the query (PS3.4 C.4.1.2.2.1) are neither matched nor returned,
        and the evidence says so.

        Raises
        ------
        ValueError
            A keyword is unknown.
        """
        index = self.index()
        keys = dict.fromkeys((*_UNIQUE_KEYS[query.level], *query.match, *query.returns))
        supported = [keyword for keyword in keys if _is_key(keyword, query.level)]
        rows, problem, status = 0, "", SUCCESS
        try:
            for entity in _matching(index, query, supported):
                if query.max_rows and rows == query.max_rows:
                    problem, status = f"stopped at the limit of {rows:,} rows", CANCELLED
                    break
                emit(QueryRow({keyword: entity.text(keyword) for keyword in supported}))
                rows += 1
        except _Unanswerable as err:
            problem, status = err.args
        ignored = len(supported) < len(keys)
        doubt = "" if _names_known_studies(index, query) else index.tally.doubt
        doubt = doubt or ("" if index.studies else "the folder has no DICOM files")
        return _result(
            index, rows, problem or doubt, status, is_doubtful=bool(doubt), ignored=ignored
        )


class _Unanswerable(Exception):
    """The query is malformed, or a file cannot be read any more; carries a text and a status."""


def _names_known_studies(index: Index, query: Query) -> bool:
    """Return whether a query is about studies by UID that are all in the index."""
    wanted = query.match.get("StudyInstanceUID", "")
    return all(uid.strip() in index.studies for uid in wanted.split("\\"))


def _result(
    index: Index, rows: int, problem: str, status: int, *, is_doubtful: bool, ignored: bool
) -> QueryResult:
    tally = index.tally
    return QueryResult(
        complete=not problem,
        status_text=problem or f"{tally.files:,} files scanned",
        status=status,
        evidence={
            "rows": rows,
            "optional_keys_ignored": ignored,
            "narrower_helps": not is_doubtful,
            "files": tally.files,
            "copies": tally.copies,
            "not_dicom": tally.not_dicom,
            "without_study": tally.without_study,
            "damaged": dict(tally.damaged),
            "unreadable_files": tally.unreadable_files,
            "unreadable_folders": tally.unreadable_folders,
        },
    )


def _is_key(keyword: str, level: str) -> bool:
    # Counts of a patient are keys of studies if there is no PATIENT level (C.6.2.1.2).
    of_patient = keyword.startswith("NumberOfPatientRelated")
    own = "PATIENT" if of_patient else LEVEL_OF.get(keyword, "IMAGE")
    lowest = LEVELS.index(level)
    return _vr(keyword) != "SQ" and keyword not in _NO_KEYS and LEVELS.index(own) <= lowest


def _vr(keyword: str) -> str:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword!r} is not a DICOM keyword")
    return dictionary_VR(tag)


@dataclass(slots=True)
class _Entity:
    """A patient, study, series or instance. The first study has the attributes of the patient."""

    studies: list[Study]
    series: Attributes | None = None
    uid: str = ""
    instance: Instance | None = None
    header: FileHeader | None = None

    def text(self, keyword: str) -> str:
        """Return the value of a key of this level or a higher one."""
        if keyword in COUNTED:
            return self._counted(keyword)
        level = LEVEL_OF.get(keyword, "IMAGE")
        if level in ("PATIENT", "STUDY"):
            return self.studies[0].attributes.get(keyword)
        if level == "SERIES" and self.series is not None:
            return self.series.get(keyword)
        return self._of_instance(keyword)

    def _counted(self, keyword: str) -> str:
        study = self.studies[0]
        if keyword == "ModalitiesInStudy":
            found = {series.get("Modality") for series in study.series.values()}
            return "\\".join(sorted(found - {""}))
        if keyword == "SOPClassesInStudy":
            return "\\".join(sorted({each.sop_class for each in study.instances.values()}))
        if keyword == "NumberOfSeriesRelatedInstances" and self.series is not None:
            own = self.series.get("SeriesInstanceUID")
            return str(sum(each.series == own for each in study.instances.values()))
        of = self.studies if "Patient" in keyword else [study]
        if keyword.endswith("Studies"):
            return str(len(of))
        if keyword.endswith("Series"):
            return str(sum(len(each.series) for each in of))
        return str(sum(len(each.instances) for each in of))

    def _of_instance(self, keyword: str) -> str:
        assert self.instance is not None  # noqa: S101 - a key of this level
        match keyword:
            case "SOPInstanceUID":
                return self.uid
            case "SOPClassUID":
                return self.instance.sop_class
            case "InstanceNumber":
                return self.instance.number
        try:
            if self.header is None:
                self.header = read_header(Path(self.instance.path))
            return text_of(self.header.get(keyword))
        except (UnreadableObject, OSError) as err:
            why = f"a file cannot be read: {type(err).__name__}"
            raise _Unanswerable(why, _UNABLE) from None


def _matching(index: Index, query: Query, supported: list[str]) -> Iterator[_Entity]:
    criteria = [
        (keyword, _vr(keyword), query.match[keyword])
        for keyword in supported
        if query.match.get(keyword)
    ]
    studies = _candidates(index, criteria)
    # Keys of studies first, so that the instances of other studies are not compared.
    upper = [each for each in criteria if LEVEL_OF.get(each[0]) in ("PATIENT", "STUDY")]
    lower = [each for each in criteria if each not in upper]
    for entity in _entities(index, studies, query.level, upper):
        if _matches(entity, lower):
            yield entity


def _candidates(index: Index, criteria: list[tuple[str, str, str]]) -> Iterable[Study]:
    """Return the studies that can match, narrowed by a look-up if possible."""
    for keyword, vr, pattern in criteria:
        of_study = LEVEL_OF.get(keyword) in ("PATIENT", "STUDY") and keyword not in COUNTED
        values = pattern.split("\\")
        is_plain = vr in _PLAIN and not {"*", "?"} & set(pattern) and all(map(str.strip, values))
        if of_study and is_plain:
            found = {id(study): study for value in values for study in index.having(keyword, value)}
            return found.values()
    return index.studies.values()


def _entities(
    index: Index, studies: Iterable[Study], level: str, upper: list[tuple[str, str, str]]
) -> Iterator[_Entity]:
    if level == "PATIENT":
        for of_patient in index.patients().values():
            patient = _Entity(of_patient)
            if _matches(patient, upper):
                yield patient
        return
    for study in studies:
        if not _matches(_Entity([study]), upper):
            continue
        if level == "STUDY":
            yield _Entity([study])
        elif level == "SERIES":
            yield from (_Entity([study], series) for series in study.series.values())
        else:
            for uid, instance in study.instances.items():
                yield _Entity([study], study.series[instance.series], uid, instance)


def _matches(entity: _Entity, criteria: list[tuple[str, str, str]]) -> bool:
    for keyword, vr, pattern in criteria:
        text = entity.text(keyword)
        values = [text] if vr in SINGLE_VALUED else text.split("\\")
        try:
            if not matches(vr, pattern, values):
                return False
        except ValueError as err:
            raise _Unanswerable(f"{keyword}: {err}", WRONG_IDENTIFIER) from None
    return True
