"""The description of a synthetic study, without its files."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

EXPLICIT_LE = "1.2.840.10008.1.2.1"
IMPLICIT_LE = "1.2.840.10008.1.2"

SOP_CLASSES: Mapping[str, str] = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "OT": "1.2.840.10008.5.1.4.1.1.7",
    "SR": "1.2.840.10008.5.1.4.1.1.88.11",
}
"""Storage SOP class (PS3.4 B.5) of each supported modality."""

SIZE = 16
"""Rows and columns of every image; the pixels are 16 bit, so an image has 512 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDescription:
    """One study: one series per entry of ``modalities``, with ``instances`` in each.

    ``number`` and ``seed`` determine the UIDs. All other values are free, including values
    that DICOM forbids, which some tests need.
    """

    number: int
    patient_id: str | None
    """None: the attribute is absent; empty string: it is empty."""
    patient_name: str
    study_date: str = ""
    """``YYYYMMDD``; empty for an undated study."""
    study_time: str = "101530"
    modalities: tuple[str, ...] = ("CT",)
    instances: int = 2
    charset: str = "ISO_IR 100"
    """Specific Character Set (PS3.3 C.12.1.1.2); several terms are joined by a backslash."""
    syntax: str = EXPLICIT_LE
    description: str = "SYNTHETIC STUDY"
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Additional attributes by keyword, for every instance; None removes a standard one."""
    seed: int = 1

    @property
    def uid(self) -> str:
        """StudyInstanceUID."""
        return self._uid()

    def series_uid(self, series: int) -> str:
        """SeriesInstanceUID of the series with this number, from 1."""
        return self._uid(series)

    def sop_uid(self, series: int, instance: int) -> str:
        """SOPInstanceUID of an instance; both numbers count from 1."""
        return self._uid(series, instance)

    @property
    def sop_uids(self) -> tuple[str, ...]:
        """The SOPInstanceUID of every instance."""
        return tuple(self.sop_uid(*numbers) for numbers in self.numbers())

    def numbers(self) -> Iterator[tuple[int, int]]:
        """Yield the numbers of series and instance, both from 1, of every instance."""
        for series in range(1, len(self.modalities) + 1):
            for instance in range(1, self.instances + 1):
                yield series, instance

    def _uid(self, *numbers: int) -> str:
        name = "/".join(map(str, ("pacsfw-synthetic", self.seed, self.number, *numbers)))
        return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, name).int}"
