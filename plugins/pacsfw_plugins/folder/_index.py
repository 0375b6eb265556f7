"""What a tree of DICOM files holds, kept compactly.

Attributes of patients, studies and series are kept once per study or series, as text; of an
image its class, its number and where its file is.
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
"""Keys that are no attributes of an object but tell of all of them (PS3.4 C.3.4)."""

UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
OF_STUDY = [
    keyword
    for keyword, level in LEVEL_OF.items()
    if level in ("PATIENT", "STUDY") and keyword not in COUNTED
]
OF_SERIES = [
    keyword for keyword, level in LEVEL_OF.items() if level == "SERIES" and keyword not in COUNTED
]


class Image(NamedTuple):
    """One object of a study."""

    series: str
    sop_class: str
    number: str
    folder: str
    name: str

    @property
    def path(self) -> str:
        """The first file that holds it."""
        return os.path.join(self.folder, self.name)  # 100,000 paths as text


class Attributes:
    """The attributes of a study or series: of each the first text that a file had."""

    __slots__ = ("_texts",)

    def __init__(self, size: int) -> None:
        self._texts = [""] * size

    def get(self, keyword: str) -> str:
        """Return the text, which is empty where no file had one."""
        return self._texts[_PLACES[keyword]]

    def fill(self, keywords: list[str], found: Mapping[str, str], pool: dict[str, str]) -> None:
        """Take over what is not known yet."""
        for place, keyword in enumerate(keywords):
            if not self._texts[place] and (text := found.get(keyword)):
                self._texts[place] = pool.setdefault(text, text)


_PLACES = {
    keyword: place for keywords in (OF_STUDY, OF_SERIES) for place, keyword in enumerate(keywords)
}


class Study:
    """One study: its attributes, its series by UID, its images by UID."""

    __slots__ = ("attributes", "images", "series")

    def __init__(self) -> None:
        self.attributes = Attributes(len(OF_STUDY))
        self.series: dict[str, Attributes] = {}
        self.images: dict[str, Image] = {}


@dataclass(slots=True)
class ScanTally:
    """What was met in the tree."""

    files: int = 0
    copies: int = 0
    """Files with an object that another file of the study holds as well."""
    not_dicom: int = 0
    without_study: int = 0
    """DICOMDIRs, and objects of classes that belong to no study."""
    damaged: Counter[str] = field(default_factory=Counter)
    """DICOM files from which no object could be read, by reason."""
    unreadable_files: int = 0
    unreadable_folders: int = 0

    @property
    def doubt(self) -> str:
        """Why there may be more than what was found, in words; empty if nothing speaks for it."""
        damaged = sum(self.damaged.values())
        counts = {
            "DICOM files are damaged": damaged,
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
        """Return the studies by PatientID; the empty one stands for all that have none."""
        found: dict[str, list[Study]] = {}
        for study in self.studies.values():
            found.setdefault(study.attributes.get("PatientID"), []).append(study)
        return found

    def having(self, keyword: str, text: str) -> list[Study]:
        """Return the studies of which an attribute has this value, if only among others."""
        if keyword not in self._by_text:
            by_text: dict[str, list[Study]] = {}
            for study in self.studies.values():
                for value in study.attributes.get(keyword).split("\\"):
                    by_text.setdefault(value.strip(PADDING), []).append(study)
            self._by_text[keyword] = by_text
        return self._by_text[keyword].get(text.strip(PADDING), [])

    def add(self, folder: str, name: str, found: Mapping[str, str], pool: dict[str, str]) -> None:
        """Add the object of one file."""
        uid, study_uid, series_uid = (pool.setdefault(found[key], found[key]) for key in UIDS)
        study = self.studies.setdefault(study_uid, Study())
        if uid in study.images:
            self.tally.copies += 1
            return
        sop_class, number = (
            pool.setdefault(text, text)
            for text in (found.get("SOPClassUID", ""), found.get("InstanceNumber", ""))
        )
        study.images[uid] = Image(series_uid, sop_class, number, folder, name)
        study.attributes.fill(OF_STUDY, found, pool)
        series = study.series.setdefault(series_uid, Attributes(len(OF_SERIES)))
        series.fill(OF_SERIES, found, pool)
