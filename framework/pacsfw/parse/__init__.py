"""Read tags in Python: from one file, several files, or all files below a folder.

>>> from pacsfw import DicomTag, parse_dir
>>> rows = parse_dir("scans", ["PatientID", DicomTag("StudyDate", type="date")])
>>> table = rows.to_pandas()

The functions return the same cells as `pacsfw parse`. A cell that failed is empty and has an
error, a file without a row is listed, and nothing is dropped silently. Importing `pacsfw` imports
neither this module nor pydicom; the first use of one of its names does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import FileHeader, HeaderReader
from pacsfw.dicom.tagpath import ABSENT
from pacsfw.dicom.tagpath import parse as parse_path
from pacsfw.dicom.values import is_empty
from pacsfw.parse.rows import Failure, ParsedRow, ParseWarning, Rows
from pacsfw.parse.tags import Dicom, DicomTag, DicomTagGroup, RowTag, Tags, header_of

__all__ = [
    "DicomTag",
    "DicomTagGroup",
    "Failure",
    "ParseWarning",
    "ParsedRow",
    "RowTag",
    "Rows",
    "UnreadableObject",
    "get_tag_value",
    "parse_dicom",
    "parse_dicoms",
    "parse_dir",
]


def parse_dicom(dicom: Dicom, tags: Tags) -> ParsedRow:
    """Read some tags of one instance.

    Parameters
    ----------
    dicom
        Path of a file, or a pydicom data set.
    tags
        `DicomTag`, `RowTag`, mappings with the keys of ``tags:``, plain tag names, or a
        `DicomTagGroup`, which is faster if you use it several times.

    Returns
    -------
    ParsedRow
        Column to cell. A cell that failed is None, and ``errors`` of the row gives the reason.

    Raises
    ------
    ConfigError
        A tag is invalid.
    UnreadableObject
        The file is not DICOM, or damaged.
    OSError
        The file cannot be opened or read.
    """
    return _group(tags).parse_dicom(dicom)


def parse_dicoms(dicoms: Iterable[Dicom], tags: Tags) -> Rows:
    """Read some tags of several instances, one after the other.

    Returns
    -------
    Rows
        One row for each readable instance; ``failures`` lists the others. They can be read
        several times, unless ``dicoms`` is an iterator.

    Raises
    ------
    ConfigError
        A tag is invalid.
    """
    return _group(tags).parse_dicoms(dicoms)


def parse_dir(
    path: str | Path, tags: Tags, *, workers: int = 0, limit: int = 0, bare: bool = False
) -> Rows:
    """Read some tags of every DICOM file below a folder, sorted by path.

    Members of zip archives are read, too. ``path`` may also be one file, zip archive or
    DICOMDIR. Files that are not DICOM are in ``failures`` and counted in ``tally``.

    Parameters
    ----------
    workers
        Number of processes, which isolate crashes by damaged files; 0: read in this process. A
        script that uses processes needs ``if __name__ == "__main__":``, and its functions in a
        module.
    limit
        Maximum number of files; 0: no limit.
    bare
        Whether to read data sets without preamble as well.

    Raises
    ------
    ConfigError
        A tag is invalid.
    FileNotFoundError
        The path does not exist.
    """
    return _group(tags).parse_dir(path, workers=workers, limit=limit, bare=bare)


def get_tag_value(
    dicom: Dicom | FileHeader,
    tag_name: str | Sequence[str],
    *,
    callback: Callable[[Any], Any] | None = None,
    default_val: Any = None,
) -> Any:
    """Return the value of a tag as pydicom represents it.

    Parameters
    ----------
    dicom
        Path of a file, a pydicom data set, or the header that a layout gets.
    tag_name
        A keyword or tag path; of several, the first one with a value is used.
    callback
        Called with the value; its exceptions are not caught.
    default_val
        Returned if none of the tags has a value.

    Raises
    ------
    ValueError
        The keyword is unknown, or the value cannot be decoded.
    """
    paths = [parse_path(name) for name in ([tag_name] if isinstance(tag_name, str) else tag_name)]
    header = dicom if isinstance(dicom, FileHeader) else header_of(dicom, HeaderReader(paths))
    for path in paths:
        value = header.value(path)
        if value is not ABSENT and not is_empty(value):
            return callback(value) if callback else value
    return default_val


def _group(tags: Tags) -> DicomTagGroup:
    return tags if isinstance(tags, DicomTagGroup) else DicomTagGroup(tags)
