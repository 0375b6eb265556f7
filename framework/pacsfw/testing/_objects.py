"""The data sets behind `pacsfw.testing.synthetic`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from pacsfw.testing._study import SIZE, SOP_CLASSES, StudyDescription

IMPLEMENTATION_UID = "2.25.320912870531461213276438291117906093817"

OF_STUDY: Mapping[str, Callable[[StudyDescription], Any]] = {
    "SpecificCharacterSet": lambda study: study.charset.split("\\"),
    "PatientName": lambda study: study.patient_name,
    "PatientID": lambda study: study.patient_id,
    "PatientBirthDate": lambda _study: "19700131",
    "PatientSex": lambda _study: "O",
    "PatientAge": lambda _study: "050Y",
    "StudyInstanceUID": lambda study: study.uid,
    "StudyDate": lambda study: study.study_date,
    "StudyTime": lambda study: study.study_time,
    "StudyID": lambda study: str(study.number),
    "AccessionNumber": lambda study: f"ACC{study.seed}-{study.number}",
    "ReferringPhysicianName": lambda _study: "",
    "StudyDescription": lambda study: study.description,
}
"""The attributes shared by all instances of a study, unless overridden by ``extra``."""


def build(study: StudyDescription, series: int, instance: int) -> Dataset:
    """Create one instance of a study; both numbers count from 1."""
    attributes = describe(study, series, instance)
    dataset = Dataset()
    dataset.file_meta = _meta(study, attributes)
    if study.modalities[series - 1] != "SR":
        attributes.setdefault("PixelData", _pixels(series, instance))
    for keyword, value in attributes.items():
        if value is not None:
            _put(dataset, keyword, value)
    return dataset


def describe(study: StudyDescription, series: int, instance: int) -> dict[str, Any]:
    """Return the attributes of an instance by keyword, without pixels; None: absent."""
    modality = study.modalities[series - 1]
    attributes = {keyword: of(study) for keyword, of in OF_STUDY.items()}
    attributes |= _series(study, series)
    attributes |= {
        "SOPClassUID": SOP_CLASSES[modality],
        "SOPInstanceUID": study.sop_uid(series, instance),
        "InstanceNumber": instance,
        "ContentDate": study.study_date,
        "ContentTime": study.study_time,
    }
    attributes |= _report() if modality == "SR" else _image(modality, instance)
    return {**attributes, **study.extra}


def _put(dataset: Dataset, keyword: str, value: Any) -> None:
    """Set an attribute without validation: some studies are invalid on purpose."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword!r} is not a DICOM keyword")
    vr = "OW" if keyword == "PixelData" else dictionary_VR(tag).split(" ")[0]
    dataset.add(DataElement(tag, vr, value, validation_mode=config.IGNORE))


def _meta(study: StudyDescription, attributes: dict[str, Any]) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(attributes["SOPClassUID"])
    meta.MediaStorageSOPInstanceUID = UID(attributes["SOPInstanceUID"])
    meta.TransferSyntaxUID = UID(study.syntax)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    return meta


def _series(study: StudyDescription, series: int) -> dict[str, Any]:
    return {
        "SeriesInstanceUID": study.series_uid(series),
        "SeriesNumber": series,
        "SeriesDescription": f"SERIES {series}",
        "Modality": study.modalities[series - 1],
        "SeriesDate": study.study_date,
        "SeriesTime": study.study_time,
        "Manufacturer": "pacsfw",
    }


def _image(modality: str, instance: int) -> dict[str, Any]:
    return {
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SliceThickness": "2.5",
        "PixelSpacing": ["0.5", "0.5"],
        "ImagePositionPatient": ["0", "0", f"{2.5 * instance}"],
        "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
        "BodyPartExamined": "CHEST",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": SIZE,
        "Columns": SIZE,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "RescaleIntercept": "-1024" if modality == "CT" else None,
        "RescaleSlope": "1" if modality == "CT" else None,
    }


def _pixels(series: int, instance: int) -> bytes:
    """Draw a bright disc, placed and sized by the numbers; 12 bit, little endian."""
    radius = 2 + instance % (SIZE // 2)
    centre = SIZE // 2 + series % 3
    values = (
        3000 if (x - centre) ** 2 + (y - centre) ** 2 < radius**2 else 16 * (x + y)
        for y in range(SIZE)
        for x in range(SIZE)
    )
    return b"".join(value.to_bytes(2, "little") for value in values)


def _report() -> dict[str, Any]:
    """Return the content of a minimal Basic Text SR (PS3.3 A.35.1): a titled, empty container."""
    title = Dataset()
    title.CodeValue = "18748-4"
    title.CodingSchemeDesignator = "LN"
    title.CodeMeaning = "Diagnostic imaging report"
    return {
        "ValueType": "CONTAINER",
        "ConceptNameCodeSequence": [title],
        "ContinuityOfContent": "SEPARATE",
        "CompletionFlag": "COMPLETE",
        "VerificationFlag": "UNVERIFIED",
    }
