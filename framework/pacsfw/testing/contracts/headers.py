"""Headers of ordinary, difficult and nearly empty instances."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pacsfw.dicom.header import FileHeader, read_header
from pacsfw.testing.synthetic import Study, awkward_studies, make_studies

ORDINARY = 4
"""Ordinary studies, with one or two series each."""


def ordinary_headers(folder: Path) -> list[FileHeader]:
    """Return the headers of some ordinary studies."""
    return [header for study in make_studies(ORDINARY) for header in _headers(study, folder)]


def awkward_headers(folder: Path) -> Iterator[tuple[str, FileHeader]]:
    """Yield headers as found in real PACS, each with its peculiarity."""
    for what, study in awkward_studies().items():
        for header in _headers(study, folder / "awkward"):
            yield what, header
    yield "nothing but UIDs", _bare(folder)


def _headers(study: Study, folder: Path) -> list[FileHeader]:
    return [read_header(path) for path in study.write(folder)]


def _bare(folder: Path) -> FileHeader:
    from pydicom.dataset import Dataset  # slow to import

    whole = next(iter(make_studies(1)[0].datasets()))
    bare = Dataset()
    bare.file_meta = whole.file_meta
    kept = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
    for keyword in kept:
        setattr(bare, keyword, getattr(whole, keyword))
    path = folder / "bare.dcm"
    bare.save_as(path, enforce_file_format=True)
    return read_header(path)
