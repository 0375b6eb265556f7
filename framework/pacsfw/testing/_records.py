"""The instances and studies of an `EmbeddedPACS`, as text: child process only.

Every attribute that a query can use is plain text, created once or cheaply, so that a hundred
thousand studies can be searched and returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from pacsfw.testing._objects import OF_STUDY, build, describe
from pacsfw.testing.synthetic import SOP_CLASSES, Study

Texts = tuple[str, ...]
"""The values of an attribute; none if it is absent or empty."""

UNIQUE_KEYS: Mapping[str, str] = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}

COUNTED_AT: Mapping[str, str] = {
    "NumberOfPatientRelatedStudies": "PATIENT",
    "NumberOfPatientRelatedSeries": "PATIENT",
    "NumberOfPatientRelatedInstances": "PATIENT",
    "ModalitiesInStudy": "STUDY",
    "SOPClassesInStudy": "STUDY",
    "NumberOfStudyRelatedSeries": "STUDY",
    "NumberOfStudyRelatedInstances": "STUDY",
    "NumberOfSeriesRelatedInstances": "SERIES",
}
"""Attributes that are not in instances, but counted (PS3.4 C.3.4) at these levels."""


class Entity(Protocol):
    """The subject of one row: a patient, a study, a series or an instance."""

    def texts(self, keyword: str) -> Texts:
        """Return the values of an attribute."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance: its attributes, and its file, which is written when needed."""

    attributes: Mapping[str, Texts]
    sop_class: str
    syntax: str
    file: Callable[[], Path]

    def texts(self, keyword: str) -> Texts:
        """Return the values of an attribute."""
        return self.attributes.get(keyword, ())

    def key(self, level: str) -> str:
        """Return the unique key of the entity of this level that contains the instance."""
        return "\\".join(self.texts(UNIQUE_KEYS[level]))


@dataclass(slots=True)
class Group:
    """Instances of one entity; the first one provides its attributes."""

    members: dict[str, Instance] = field(default_factory=dict)

    @classmethod
    def of(cls, instances: Iterable[Instance]) -> Group:
        """Create a group of instances; the last one of each SOP Instance UID is used."""
        return cls({instance.key("IMAGE"): instance for instance in instances})

    def instances(self) -> list[Instance]:
        """Return the instances."""
        return list(self.members.values())

    def classes(self) -> list[tuple[str, str]]:
        """Return SOP class and transfer syntax of each instance."""
        return [(instance.sop_class, instance.syntax) for instance in self.instances()]

    def texts(self, keyword: str) -> Texts:
        """Return the values of an attribute, including counted ones."""
        instances = self.instances()
        if keyword not in COUNTED_AT:
            return instances[0].texts(keyword)
        if keyword == "ModalitiesInStudy":
            return tuple(sorted({text for one in instances for text in one.texts("Modality")}))
        if keyword == "SOPClassesInStudy":
            return tuple(sorted({instance.sop_class for instance in instances}))
        if keyword.endswith("Series"):
            return (str(len({instance.key("SERIES") for instance in instances})),)
        return (str(len(instances)),)


class MadeStudy:
    """A synthetic study, whose instances are created when needed.

    Raises
    ------
    ValueError
        It has an invalid attribute.
    """

    __slots__ = ("_folder", "_study")

    def __init__(self, study: Study, folder: Path) -> None:
        for keyword in study.extra:
            if tag_for_keyword(keyword) is None:
                raise ValueError(f"{keyword!r} is not a DICOM keyword")
        self._study = study
        self._folder = folder

    def instances(self) -> list[Instance]:
        """Return the instances; each has a file once it is sent."""
        study = self._study
        return [
            self._instance(series, number)
            for series in range(1, len(study.modalities) + 1)
            for number in range(1, study.instances + 1)
        ]

    def classes(self) -> list[tuple[str, str]]:
        """Return SOP class and transfer syntax of each series."""
        return [(uid, self._study.syntax) for uid in self._sop_classes()]

    def texts(self, keyword: str) -> Texts:
        """Return the values of an attribute, including counted ones."""
        study = self._study
        if keyword in study.extra:
            return as_texts(study.extra[keyword])
        if keyword in OF_STUDY:
            return as_texts(OF_STUDY[keyword](study))
        if keyword == "ModalitiesInStudy":
            own = as_texts(study.extra.get("Modality", list(study.modalities)))
            return tuple(sorted(set(own)))
        if keyword == "SOPClassesInStudy":
            return tuple(sorted(set(self._sop_classes())))
        if keyword == "NumberOfStudyRelatedSeries":
            return (str(len(study.modalities)),)
        if keyword == "NumberOfStudyRelatedInstances":
            return (str(len(study.modalities) * study.instances),)
        return ()

    def _sop_classes(self) -> list[str]:
        own = self._study.extra.get("SOPClassUID")
        return [own or SOP_CLASSES[modality] for modality in self._study.modalities]

    def _instance(self, series: int, number: int) -> Instance:
        described = describe(self._study, series, number)
        attributes = {keyword: as_texts(value) for keyword, value in described.items()}
        [sop_class] = attributes["SOPClassUID"]
        file = partial(_written, self._study, series, number, self._folder)
        return Instance(attributes, sop_class, self._study.syntax, file)


class Patient:
    """The studies of one patient; the first one provides the attributes."""

    def __init__(self, studies: Sequence[Group | MadeStudy]) -> None:
        self._studies = studies

    def texts(self, keyword: str) -> Texts:
        """Return the values of an attribute, including counted ones."""
        if COUNTED_AT.get(keyword) != "PATIENT":
            return self._studies[0].texts(keyword)
        if keyword.endswith("Studies"):
            return (str(len(self._studies)),)
        counted = keyword.replace("Patient", "Study")
        return (str(sum(int(study.texts(counted)[0]) for study in self._studies)),)


def read(path: Path) -> Instance:
    """Read the complete header of a file, so that queries find no damaged value.

    Raises
    ------
    ValueError
        It lacks a UID, or its File Meta names another instance.
    """
    header = dcmread(path, stop_before_pixels=True)
    meta = header.file_meta
    if str(header.SOPInstanceUID) != str(meta.MediaStorageSOPInstanceUID):
        raise ValueError("File Meta and data set differ in the SOP Instance UID")
    attributes = {
        element.keyword: as_texts(element.value)
        for element in header  # pydicom decodes each one
        if element.keyword
    }
    if not all(attributes.get(UNIQUE_KEYS[level]) for level in ("STUDY", "SERIES", "IMAGE")):
        raise ValueError("a UID is missing")
    sop_class, syntax = str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
    return Instance(attributes, sop_class, syntax, lambda: path)


def as_texts(value: Any) -> Texts:
    """Return the value of an attribute as texts; none for sequences and bytes."""
    if value is None or isinstance(value, bytes):
        return ()
    if isinstance(value, str):
        return tuple(value.split("\\")) if value else ()
    if isinstance(value, Iterable) and not hasattr(value, "components"):
        values = ["" if one is None else one for one in value]
        return () if values and isinstance(values[0], Dataset) else tuple(map(str, values))
    text = str(value)
    return (text,) if text else ()


def _written(study: Study, series: int, number: int, folder: Path) -> Path:
    """Write the file of an instance if it does not exist; safe for several threads."""
    path = folder / f"{study.sop_uid(series, number)}.dcm"
    if not path.exists():
        part = folder / f"{uuid4().hex}.part"
        build(study, series, number).save_as(part, enforce_file_format=True)
        part.replace(path)
    return path
