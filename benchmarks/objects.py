"""Synthetic objects to read: slices of a CT, small objects, enhanced multi-frame objects."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian

ROOT = "2.25.7331"
PER_SERIES = 50


def item(**attributes: object) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def slice_of_ct(number: int, size: int) -> Dataset:
    """A header of some 100 elements, with sequences and a private block, as CT scanners write."""
    patient, instance = divmod(number, PER_SERIES)
    day = f"{date(2020, 1, 1) + timedelta(days=patient * 7 % 700):%Y%m%d}"
    made = item(
        SpecificCharacterSet="ISO_IR 100", ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
        InstanceCreationDate=day, InstanceCreationTime="101500.123", SOPClassUID=CTImageStorage,
        SOPInstanceUID=f"{ROOT}.{patient}.1.{instance}", StudyDate=day, SeriesDate=day,
        AcquisitionDate=day, ContentDate=day, StudyTime="100000", SeriesTime="100500",
        AcquisitionTime="101000.5", ContentTime="101001", AccessionNumber=f"A{patient:06}",
        Modality="CT", Manufacturer="Maker", InstitutionName="Hospital of Examples",
        ReferringPhysicianName="Doe^Referring", StationName="CT1",
        StudyDescription="CT thorax and abdomen", SeriesDescription="axial 1.0 soft",
        InstitutionalDepartmentName="Radiology", PerformingPhysicianName="Doe^Performing",
        OperatorsName="Doe^Operating", ManufacturerModelName="Model 64",
        ProcedureCodeSequence=[item(CodeValue="CTTA", CodingSchemeDesignator="99X",
                                    CodeMeaning="CT thorax and abdomen")],
        ReferencedImageSequence=[
            item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=f"{ROOT}.9.{each}")
            for each in range(3)
        ],
        PatientName=f"Example{patient}^Given", PatientID=f"P{patient:06}",
        PatientBirthDate="19600101", PatientSex="MF"[patient % 2], PatientAge="060Y",
        PatientSize="1.75", PatientWeight="75.5", BodyPartExamined="CHEST", ScanOptions="HELIX",
        SliceThickness="1.0", KVP="120", DataCollectionDiameter="500",
        DeviceSerialNumber="12345", SoftwareVersions=["v1.2.3", "b77"],
        ProtocolName="Thorax routine", ReconstructionDiameter="350",
        DistanceSourceToDetector="1085.6", DistanceSourceToPatient="595",
        GantryDetectorTilt="0", TableHeight="150", RotationDirection="CW", ExposureTime="500",
        XRayTubeCurrent="220", Exposure="110", FilterType="WEDGE", GeneratorPower="26",
        FocalSpots="1.2", DateOfLastCalibration="20200101", ConvolutionKernel="B30f",
        PatientPosition="HFS", StudyInstanceUID=f"{ROOT}.{patient}",
        SeriesInstanceUID=f"{ROOT}.{patient}.1", StudyID="1", SeriesNumber=1,
        AcquisitionNumber=1, InstanceNumber=instance,
        ImagePositionPatient=["-170.5", "-170.5", f"{instance:.1f}"],
        ImageOrientationPatient=["1", "0", "0", "0", "1", "0"],
        FrameOfReferenceUID=f"{ROOT}.{patient}.99", PositionReferenceIndicator="",
        SliceLocation=f"{instance:.1f}", SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2",
        Rows=size, Columns=size, PixelSpacing=["0.6836", "0.6836"], BitsAllocated=16,
        BitsStored=12, HighBit=11, PixelRepresentation=0, WindowCenter=["40", "-600"],
        WindowWidth=["400", "1200"], RescaleIntercept="-1024", RescaleSlope="1",
        RescaleType="HU", RequestingPhysician="Doe^Requesting",
        RequestedProcedureDescription="CT thorax", PerformedProcedureStepStartDate=day,
        PerformedProcedureStepID="PPS", RequestAttributesSequence=[
            item(ScheduledProcedureStepID="SPS1", RequestedProcedureID="RP1")
        ],
    )  # fmt: skip
    block = made.private_block(0x0019, "MAKER CT HEADER", create=True)
    for element in range(12):
        block.add_new(element, "LO", f"private value {element}")
    return made


def enhanced(number: int, frames: int) -> Dataset:
    """A multi-frame object with functional groups for each of its frames."""
    made = slice_of_ct(number, 16)
    made.SOPClassUID = EnhancedCTImageStorage
    made.NumberOfFrames = frames
    made.PerFrameFunctionalGroupsSequence = Sequence(
        item(
            FrameContentSequence=[item(InStackPositionNumber=each, StackID="1")],
            PlanePositionSequence=[item(ImagePositionPatient=["-170.5", "-170.5", f"{each}.0"])],
        )
        for each in range(frames)
    )
    return made


def write(folder: Path, count: int, kind: str) -> list[Path]:
    """Write ``ct`` (512 KB), ``small`` (5 KB) or ``enhanced`` (4,000 frames) objects."""
    noise = os.urandom(512 * 512 * 2)
    paths = []
    for number in range(count):
        made = enhanced(number, 4000) if kind == "enhanced" else slice_of_ct(
            number, 512 if kind == "ct" else 32
        )  # fmt: skip
        made.PixelData = noise[: made.Rows * made.Columns * 2 * int(made.get("NumberOfFrames", 1))]
        made["PixelData"].VR = "OW"
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = folder / f"{number // PER_SERIES:04}" / f"{number:06}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        made.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths
