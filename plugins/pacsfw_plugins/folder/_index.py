"""A compact index of the instances in a tree of DICOM files.

It holds the attributes of patients, studies and series once per study or series, as text. Of
each instance it holds the SOP class, the instance number and the path of its file.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pacsfw.dicom.levels import LEVEL_OF
from pacsfw.dicom.vr import PADDING

COUNTED = {
    "NumberOfPatientRelatedStudies",
    "NumberOfPatientRelatedSeries",
    "NumberOfPatientRelatedInstances",
    "ModalitiesInStudy",
    "SOPClassesInStudy",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
    "NumberOfSeriesRelatedInstances",
}
"""Keys that describe all instances of an entity, not one of them (PS3.4 C.3.4)."""

UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
OF_STUDY = [
    keyword
    for keyword, level in LEVEL_OF.items()
    if level in ("PATIENT", "STUDY") and keyword not in COUNTED
]
OF_SERIES = [
    keyword for keyword, level in LEVEL_OF.items() if level == "SERIES" and keyword not in COUNTED
]


class Instance(NamedTuple):
    """One instance of a study."""

    series: str
    sop_class: str
    number: str
    folder: str
    name: str

    @property
    def path(self) -> str:
        """The path of the first file that holds it."""
        return os.path.join(self.folder, self.name)  # a Path for each of 100,000 is slow


class Attributes:
    """The attributes of a study or series, each with the first text found in a file."""

    __slots__ = ("_texts",)

    def __init__(self, size: int) -> None:
        self._texts = [""] * size

    def get(self, keyword: str) -> str:
        """Return the text; it is empty if no file had one."""
        return self._texts[_PLACES[keyword]]

    def fill(self, keywords: list[str], found: Mapping[str, str], pool: dict[str, str]) -> None:
        """Add the attributes that are still empty."""
        for place, keyword in enumerate(keywords):
            if not self._texts[place] and (text := found.get(keyword)):
                self._texts[place] = pool.setdefault(text, text)


_PLACES = {
    keyword: place for keywords in (OF_STUDY, OF_SERIES) for place, keyword in enumerate(keywords)
}


class Study:
    """One study: its attributes, its series by UID, its instances by UID.

    ``copies`` are the paths of further files of an instance, whose content may differ.
    """

    __slots__ = ("attributes", "copies", "instances", "series")

    def __init__(self) -> None:
        self.attributes = Attributes(len(OF_STUDY))
        self.series: dict[str, Attributes] = {}
        self.instances: dict[str, Instance] = {}
        self.copies: dict[str, list[str]] = {}


@dataclass(slots=True)
class ScanTally:
    """Counts of the files and folders in the tree."""

    files: int = 0
    copies: int = 0
    """Files with the SOP Instance UID of another file of the same study."""
    not_dicom: int = 0
    without_study: int = 0
    """DICOMDIR files, and instances of classes that belong to no study."""
    damaged: Counter[str] = field(default_factory=Counter)
    """DICOM files from which no instance could be read, by reason."""
    unreadable_files: int = 0
    unreadable_folders: int = 0

    @property
    def doubt(self) -> str:
        """Why instances may be missing from the index; empty if there is no reason."""
        counts = {
            "DICOM files are damaged": sum(self.damaged.values()),
            "files cannot be read": self.unreadable_files,
            "folders cannot be listed": self.unreadable_folders,
        }
        return ", ".join(f"{what}: {number:,}" for what, number in counts.items() if number)


class Index:
    """Studies by UID, in the order of their files."""

    def __init__(self) -> None:
        self.studies: dict[str, Study] = {}
        self.tally = ScanTally()
        self._by_text: dict[str, dict[str, list[Study]]] = {}

    def patients(self) -> dict[str, list[Study]]:
        """Return the studies by PatientID; those without one are under the empty text."""
        found: dict[str, list[Study]] = {}
        for study in self.studies.values():
            found.setdefault(study.attributes.get("PatientID"), []).append(study)
        return found

    def having(self, keyword: str, text: str) -> list[Study]:
        """Return the studies in which this is the value of an attribute, or one of its values."""
        if keyword not in self._by_text:
            by_text: dict[str, list[Study]] = {}
            for study in self.studies.values():
                for value in study.attributes.get(keyword).split("\\"):
                    by_text.setdefault(value.strip(PADDING), []).append(study)
            self._by_text[keyword] = by_text
        return self._by_text[keyword].get(text.strip(PADDING), [])

    def add(self, folder: str, name: str, found: Mapping[str, str], pool: dict[str, str]) -> None:
        """Add the instance of one file."""
        uid, study_uid, series_uid = (pool.setdefault(found[key], found[key]) for key in UIDS)
        study = self.studies.setdefault(study_uid, Study())
        if uid in study.instances:
            self.tally.copies += 1
            study.copies.setdefault(uid, []).append(os.path.join(folder, name))
            return
        sop_class, number = (
            pool.setdefault(text, text)
            for text in (found.get("SOPClassUID", ""), found.get("InstanceNumber", ""))
        )
        study.instances[uid] = Instance(series_uid, sop_class, number, folder, name)
        study.attributes.fill(OF_STUDY, found, pool)
        series = study.series.setdefault(series_uid, Attributes(len(OF_SERIES)))
        series.fill(OF_SERIES, found, pool)
