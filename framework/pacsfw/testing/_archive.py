"""What an `EmbeddedPACS` holds and how it is queried (PS3.4 C.4, C.6): its child process only."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID

from pacsfw.dicom.matching import matches

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
UNIQUE_KEYS = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}
_NO_KEYS = {
    "QueryRetrieveLevel",
    "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
    "RetrieveAETitle",
    "InstanceAvailability",
}
_KEY_NAMES = {
    "PATIENT": "PatientName PatientID IssuerOfPatientID PatientBirthDate PatientBirthTime "
    "PatientSex OtherPatientIDs OtherPatientNames EthnicGroup PatientComments",
    "STUDY": "StudyInstanceUID StudyDate StudyTime StudyID StudyDescription AccessionNumber "
    "ReferringPhysicianName NameOfPhysiciansReadingStudy AdmittingDiagnosesDescription "
    "PatientAge PatientSize PatientWeight Occupation AdditionalPatientHistory",
    "SERIES": "SeriesInstanceUID Modality SeriesNumber SeriesDescription SeriesDate SeriesTime "
    "BodyPartExamined Laterality ProtocolName OperatorsName PerformingPhysicianName "
    "Manufacturer InstitutionName StationName",
}
_KEYS_OF = {level: frozenset(names.split()) for level, names in _KEY_NAMES.items()}
"""At which level an attribute is a key; one that is not named here is a key of IMAGE."""


class BadIdentifier(ValueError):
    """The identifier does not fit the information model: status A900."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One stored object, its header at hand."""

    path: Path
    sop_class: str
    syntax: str
    header: Dataset

    def key(self, level: str) -> str:
        """Return the unique key of the entity of this level that the object belongs to."""
        return str(self.header.get(UNIQUE_KEYS[level]) or "")


class Archive:
    """The objects, by SOP Instance UID. Safe to use from several threads."""

    def __init__(self, aetitle: str, *, fold_names: bool) -> None:
        self._aetitle = aetitle
        self._instances: dict[str, Instance] = {}
        self._lock = threading.Lock()
        self._fold_names = fold_names
        self.skipped: list[Path] = []

    def add(self, path: Path) -> bool:
        """Take in a Part 10 file; one that cannot be served is remembered as skipped."""
        try:
            instance = _read(path)
        except Exception:  # noqa: BLE001 - a damaged file makes pydicom raise anything
            self.skipped.append(path)
            return False
        with self._lock:
            self._instances[instance.key("IMAGE")] = instance
        return True

    def instances(self) -> list[Instance]:
        """Return every object, in the order they came in."""
        with self._lock:
            return list(self._instances.values())

    def uids(self, level: str, study_uid: str) -> frozenset[str]:
        """Return the unique keys of a level, of one study or (empty) of all."""
        return frozenset(
            instance.key(level)
            for instance in self.instances()
            if not study_uid or instance.key("STUDY") == study_uid
        )

    def syntaxes(self) -> dict[str, list[UID]]:
        """Return the transfer syntaxes of each SOP class, the most frequent one first."""
        counts: dict[str, Counter[str]] = {}
        for instance in self.instances():
            counts.setdefault(instance.sop_class, Counter())[instance.syntax] += 1
        return {
            sop_class: [UID(syntax) for syntax, _ in counter.most_common()]
            for sop_class, counter in counts.items()
        }

    def find(self, root: str, identifier: Dataset) -> Iterator[tuple[Dataset, bool]]:
        """Answer a C-FIND: one identifier per match, and whether every key was supported."""
        level = _level(root, identifier)
        candidates = self._below(root, level, identifier)
        keys = [element for element in identifier if element.keyword not in _NO_KEYS]
        supported = [element for element in keys if _is_key(element, level)]
        for entity in _grouped(candidates, level):
            if all(self._matches(element, entity, level) for element in supported):
                answer = _answer(supported, entity, level)
                answer.RetrieveAETitle = self._aetitle
                if "InstanceAvailability" in identifier:
                    answer.InstanceAvailability = "ONLINE"
                yield answer, len(supported) == len(keys)

    def retrieve(self, root: str, identifier: Dataset) -> list[Instance]:
        """Return the objects that a C-MOVE or C-GET asks for."""
        level = _level(root, identifier)
        wanted = texts(identifier, UNIQUE_KEYS[level])
        if not wanted:
            raise BadIdentifier(f"{UNIQUE_KEYS[level]} is missing or empty")
        candidates = self._below(root, level, identifier)
        return [instance for instance in candidates if instance.key(level) in wanted]

    def _below(self, root: str, level: str, identifier: Dataset) -> list[Instance]:
        """Return the objects below the unique keys of the levels above (PS3.4 C.4.1.3.1.1)."""
        found = self.instances()
        for above in LEVELS[LEVELS.index(root) : LEVELS.index(level)]:
            keys = texts(identifier, UNIQUE_KEYS[above])
            if len(keys) != 1:
                raise BadIdentifier(f"{UNIQUE_KEYS[above]} must have one value at {level} level")
            found = [instance for instance in found if instance.key(above) == keys[0]]
        return found

    def _matches(self, key: DataElement, entity: list[Instance], level: str) -> bool:
        values = _counted(key.keyword, entity)
        if values is None:
            values = texts(entity[0].header, key.keyword)
        try:
            return matches(key.VR, "\\".join(_texts(key)), values, fold_names=self._fold_names)
        except ValueError as error:
            raise BadIdentifier(f"{key.keyword} at {level} level: {error}") from error


