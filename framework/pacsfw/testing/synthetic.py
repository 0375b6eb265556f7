"""Synthetic studies: small, valid, and the same for the same seed.

A `Study` is a plain description; pydicom is imported only when its files are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacsfw.testing._study import EXPLICIT_LE, IMPLICIT_LE, SIZE, SOP_CLASSES, StudyDescription

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "EXPLICIT_LE",
    "IMPLICIT_LE",
    "SIZE",
    "SOP_CLASSES",
    "Study",
    "awkward_studies",
    "make_studies",
    "write_studies",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study(StudyDescription):
    """A study that can create its instances."""

    def datasets(self) -> Iterator[Dataset]:
        """Create the instances one by one, ready to be written or sent."""
        from pacsfw.testing._objects import build  # pydicom is slow to import

        return (build(self, series, instance) for series, instance in self.numbers())

    def write(self, folder: Path) -> list[Path]:
        """Write one Part 10 file per instance in ``folder`` and return their paths."""
        target = folder / f"study{self.seed}-{self.number:05d}"
        target.mkdir(parents=True, exist_ok=True)
        paths = []
        for count, dataset in enumerate(self.datasets(), start=1):
            paths.append(target / f"{count:05d}.dcm")
            dataset.save_as(paths[-1], enforce_file_format=True)
        return paths


def make_studies(
    count: int,
    *,
    start: date = date(2020, 1, 1),
    days: int = 366,
    modalities: Sequence[Sequence[str]] = (("CT", "CT"), ("CT", "SR"), ("MR",)),
    instances: int = 2,
    patients: int = 0,
    seed: int = 1,
    syntax: str = EXPLICIT_LE,
) -> list[Study]:
    """Describe ``count`` ordinary studies.

    Parameters
    ----------
    start, days
        The study dates are seven days apart and wrap around ``days`` days from ``start``.
    modalities
        The series of the studies, in turn.
    instances
        Instances per series.
    patients
        Number of patients that share the studies; 0: each study has its own patient.
    seed
        A different seed gives different UIDs and patients.
    """
    family = ("Adler", "Brandt", "Castillo", "Dubois", "Eriksson", "Fischer", "Görgün", "Horvat")
    given = ("Ada", "Bruno", "Clara", "David", "Élise", "Frida", "Georg")
    studies = []
    for number in range(count):
        patient = number % patients if patients else number
        studies.append(
            Study(
                number=number,
                patient_id=f"SYN{seed}-{patient:05d}",
                patient_name=f"{family[patient % len(family)]}^{given[patient % len(given)]}",
                study_date=f"{start + timedelta(days=number * 7 % days):%Y%m%d}",
                study_time=f"{8 + number % 10:02d}{number % 60:02d}00",
                modalities=tuple(modalities[number % len(modalities)]),
                instances=instances,
                syntax=syntax,
                seed=seed,
            )
        )
    return studies


_AWKWARD: Mapping[str, Mapping[str, Any]] = {
    "no patient id": {"patient_id": None},
    "empty patient id": {"patient_id": ""},
    "path traversal": {"patient_id": "../../x"},
    "slash": {"patient_id": "a/b"},
    "same without slash": {"patient_id": "a_b"},
    "dot dot": {"patient_id": ".."},
    "device name": {"patient_id": "CON"},
    "lower case twin": {"patient_id": "con"},
    "64 characters": {"patient_id": "L" * 64},
    "300 characters": {"patient_id": "M" * 300},
    "300 characters, other end": {"patient_id": "M" * 299 + "N"},
    "japanese, iso 2022": {
        "patient_id": "患者一",
        "patient_name": "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "charset": "\\ISO 2022 IR 87",
    },
    "japanese, utf-8": {
        "patient_id": "患者二",
        "patient_name": "Suzuki^Hanako=鈴木^花子=すずき^はなこ",
        "charset": "ISO_IR 192",
    },
    "undated": {"study_date": "", "study_time": ""},
    "no patient name": {"patient_name": ""},
    "implicit": {"syntax": IMPLICIT_LE},
}


def awkward_studies(*, study_date: str = "20200615", seed: int = 900) -> dict[str, Study]:
    """Describe studies that break naive software, by their peculiarity.

    All are CT studies of ``study_date`` with one series of two instances, except the undated.
    """
    return {
        name: Study(
            **{
                "number": number,
                "patient_id": f"AWK-{number:03d}",
                "patient_name": f"Awkward^{number}",
                "study_date": study_date,
                "description": name.upper()[:64],
                "seed": seed,
                **what,
            }
        )
        for number, (name, what) in enumerate(_AWKWARD.items())
    }


def write_studies(folder: Path, studies: Iterable[Study]) -> list[Path]:
    """Write the files of all studies, one folder per study, and return their paths."""
    return [path for study in studies for path in study.write(folder)]
