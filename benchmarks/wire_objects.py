"""Synthetic objects as the bytes of a C-STORE: made once, numbered anew for each sending."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from pydicom.dataset import Dataset

from pacsfw.dicom.part10 import file_head

CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
EXPLICIT = "1.2.840.10008.1.2.1"
PER_STUDY = 100
"""Objects of one study, all in one series."""

_CONTEXT_ID = 1
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Shape:
    """How large an image is: ``frames`` of ``side`` times ``side`` samples of 16 bits."""

    side: int
    frames: int = 1

    @property
    def pixel_bytes(self) -> int:
        return self.side * self.side * 2 * self.frames

    @property
    def sop_class(self) -> str:
        return CT if self.frames == 1 else ENHANCED_CT


SHAPES = {"ct": Shape(512), "small": Shape(48), "huge": Shape(512, 4095)}
"""A CT slice of 512 KB, one with few pixels of 5 KB, and 2 GB in one object."""


class Message:
    """One C-STORE request with its data set as P-DATA PDUs.

    Parameters
    ----------
    shape
        Size of the image.
    largest
        Bytes of the variable field of a P-DATA PDU, at most.
    """

    def __init__(self, shape: Shape, largest: int) -> None:
        header = _header(shape)
        self.size = len(header) + shape.pixel_bytes
        self._pixels = random.Random(1).randbytes(min(shape.pixel_bytes, _CHUNK))
        self._largest = largest - 6
        self._left = shape.pixel_bytes if shape.pixel_bytes > _CHUNK else 0
        data = header if self._left else header + self._pixels
        request = _pdu(_command(shape), 3)
        self._bytes = bytearray(request + b"".join(self._pdus(data, ends=not self._left)))
        self._uids = [
            (of, place)
            for of in (sop_uid, study_uid, series_uid)
            for place in _places(self._bytes, of(0, 0).encode())
        ]
        self._message_id = self._bytes.index(struct.pack("<HHL", 0, 0x0110, 2)) + 8

    def numbered(self, run: int, number: int) -> bytearray:
        """The bytes of one object, in the same buffer every time."""
        struct.pack_into("<H", self._bytes, self._message_id, number % 65535 + 1)
        for of, place in self._uids:
            uid = of(run, number).encode()
            self._bytes[place : place + len(uid)] = uid
        return self._bytes

    def rest(self) -> Iterator[bytes]:
        """What follows where the object is too large to be kept whole."""
        left = self._left
        middle = _pdu(self._pixels[: self._largest], 0)
        while left > self._largest:
            yield middle
            left -= self._largest
        if left:
            yield _pdu(self._pixels[:left], 2)

    def _pdus(self, data: bytes, *, ends: bool) -> Iterator[bytes]:
        for start in range(0, len(data), self._largest):
            last = ends and start + self._largest >= len(data)
            yield _pdu(data[start : start + self._largest], 2 if last else 0)


def sop_uid(run: int, number: int) -> str:
    """A SOP Instance UID; like those of studies and series, all are of one length."""
    return f"2.25.{700_000_000_000_001 + run * 10_000_000 + number}"


def study_uid(run: int, number: int) -> str:
    return f"2.25.{8_000_000_000_001 + run * 1_000_000 + number // PER_STUDY}"


def series_uid(run: int, number: int) -> str:
    return f"2.25.{9_000_000_000_001 + run * 1_000_000 + number // PER_STUDY}"


def part10(shape: Shape, run: int, number: int) -> bytes:
    """The same object as a file."""
    data = _header(shape)
    for of in (sop_uid, study_uid, series_uid):
        data = data.replace(of(0, 0).encode(), of(run, number).encode())
    head = file_head(shape.sop_class, sop_uid(run, number), EXPLICIT, "")
    return head + data + random.Random(number).randbytes(shape.pixel_bytes)


def association_request(called: str, shape: Shape, calling: str = "BENCH") -> bytes:
    """An A-ASSOCIATE-RQ PDU (PS3.8 table 9-11) with one presentation context."""
    context = bytes((_CONTEXT_ID, 0, 0, 0))
    context += _item(0x30, shape.sop_class.encode()) + _item(0x40, EXPLICIT.encode())
    user = _item(0x51, struct.pack(">L", 131072)) + _item(0x52, b"2.25.1451314333756574966485812")
    body = struct.pack(">HH", 1, 0) + called.ljust(16).encode() + calling.ljust(16).encode()
    body += bytes(32) + _item(0x10, b"1.2.840.10008.3.1.1.1")
    body += _item(0x20, context) + _item(0x50, user)
    return struct.pack(">BxL", 1, len(body)) + body


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def _pdu(fragment: bytes, control: int) -> bytes:
    size = len(fragment)
    return struct.pack(">BxLLBB", 4, size + 6, size + 2, _CONTEXT_ID, control) + fragment


def _places(data: bytearray, value: bytes) -> Iterator[int]:
    place = data.find(value)
    while place >= 0:
        yield place
        place = data.find(value, place + 1)


def _command(shape: Shape) -> bytes:
    elements = {
        0x0002: shape.sop_class.encode(),
        0x0100: b"\x01\0",
        0x0110: b"\x01\0",
        0x0700: b"\0\0",
        0x0800: b"\0\0",
        0x1000: sop_uid(0, 0).encode(),
    }
    body = b""
    for number, value in elements.items():
        even = value + b"\0" * (len(value) % 2)
        body += struct.pack("<HHL", 0, number, len(even)) + even
    return struct.pack("<HHLL", 0, 0, 4, len(body)) + body


def _header(shape: Shape) -> bytes:
    """The data set up to the value of its pixel data."""
    buffer = BytesIO()
    _described(shape).save_as(buffer, implicit_vr=False, little_endian=True)
    pixels = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, shape.pixel_bytes)
    return buffer.getvalue() + pixels


def _described(shape: Shape) -> Dataset:
    """About as many elements as a scanner writes: sequences and a private block too."""
    dataset = Dataset()
    for keyword, value in _ATTRIBUTES.items():
        setattr(dataset, keyword, value)
    dataset.SOPClassUID = shape.sop_class
    dataset.Rows = dataset.Columns = shape.side
    if shape.frames > 1:
        dataset.NumberOfFrames = shape.frames
    dataset.SOPInstanceUID = sop_uid(0, 0)
    dataset.StudyInstanceUID = study_uid(0, 0)
    dataset.SeriesInstanceUID = series_uid(0, 0)
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "ABCD", "DCM", "Chest"
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CT, "2.25.1"
    reference.PurposeOfReferenceCodeSequence = [code]
    dataset.ProcedureCodeSequence = [code]
    dataset.ReferencedImageSequence = [reference, reference]
    block = dataset.private_block(0x0009, "PACSFW BENCHMARK", create=True)
    for number in range(24):
        block.add_new(number, "LO", f"private value {number}")
    return dataset


_ATTRIBUTES = {
    "SpecificCharacterSet": "ISO_IR 100",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "StudyDate": "20200615",
    "SeriesDate": "20200615",
    "AcquisitionDate": "20200615",
    "ContentDate": "20200615",
    "StudyTime": "101530",
    "SeriesTime": "101530",
    "AcquisitionTime": "101531",
    "ContentTime": "101532",
    "AccessionNumber": "ACC1",
    "Modality": "CT",
    "Manufacturer": "pacsfw",
    "InstitutionName": "Synthetic Hospital",
    "ReferringPhysicianName": "",
    "StationName": "CT1",
    "StudyDescription": "SYNTHETIC STUDY",
    "SeriesDescription": "CHEST 2.5",
    "ManufacturerModelName": "Benchmark",
    "PatientName": "Benchmark^Synthetic",
    "PatientID": "BENCH-1",
    "PatientBirthDate": "19700131",
    "PatientSex": "O",
    "PatientAge": "050Y",
    "BodyPartExamined": "CHEST",
    "ScanOptions": "HELICAL MODE",
    "SliceThickness": "2.5",
    "KVP": "120",
    "DataCollectionDiameter": "500",
    "SoftwareVersions": "1.0",
    "ProtocolName": "CHEST",
    "ReconstructionDiameter": "400",
    "GantryDetectorTilt": "0",
    "TableHeight": "150",
    "RotationDirection": "CW",
    "ExposureTime": "500",
    "XRayTubeCurrent": "200",
    "Exposure": "100",
    "FilterType": "BODY",
    "ConvolutionKernel": "STANDARD",
    "PatientPosition": "FFS",
    "StudyID": "1",
    "SeriesNumber": "1",
    "AcquisitionNumber": "1",
    "InstanceNumber": "1",
    "ImagePositionPatient": ["-200", "-200", "0"],
    "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
    "FrameOfReferenceUID": "2.25.2",
    "PositionReferenceIndicator": "SN",
    "SliceLocation": "0",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "PixelSpacing": ["0.78", "0.78"],
    "BitsAllocated": 16,
    "BitsStored": 12,
    "HighBit": 11,
    "PixelRepresentation": 0,
    "WindowCenter": "40",
    "WindowWidth": "400",
    "RescaleIntercept": "-1024",
    "RescaleSlope": "1",
}
