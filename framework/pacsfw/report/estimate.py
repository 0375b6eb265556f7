"""Estimates of the instances and bytes of studies that are not all counted or stored.

The number of instances is the count of the PACS, otherwise the mean of the studies of the
same modality. The bytes are that number times the mean size of the stored instances of that
modality, otherwise times a usual size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pacsfw.words import count

COUNT_KEY = "NumberOfStudyRelatedInstances"

_TYPICAL: Mapping[str, tuple[int, int]] = {
    "CT": (300, 512 * 512 * 2),
    "MR": (300, 320 * 320 * 2),
    "PT": (300, 180 * 180 * 2),
    "NM": (5, 500_000),
    "CR": (2, 2048 * 2500 * 2),
    "DX": (2, 3000 * 2500 * 2),
    "MG": (4, 4000 * 3300 * 2),
    "US": (30, 1_000_000),
    "XA": (15, 1024 * 1024 * 20),
    "RF": (10, 1024 * 1024 * 2),
    "SR": (1, 10_000),
    "PR": (1, 10_000),
    "KO": (1, 10_000),
}
"""Modality -> instances per study, bytes per instance: rows times columns times bytes per pixel
of common matrix sizes, uncompressed; XA with 20 frames."""
_TYPICAL_OTHER = (10, 500_000)

NOTHING = "none"
ASSUMED = "assumed"
"""First word of the source of a figure that was neither measured nor counted."""

_NO_IMAGES = frozenset({"SR", "PR", "KO", "DOC", "REG", "SEG", "RTSTRUCT", "RTPLAN", "AU"})
"""Modalities that accompany the images of a study and are small."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, or None if unknown, and its source."""

    value: float | int | None
    source: str


@dataclass(frozen=True, slots=True)
class Load:
    """A number of studies, instances and bytes."""

    studies: Figure
    instances: Figure
    bytes: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalityLoad:
    """The studies of one modality, or of one combination of modalities."""

    modality: str
    studies: int
    instances: int
    bytes: int
    bytes_per_instance: Figure


_Modalities: TypeAlias = tuple[str, ...]


@dataclass(slots=True)
class _Tally:
    """Studies, the studies whose instances the PACS counted, and that count."""

    studies: int = 0
    counted: int = 0
    instances: int = 0

    def add(self, other: _Tally, sign: int = 1) -> None:
        self.studies += sign * other.studies
        self.counted += sign * other.counted
        self.instances += sign * other.instances


_Tallies: TypeAlias = Mapping[_Modalities, _Tally]


