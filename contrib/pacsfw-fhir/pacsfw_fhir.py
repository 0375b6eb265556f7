"""The sink ``fhir``: every study as a FHIR R4 ImagingStudy resource."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pacsfw import Component, hookimpl
from pacsfw.api import Batch, Sink, Stored, Verdict
from pacsfw.durable import replacing, sync_folder

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_URI = "urn:ietf:rfc:3986"

SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "minLength": 1, "description": "Folder of the resources."},
        "patient_system": {
            "type": "string",
            "default": "",
            "description": "URI of the system of the patient IDs.",
        },
        "timezone": {
            "type": "string",
            "default": "",
            "description": "Time zone of the instances, such as Europe/Zurich.",
        },
    },
    "required": ["path"],
    "additionalProperties": False,
}


class FhirSink(Sink):
    """Writes one file per study, replaced as a whole.

    Parameters
    ----------
    path
        The folder; it is created.
    patient_system
        ``Identifier.system`` of patient IDs.
    timezone
        IANA name. Without it only the date is written: a FHIR dateTime with a time needs a zone.

    Raises
    ------
    ValueError
        The time zone does not exist.
    """

    def __init__(self, path: str, patient_system: str = "", timezone: str = "") -> None:
        self._folder = Path(path)
        self._patient_system = patient_system
        try:
            self._zone = ZoneInfo(timezone) if timezone else None
        except (KeyError, OSError, ValueError) as err:
            raise ValueError(f"timezone: {timezone!r} is unknown") from err

    def deliver(self, batch: Batch) -> None:
        """Write the resource of a study; delete it if the study has no instances."""
        target = self._folder / f"ImagingStudy-{batch.key}.json"
        if not batch.files:
            target.unlink(missing_ok=True)
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        resource = self._resource(batch)
        with replacing(target) as file:
            file.write(json.dumps(resource, indent=1).encode())
        sync_folder(self._folder)

    def _resource(self, batch: Batch) -> dict[str, Any]:
        headers = [(file, _header(file.path)) for file in batch.files]
        headers.sort(key=lambda each: (each[0].series_uid, _number(each[1].get("InstanceNumber"))))
        series = [
            self._series(uid, list(group))
            for uid, group in groupby(headers, key=lambda each: each[0].series_uid)
        ]
        first = headers[0][1]
        modalities = sorted({each["modality"]["code"] for each in series})
        return _filled(
            resourceType="ImagingStudy",
            id=batch.key,
            identifier=_identifiers(batch.key, _text(first, "AccessionNumber")),
            status=_status(batch.verdict),
            modality=[_coding(_DCM, code) for code in modalities],
            subject=self._subject(_text(first, "PatientID")),
            started=self._started(first, "StudyDate", "StudyTime"),
            numberOfSeries=len(series),
            numberOfInstances=len(headers),
            description=_text(first, "StudyDescription"),
            series=series,
        )

    def _series(self, uid: str, headers: Sequence[tuple[Stored, Any]]) -> dict[str, Any]:
        first = headers[0][1]
        return _filled(
            uid=uid,
            number=_number(first.get("SeriesNumber")),
            modality=_coding(_DCM, _text(first, "Modality") or "OT"),
            description=_text(first, "SeriesDescription"),
            numberOfInstances=len(headers),
            started=self._started(first, "SeriesDate", "SeriesTime"),
            instance=[
                _filled(
                    uid=file.sop_uid,
                    sopClass=_coding(_URI, f"urn:oid:{file.sop_class}"),
                    number=_number(header.get("InstanceNumber")),
                )
                for file, header in headers
            ],
        )

    def _subject(self, patient_id: str) -> dict[str, Any]:
        if not patient_id:
            return {"display": "unknown"}
        return {"identifier": _filled(system=self._patient_system, value=patient_id)}

    def _started(self, header: Any, date: str, time: str) -> str:
        day, at = _text(header, date), _text(header, time)
        try:
            moment = datetime.strptime(day + at[:6].ljust(6, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007 - the zone is added below
        except ValueError:
            return ""  # not a valid date
        if self._zone is None or not at:
            return f"{moment:%Y-%m-%d}"
        return moment.replace(tzinfo=self._zone).isoformat()


def _header(path: Path) -> Any:
    from pacsfw.dicom.header import read_header  # imports pydicom, which is slow

    return read_header(path)


def _text(header: Any, keyword: str) -> str:
    return str(header.get(keyword) or "").strip()


def _number(value: Any) -> int | None:
    """Return a FHIR unsignedInt, or None for an invalid value."""
    try:
        number = int(str(value))
    except ValueError:
        return None
    return number if 0 <= number < 2**31 else None


def _identifiers(uid: str, accession: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}]
    if accession:
        kind = _coding("http://terminology.hl7.org/CodeSystem/v2-0203", "ACSN")
        found.append({"type": {"coding": [kind]}, "value": accession})
    return found


def _status(verdict: Verdict | None) -> str:
    return "available" if verdict is not None and verdict.is_complete else "unknown"


def _coding(system: str, code: str) -> dict[str, str]:
    return {"system": system, "code": code}


def _filled(**fields: Any) -> dict[str, Any]:
    """Return the fields with a value: FHIR does not allow empty ones."""
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


@hookimpl
def pacsfw_sinks() -> Iterator[Component[Sink]]:
    """Offer ``fhir``."""
    yield Component(
        name="fhir",
        factory=FhirSink,
        schema=SCHEMA,
        summary="every study as a FHIR R4 ImagingStudy, one JSON file each",
    )