def _read(path: Path) -> Instance:
    """Read a header whole, so that no damaged value is met while a query is answered.

    Raises
    ------
    ValueError
        It lacks a UID, or its File Meta tells of another object.
    """
    header = dcmread(path, stop_before_pixels=True)
    meta = header.file_meta
    if str(header.SOPInstanceUID) != str(meta.MediaStorageSOPInstanceUID):
        raise ValueError("File Meta and data set differ in the SOP Instance UID")
    instance = Instance(
        path, str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID), header
    )
    if not all(instance.key(level) for level in LEVELS[1:]):
        raise ValueError("a UID is missing")
    for _ in header:
        pass  # iterating makes pydicom decode each element
    return instance


def texts(dataset: Dataset, keyword: str) -> list[str]:
    """Return the values of an attribute as text; none where it is absent or empty."""
    return _texts(dataset[keyword]) if keyword in dataset else []


def _texts(element: DataElement) -> list[str]:
    if element.VR == "SQ" or element.is_empty:
        return []
    values: Iterable[object] = element.value if element.VM > 1 else [element.value]
    return [str(value) for value in values]


def _level(root: str, identifier: Dataset) -> str:
    level = str(identifier.get("QueryRetrieveLevel", ""))
    if level not in LEVELS[LEVELS.index(root) :]:
        raise BadIdentifier(f"QueryRetrieveLevel is none of the {root.title()} Root model")
    return level


def _is_key(element: DataElement, level: str) -> bool:
    """Tell whether an element is a key of this level or of one above it."""
    if element.VR == "SQ" or not element.keyword:
        return False
    if element.keyword in _COUNTED_AT:
        return _COUNTED_AT[element.keyword] == level
    own = next((name for name, keys in _KEYS_OF.items() if element.keyword in keys), "IMAGE")
    return LEVELS.index(own) <= LEVELS.index(level)


def _grouped(instances: list[Instance], level: str) -> list[list[Instance]]:
    groups: dict[str, list[Instance]] = {}
    for instance in instances:
        groups.setdefault(instance.key(level), []).append(instance)
    return list(groups.values())


_COUNTED_AT = {
    "NumberOfPatientRelatedStudies": "PATIENT",
    "NumberOfPatientRelatedSeries": "PATIENT",
    "NumberOfPatientRelatedInstances": "PATIENT",
    "ModalitiesInStudy": "STUDY",
    "SOPClassesInStudy": "STUDY",
    "NumberOfStudyRelatedSeries": "STUDY",
    "NumberOfStudyRelatedInstances": "STUDY",
    "NumberOfSeriesRelatedInstances": "SERIES",
}
"""Attributes that no object has: they are counted (PS3.4 C.3.4) at these levels."""


def _counted(keyword: str, entity: list[Instance]) -> list[str] | None:
    """Return the values of a counted attribute of an entity, None where it is not one."""
    if keyword not in _COUNTED_AT:
        return None
    if keyword == "ModalitiesInStudy":
        return sorted({str(found) for one in entity if (found := one.header.get("Modality"))})
    if keyword == "SOPClassesInStudy":
        return sorted({instance.sop_class for instance in entity})
    if keyword.endswith("Instances"):
        return [str(len(entity))]
    level = "SERIES" if keyword.endswith("Series") else "STUDY"
    return [str(len({instance.key(level) for instance in entity}))]


def _answer(keys: list[DataElement], entity: list[Instance], level: str) -> Dataset:
    header = entity[0].header
    answer = Dataset()
    if "SpecificCharacterSet" in header:
        answer.add(header["SpecificCharacterSet"])
    answer.QueryRetrieveLevel = level
    for key in keys:
        values = _counted(key.keyword, entity)
        if values is not None:
            answer.add(DataElement(key.tag, dictionary_VR(key.tag), values))
        elif key.keyword in header:
            answer.add(header[key.keyword])
        else:
            answer.add(DataElement(key.tag, key.VR, None))
    return answer
