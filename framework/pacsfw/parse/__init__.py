"""Reading tags in Python: one file, several, or a whole folder.

>>> from pacsfw import DicomTag, parse_dir
>>> rows = parse_dir("scans", ["PatientID", DicomTag("StudyDate", type="date")])
>>> table = rows.to_pandas()

The functions read as `pacsfw parse` does and make the same cells: a failure of one cell leaves it
empty and is told, a file without a row is listed, and nothing is dropped in silence. Importing
`pacsfw` does not import this module, nor pydicom; the first use of one of its names does.
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
from pacsfw.parse.rows import Failure, ParsedRow, Rows
from pacsfw.parse.tags import Dicom, DicomTag, DicomTagGroup, Tags, header_of

__all__ = [
    "DicomTag",
    "DicomTagGroup",
    "Failure",
    "ParsedRow",
    "Rows",
    "UnreadableObject",
    "get_tag_value",
    "parse_dicom",
    "parse_dicoms",
    "parse_dir",
]


def parse_dicom(dicom: Dicom, tags: Tags) -> ParsedRow:
    """Read some tags of one object.

    Parameters
    ----------
    dicom
        Path of a file, or a pydicom data set.
    tags
        `DicomTag`, mappings with the keys of ``tags:``, plain tag names, or a `DicomTagGroup`,
        which is quicker where it is used again.

    Returns
    -------
    ParsedRow
        Column to cell. A cell that failed is None, and ``errors`` of the row says why.

    Raises
    ------
    ConfigError
        Something is wrong with a tag.
    UnreadableObject
        The file is not DICOM, or damaged.
    OSError
        It cannot be opened or read.
    """
    return _group(tags).parse_dicom(dicom)


def parse_dicoms(dicoms: Iterable[Dicom], tags: Tags) -> Rows:
    """Read some tags of several objects, one after the other.

    Returns
    -------
    Rows
        One row for each object that can be read; ``failures`` has the others.

    Raises
    ------
    ConfigError
        Something is wrong with a tag.
    """
    return _group(tags).parse_dicoms(dicoms)


def parse_dir(path: str | Path, tags: Tags, *, workers: int = 0, limit: int = 0) -> Rows:
    """Read some tags of every DICOM file below a folder, in the order of their names.

    Members of zip archives are read, too, and instead of a folder one file, zip archive or
    DICOMDIR will do. Files that are not DICOM are in ``failures`` and counted in ``tally``.

    Parameters
    ----------
    workers
        Read in so many processes, which a damaged file cannot hurt; 0: in this one. A script
        that starts some needs ``if __name__ == "__main__":``, and its functions in a module.
    limit
        Look at so many files only; 0: at every one.

    Raises
    ------
    ConfigError
        Something is wrong with a tag.
    FileNotFoundError
        There is no such folder.
    """
    return _group(tags).parse_dir(path, workers=workers, limit=limit)


def get_tag_value(
    dicom: Dicom | FileHeader,
    tag_name: str | Sequence[str],
    *,
    callback: Callable[[Any], Any] | None = None,
    default_val: Any = None,
) -> Any:
    """Return the value of a tag as pydicom gives it.

    Parameters
    ----------
    dicom
        Path of a file, a pydicom data set, or what a layout is given.
    tag_name
        A keyword or tag path; of several, the first that has a value.
    callback
        Is called with the value; what it raises is not caught.
    default_val
        What is returned where none of them has a value.

    Raises
    ------
    ValueError
        There is no such keyword, or the value cannot be decoded.
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
