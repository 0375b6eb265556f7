"""The Query/Retrieve level at which an attribute is a key (PS3.4 C.6.1.1, C.6.2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
"""From top to bottom."""

REQUIRED_STUDY_KEYS = frozenset(
    {"StudyDate", "StudyTime", "AccessionNumber", "PatientName", "PatientID", "StudyID"}
)
"""Keys, in addition to the UID, that every PACS must match in a STUDY query of the Study Root
model (types R and U of PS3.4 tables C.6-2 and C.6-5); all others are optional."""

REQUIRED_RETURNS: Mapping[str, frozenset[str]] = {
    "PATIENT": frozenset({"PatientID", "PatientName"}),
    "STUDY": frozenset({"StudyInstanceUID", *REQUIRED_STUDY_KEYS}),
    "SERIES": frozenset({"SeriesInstanceUID", "Modality", "SeriesNumber"}),
    "IMAGE": frozenset({"SOPInstanceUID", "InstanceNumber"}),
}
"""Level to the keys that every PACS must return (types U and R of PS3.4 C.6)."""

_NAMES = {
    "PATIENT": "PatientName PatientID IssuerOfPatientID PatientBirthDate PatientBirthTime "
    "PatientSex OtherPatientIDs OtherPatientNames EthnicGroup PatientComments",
    "STUDY": "StudyInstanceUID StudyDate StudyTime StudyID StudyDescription AccessionNumber "
    "ReferringPhysicianName NameOfPhysiciansReadingStudy AdmittingDiagnosesDescription "
    "PatientAge PatientSize PatientWeight Occupation AdditionalPatientHistory "
    "ModalitiesInStudy SOPClassesInStudy NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances "
    "NumberOfPatientRelatedStudies NumberOfPatientRelatedSeries "
    "NumberOfPatientRelatedInstances",
    "SERIES": "SeriesInstanceUID Modality SeriesNumber SeriesDescription SeriesDate SeriesTime "
    "BodyPartExamined Laterality ProtocolName OperatorsName PerformingPhysicianName "
    "Manufacturer ManufacturerModelName InstitutionName StationName "
    "NumberOfSeriesRelatedInstances",
}

LEVEL_OF: Mapping[str, str] = {
    keyword: level for level, names in _NAMES.items() for keyword in names.split()
}
"""Keyword to level; other attributes belong to instances, if anywhere."""


@cache
def vr_of(keyword: str) -> str:
    """Return the value representation of a keyword of `LEVEL_OF` (PS3.6)."""
    from pydicom.datadict import dictionary_VR  # slow to import

    return dictionary_VR(keyword)
