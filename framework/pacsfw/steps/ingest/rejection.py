"""Rejection notes: key objects that withdraw other instances (IHE RAD IOCM, PS3.16 CID 7011)."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from pacsfw.dicom.header import FileHeader

KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"

REASONS = frozenset({"113001", "113037", "113038", "113039"})
"""Code values of the scheme DCM: rejected for quality reasons, for patient safety, incorrect
modality worklist entry, data retention policy expired."""


def rejected(header: FileHeader, sop_class: str) -> tuple[tuple[str, str], ...]:
    """Return (study UID, SOP Instance UID) of the instances that a note withdraws.

    Raises
    ------
    UnreadableObject
        The file is malformed.
    """
    if sop_class != KEY_OBJECT_SELECTION:
        return ()
    dataset = header.dataset
    try:
        titles = dataset.get("ConceptNameCodeSequence") or ()
        if not any(title.get("CodeValue") in REASONS for title in titles):
            return ()
        return tuple(_evidence(dataset))
    except Exception:  # noqa: BLE001 - pydicom raises any error; a broken note withdraws nothing
        return ()


def _evidence(dataset: Dataset) -> Iterator[tuple[str, str]]:
    for study in dataset.get("CurrentRequestedProcedureEvidenceSequence") or ():
        for series in study.get("ReferencedSeriesSequence") or ():
            for item in series.get("ReferencedSOPSequence") or ():
                yield str(study.StudyInstanceUID), str(item.ReferencedSOPInstanceUID)
