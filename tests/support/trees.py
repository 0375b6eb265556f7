"""Trees of DICOM files with everything that a disc from elsewhere may hold."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from pacsfw.testing import make_studies, write_studies

TAGS = """\
tags:
  - tag_name: PatientID
  - tag_name: StudyDate
    tag_alias: study_date
    type: date
  - tag_name: SOPInstanceUID
  - tag_name: InstanceNumber
    type: int
"""


def write_tags(path: Path, text: str = TAGS) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def write_images(folder: Path, studies: int, instances: int = 2) -> list[Path]:
    """Write CT images as files with and without extension; return their paths, sorted."""
    write_studies(folder, make_studies(studies, modalities=[["CT"]], instances=instances))
    for number, path in enumerate(sorted(folder.rglob("*.dcm"))):
        if number % 3 == 0:
            path.rename(path.with_suffix(""))
    return sorted(path for path in folder.rglob("*") if path.is_file())


def write_media(folder: Path, images: list[Path]) -> Path:
    """Write a disc with a DICOMDIR (PS3.3 annex F, without its hierarchy); return its path."""
    (folder / "IMAGES").mkdir(parents=True)
    directory, meta = Dataset(), FileMetaDataset()
    directory.DirectoryRecordSequence = []
    for number, image in enumerate(images):
        name = f"IM{number:06}"
        shutil.copy(image, folder / "IMAGES" / name)
        record = Dataset()
        record.DirectoryRecordType = "IMAGE"
        record.ReferencedFileID = ["IMAGES", name]
        directory.DirectoryRecordSequence.append(record)
    meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    meta.MediaStorageSOPInstanceUID = "2.25.1"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    directory.file_meta = meta
    directory.save_as(folder / "DICOMDIR", enforce_file_format=True)
    return folder / "DICOMDIR"


def write_archive(path: Path, images: list[Path], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for number, image in enumerate(images):
            archive.write(image, f"folder/{number:03}.dcm")
        archive.writestr("folder/readme.txt", "no image")


def write_hostile(folder: Path, image: Path) -> int:
    """Write files that are no images or damaged; return how many are damaged."""
    data = image.read_bytes()
    folder.mkdir()
    (folder / "notes.txt").write_text("nothing")
    (folder / "empty").write_bytes(b"")
    (folder / "office").write_bytes(b"PK\x03\x04" + b"\0" * 200)
    within_a_uid = data.index(b"\x20\0\x0d\0UI") + 12
    (folder / "cut.dcm").write_bytes(data[:within_a_uid])
    (folder / "bare").write_bytes(data[data.index(b"\x08\0\x05\0") :])
    (folder / "html.dcm").write_text("<html>")
    (folder / "broken.zip").write_bytes(b"PK\x03\x04 and then nothing")
    (folder / "link").symlink_to("nowhere")
    return 6
