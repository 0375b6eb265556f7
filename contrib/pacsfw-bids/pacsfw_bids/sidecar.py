"""The converter ``bids-sidecar``: the BIDS metadata of a series, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pacsfw.api import Converter, Header, OutputFile, Stored
from pacsfw_bids.naming import Naming

TEXTS = {
    "Modality": "Modality",
    "Manufacturer": "Manufacturer",
    "ManufacturerModelName": "ManufacturersModelName",
    "SoftwareVersions": "SoftwareVersions",
    "BodyPartExamined": "BodyPartExamined",
    "ProtocolName": "ProtocolName",
    "SeriesDescription": "SeriesDescription",
    "ScanningSequence": "ScanningSequence",
    "SequenceVariant": "SequenceVariant",
    "MRAcquisitionType": "MRAcquisitionType",
    "SequenceName": "SequenceName",
}
"""DICOM keyword to the key of BIDS."""
NUMBERS = {
    "MagneticFieldStrength": ("MagneticFieldStrength", 1.0),  # T
    "EchoTime": ("EchoTime", 1e-3),  # ms in DICOM, s in BIDS
    "RepetitionTime": ("RepetitionTime", 1e-3),
    "InversionTime": ("InversionTime", 1e-3),
    "FlipAngle": ("FlipAngle", 1.0),  # degrees
    "SliceThickness": ("SliceThickness", 1.0),  # mm
    "PixelBandwidth": ("PixelBandwidth", 1.0),  # Hz
}
"""DICOM keyword to the key of BIDS and the factor between the units."""


class Sidecar(Converter):
    """Writes one sidecar for each series; the parameters are those of the layout."""

    def __init__(
        self,
        rules: Sequence[Mapping[str, str]] | None = None,
        subject: str = "PatientID",
        session: str = "StudyDate",
    ) -> None:
        self._naming = Naming(rules, subject, session)

    def convert(self, files: Sequence[Stored], out: Path) -> Iterator[OutputFile]:
        """Write the sidecar of a series from its first instance.

        Raises
        ------
        ValueError
            A file cannot be read, or contains a different instance.
        """
        from pacsfw.dicom.header import read_header  # imports pydicom, which is slow

        headers = [read_header(file.path) for file in files]
        for file, header in zip(files, headers, strict=True):
            if header.get("SOPInstanceUID") != file.sop_uid:
                raise ValueError(
                    f"the file of {file.sop_uid} contains a different instance, or none"
                )
        first = headers[0]
        path = out / f"{self._naming.name(first)}.json"
        path.write_text(json.dumps(self._content(first), indent=2) + "\n", encoding="utf-8")
        sources = tuple(file.sop_uid for file in files)
        yield OutputFile(path=path, media_type="application/json", sources=sources)

    def _content(self, header: Header) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for keyword, key in TEXTS.items():
            text = _joined(header.get(keyword))
            if text:
                found[key] = text
        for keyword, (key, factor) in NUMBERS.items():
            number = _number(header.get(keyword))
            if number is not None:
                found[key] = round(number * factor, 9)
        if task := self._naming.task(header):
            found["TaskName"] = task
        return found


def _joined(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    return "_".join(map(str, value)) if isinstance(value, Sequence) else str(value)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
