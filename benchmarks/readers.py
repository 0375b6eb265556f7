"""Programs that read ten tags of many files; each runs in a process of its own.

    python benchmarks/readers.py METHOD LIST

LIST names one file per line. Prints the most memory the process had in bytes,
the seconds that it took, and the number of rows.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TAGS = {
    "PatientID": "text", "PatientName": "text", "StudyInstanceUID": "text",
    "SeriesInstanceUID": "text", "SOPInstanceUID": "text", "StudyDate": "date",
    "Modality": "text", "SliceThickness": "float", "InstanceNumber": "int",
    "PixelSpacing": "floats",
}  # fmt: skip
_DUMPED = 250
"""Files for one process of dcmdump."""
_CONVERTED = 50
"""Files that dcm2json, which takes one at a time, is given."""

Rows = Iterator[Any]


def pacsfw(files: list[str]) -> Rows:
    return _pacsfw(files, TAGS)


def _pacsfw(files: list[str], kinds: dict[str, str]) -> Rows:
    from pacsfw.config.model import Tag
    from pacsfw.dicom.header import HeaderReader
    from pacsfw.steps.tags.row_reader import RowReader

    tags = [
        Tag(names=(name,), alias=name, default=None, callbacks=(), type=kind, where="")  # type: ignore[arg-type]
        for name, kind in kinds.items()
    ]
    rows = RowReader(tags, [[] for _ in tags])
    headers = HeaderReader(rows.paths)
    for path in files:
        yield rows.read(headers.read(path))[0]  # type: ignore[arg-type]


def pacsfw_absent(files: list[str]) -> Rows:
    """One more tag, which no file has: all elements are walked over."""
    return _pacsfw(files, {**TAGS, "PatientComments": "text"})


def pacsfw_frames(files: list[str]) -> Rows:
    """The position of every frame, which lies in per-frame functional groups."""
    frames = "PerFrameFunctionalGroupsSequence[*].PlanePositionSequence.ImagePositionPatient"
    return _pacsfw(files, {frames: "floats"})


def pydicom_frames(files: list[str]) -> Rows:
    from pydicom import dcmread

    for file in files:
        frames = dcmread(file, stop_before_pixels=True).PerFrameFunctionalGroupsSequence
        yield [each.PlanePositionSequence[0].ImagePositionPatient for each in frames]


def pydicom(files: list[str]) -> Rows:
    from pydicom import dcmread

    for path in files:
        dataset = dcmread(path, stop_before_pixels=True)
        yield [dataset.get(tag) for tag in TAGS]


def pydicom_specific(files: list[str]) -> Rows:
    from pydicom import dcmread

    for path in files:
        dataset = dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS))
        yield [dataset.get(tag) for tag in TAGS]


def dicomsdl(files: list[str]) -> Rows:
    import dicomsdl as library

    for path in files:
        dataset = library.open(path, load_until=0x00280030)
        yield [getattr(dataset, tag) for tag in TAGS]


def fastdicom(files: list[str]) -> Rows:
    import fastdicom as library

    for path in files:
        dataset = library.dcmread(path, stop_before_pixels=True)
        yield [str(getattr(dataset, tag)) for tag in TAGS]


def fw_file_rs(files: list[str]) -> Rows:
    from fw_file_rs.dcm import Context

    context = Context().include_tags(list(TAGS)).stop_at_tags(["BitsAllocated"])
    for path in files:
        found = context.parse_header(context.read_until_pixels(path))
        yield [found.get(tag) for tag in TAGS]


def open_and_read(files: list[str]) -> Rows:
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        yield len(os.read(descriptor, 8192))
        os.close(descriptor)


def dcmdump(files: list[str]) -> Rows:
    options = [word for tag in TAGS for word in ("+P", tag)]
    for start in range(0, len(files), _DUMPED):
        some = files[start : start + _DUMPED]
        command = ["dcmdump", "-q", *options, "+fo", *some]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        yield from some


def dcm2json(files: list[str]) -> Rows:
    for path in files[:_CONVERTED]:
        subprocess.run(["dcm2json", path, "/dev/null"], check=True)
        yield path


METHODS: dict[str, Callable[[list[str]], Rows]] = {
    each.__name__: each
    for each in (
        pacsfw, pacsfw_absent, pacsfw_frames, pydicom, pydicom_specific, pydicom_frames,
        dicomsdl, fastdicom, fw_file_rs, open_and_read, dcmdump, dcm2json,
    )
}  # fmt: skip
_PACKAGES = {"dicomsdl", "fastdicom", "fw_file_rs"}


def is_here(method: str) -> bool:
    """Whether the package of a method is installed."""
    return method not in _PACKAGES or importlib.util.find_spec(method) is not None


def main() -> None:
    method, listing = sys.argv[1:]
    files = Path(listing).read_text().splitlines()
    if method in _PACKAGES:  # importing is not reading
        importlib.import_module(method)
    elif method.startswith(("pacsfw", "pydicom")):
        importlib.import_module("pacsfw.steps.tags.row_reader")
    begun = time.perf_counter()
    rows = list(METHODS[method](files))
    seconds = time.perf_counter() - begun
    print(peak(), seconds, len(rows))


def peak() -> int:
    status = Path("/proc/self/status")  # what getrusage says includes the process before it
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    main()