class Estimate:
    """Sum up studies by modality.

    Parameters
    ----------
    stored
        ModalitiesInStudy -> instances of such studies already stored, and their bytes.
    """

    def __init__(self, stored: Mapping[str, tuple[int, int]]) -> None:
        self._stored = [(_split(text), *weighed) for text, weighed in stored.items() if weighed[0]]
        self._found: dict[_Modalities, _Tally] = {}
        self._complete: dict[_Modalities, _Tally] = {}

    def add(self, study: Mapping[str, str], *, complete: bool) -> None:
        """Count one study by its ModalitiesInStudy and NumberOfStudyRelatedInstances."""
        instances = _number(study.get(COUNT_KEY, ""))
        one = _Tally(1, int(instances > 0), instances)
        modalities = _modalities(study)
        self._found.setdefault(modalities, _Tally()).add(one)
        if complete:
            self._complete.setdefault(modalities, _Tally()).add(one)

    def expected(self, source: str) -> Load:
        """Return the total; ``source`` is the source of the number of studies."""
        return self._load(self._found, source)

    def complete(self) -> int:
        """Return the number of complete studies."""
        return _sum(self._complete).studies

    def to_fetch(self, source: str) -> Load:
        """Return the studies that are not complete."""
        rest = {}
        for modalities, tally in self._found.items():
            rest[modalities] = _sum({modalities: tally})
            rest[modalities].add(self._complete.get(modalities, _Tally()), sign=-1)
        return self._load({key: each for key, each in rest.items() if each.studies}, source)

    def by_modality(self) -> Sequence[ModalityLoad]:
        """Return the studies by modality, most bytes first."""
        found = []
        for modalities, tally in self._found.items():
            instances, size = self._instances(modalities, tally), self._size(modalities)
            found.append(
                ModalityLoad(
                    modality=_name(modalities),
                    studies=tally.studies,
                    instances=round(instances),
                    bytes=round(instances * (size.value or 0)),
                    bytes_per_instance=size,
                )
            )
        return tuple(sorted(found, key=lambda each: (-each.bytes, each.modality)))

    def _load(self, tallies: _Tallies, source: str) -> Load:
        instances = {key: self._instances(key, tally) for key, tally in tallies.items()}
        sizes = {key: self._size(key) for key in tallies}
        size = sum(number * (sizes[key].value or 0) for key, number in instances.items())
        return Load(
            Figure(_sum(tallies).studies, source),
            Figure(round(sum(instances.values())), self._count_source(tallies)),
            Figure(round(size), _size_source(sizes)),
        )

    def _instances(self, modalities: _Modalities, tally: _Tally) -> float:
        """Return the number of instances, with an estimate for uncounted studies."""
        same = self._found[modalities]
        known = same if same.counted else _sum(self._found)
        mean = known.instances / known.counted if known.counted else _typical(modalities, 0)
        return tally.instances + (tally.studies - tally.counted) * mean

    def _size(self, modalities: _Modalities) -> Figure:
        """Return the mean bytes per instance: of the same modalities, else of one of them."""
        same = [each for each in self._stored if each[0] == modalities]
        like = [each for each in self._stored if set(each[0]) & set(modalities)]
        weighed = same or like
        if not weighed:
            return Figure(_typical(modalities, 1), ASSUMED)
        instances = sum(number for _, number, _ in weighed)
        size = sum(size for _, _, size in weighed)
        return Figure(size / instances, f"measured over {count(instances, 'instance')} stored")

    def _count_source(self, tallies: _Tallies) -> str:
        total = _sum(tallies)
        if not total.studies:
            return NOTHING
        if total.counted == total.studies:
            return f"counted by the PACS ({COUNT_KEY})"
        if not _sum(self._found).counted:
            return f"{ASSUMED} by modality: the PACS returned no {COUNT_KEY}"
        return (
            f"{total.counted:,} of {count(total.studies, 'study')} counted by the PACS "
            f"({COUNT_KEY}), the others estimated by the mean of their modality, or of all"
        )


def _size_source(sizes: Mapping[_Modalities, Figure]) -> str:
    if not sizes:
        return NOTHING
    assumed = sorted(_name(key) for key, each in sizes.items() if each.source == ASSUMED)
    if not assumed:
        return "measured: bytes per stored instance"
    if len(assumed) == len(sizes):
        return f"{ASSUMED}: usual bytes per instance of each modality, uncompressed"
    return f"measured: bytes per stored instance; {ASSUMED} for {'; '.join(assumed)}"


def _modalities(study: Mapping[str, str]) -> _Modalities:
    return _split(study.get("ModalitiesInStudy") or study.get("Modality", ""))


def _split(text: str) -> _Modalities:
    """Return the modalities of a study; reports and the like only if there are no others."""
    found = sorted(set(text.split("\\")) - {""})
    return tuple(each for each in found if each not in _NO_IMAGES) or tuple(found)


def _name(modalities: _Modalities) -> str:
    return ", ".join(modalities) or "unknown"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _typical(modalities: _Modalities, which: int) -> float:
    """Return the usual instances per study (0) or bytes per instance (1)."""
    usual = [_TYPICAL.get(each, _TYPICAL_OTHER)[which] for each in modalities or ("",)]
    return sum(usual) / len(usual)


def _sum(tallies: _Tallies) -> _Tally:
    total = _Tally()
    for tally in tallies.values():
        total.add(tally)
    return total
