"""Compare rows with what dcmdump prints of the same files, and explain every difference.

    PYTHONPATH=tests python -m support.against_dcmdump FOLDER...

prints how many files and cells were compared and which rules explain the differences. It ends
with 1 if a difference is explained by none.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pacsfw.config import Tag
from pacsfw.dicom.whole import read_whole
from pacsfw.parse.tree.file_reader import DIRECTORY, INCOMPLETE, FileReader, Parsed, Unparsed
from pacsfw.parse.tree.formats import START, format_of
from pacsfw.parse.tree.walk import Item
from pacsfw.parse.worker import file_reader
from pacsfw.plugins import PluginPlan, discover
from pacsfw.steps.tags.reading import CellReader, ReadingSpec

COLUMNS = (
    "ImageType", "SOPClassUID", "SOPInstanceUID", "StudyDate", "SeriesDate", "AcquisitionDate",
    "StudyTime", "AccessionNumber", "Modality", "Manufacturer", "InstitutionName",
    "StudyDescription", "SeriesDescription", "ManufacturerModelName", "PatientID", "PatientName",
    "PatientBirthDate", "PatientSex", "PatientAge", "PatientWeight", "BodyPartExamined",
    "SliceThickness", "KVP", "ProtocolName", "StudyInstanceUID", "SeriesInstanceUID", "StudyID",
    "SeriesNumber", "InstanceNumber", "ImagePositionPatient", "PixelSpacing", "Rows", "Columns",
    "BitsAllocated", "WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept",
    "Laterality", "ContentDate", "ReferringPhysicianName", "PatientComments",
    "LossyImageCompression", "FrameOfReferenceUID", "PixelRepresentation", "NumberOfFrames",
    "PhotometricInterpretation", "StationName", "OperatorsName",
)  # fmt: skip
_LINE = re.compile(r"\([0-9a-f]{4},[0-9a-f]{4}\) (\S\S) (.*?) *#\s*[\d/ul]+, *\d+ (\w+)$")
_HEX = re.compile(r"[0-9a-f]{2}(\\[0-9a-f]{2})*")
_LARGEST = 30_000_000
UNKNOWN = "unknown value representation"
STRAY = "a delimiter that ends nothing"
ENDS_OF_DCMDUMP = {STRAY, "an item that is longer than its sequence"}
"""Irregularities at which dcmdump ends, without an error."""

ROW_OF_WHAT_IT_REFUSES: dict[str, str | tuple[str, ...]] = {
    "pixel data": "damaged pixel data",
    "transfer syntax": "encoding differs from the transfer syntax",
    "stray delimiters": STRAY,
    "unknown VR": UNKNOWN,
    "zeros": "zeros after the last element",
    "sequences": ("a sequence that cannot be read", "UN with items in Explicit VR", "an item "),
}
"""Rules of files that dcmdump refuses, but that have a row: with which warning it begins."""
NO_ROW_OF_WHAT_IT_READS = {
    "no preamble": "not a DICOM Part 10 file",
    "no data set": "it has no data set",
}
"""Rules of files that dcmdump reads, but that have no row: with which reason."""


GUESSES = "guesses"
"""The rule of files that are damaged, and that dcmdump reads with a warning: it takes a VR or a
length for granted without proof."""


class Dump(NamedTuple):
    """What dcmdump says of a file."""

    is_readable: bool
    warns: bool
    is_utf_8: bool
    values: Mapping[str, str]


def dumped(path: Path) -> Dump:
    """Return the top-level values, the first of each; of a file that it refuses, none."""
    for more in (["+U8"], []):
        command = ["dcmdump", "-Un", "+uc", "-M", "+L", *more, str(path)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode == 0:
            break
    found: dict[str, str] = {}
    for line in done.stdout.decode(errors="replace").splitlines():
        if match := _LINE.match(line):
            value = "" if match[2] == "(no value available)" else match[2]
            value = value[1:-1] if value[:1] == "[" and value[-1:] == "]" else value
            if match[1] == "??" and _HEX.fullmatch(value):
                value = bytes.fromhex(value.replace("\\", "")).decode("latin-1")
            found.setdefault(match[3], value)
    return Dump(done.returncode == 0, b"W:" in done.stderr, bool(more), found)


def reader(columns: Iterable[str] = COLUMNS, folder: Path | None = None) -> FileReader:
    """Return a reader of these columns, as text."""
    tags = tuple(
        Tag(names=(each,), alias=each, default=None, callbacks=(), type="text", where="")
        for each in columns
    )
    spec = ReadingSpec(plugins=PluginPlan(), tags=tags, call_seconds=0)
    cells = CellReader(spec, discover(spec.plugins))
    return file_reader(cells, folder or Path(tempfile.gettempdir()))


def verdict_rule(path: Path, outcome: Parsed | Unparsed, dump: Dump) -> str | None:
    """Return the rule that explains different verdicts, "" if they agree, None without one."""
    if isinstance(outcome, Unparsed):
        if not dump.is_readable:
            return ""
        if outcome.kind in (DIRECTORY, INCOMPLETE):
            return "DICOMDIR"
        rules = NO_ROW_OF_WHAT_IT_READS.items()
        rule = next((rule for rule, reason in rules if outcome.reason == reason), None)
        return rule or (GUESSES if dump.warns else None)
    if outcome.fault and dump.is_readable:
        if ENDS_OF_DCMDUMP.intersection(outcome.odd):
            return "stray delimiters"
        return GUESSES if dump.warns else None
    if outcome.fault or dump.is_readable or any(not error.column for error in outcome.errors):
        return ""  # the last one: it is listed as no instance
    # Sequences that no column names are not looked into, so that a row does not tell of them.
    known = outcome.odd or read_whole(path).odd
    rules = ROW_OF_WHAT_IT_REFUSES.items()
    return next((rule for rule, kind in rules if any(odd.startswith(kind) for odd in known)), None)


def differences(
    path: Path, outcome: Parsed | Unparsed, dump: Dump
) -> Iterator[tuple[str, str | None, str]]:
    """Yield column, cell and dcmdump's value, where they differ without an error."""
    if isinstance(outcome, Unparsed) or not dump.is_readable:
        return
    failed = {error.column for error in outcome.errors}
    for column, cell in zip(COLUMNS, outcome.row, strict=True):
        theirs = dump.values.get(column, "")
        if column in failed or _is_beyond_comparison(cell or "", theirs, dump):
            continue
        if _trimmed(cell or "", column) == _trimmed(theirs, column):
            continue
        if theirs or not ENDS_OF_DCMDUMP & read_whole(path).odd.keys():
            yield column, cell, theirs


def _is_beyond_comparison(cell: str, theirs: str, dump: Dump) -> bool:
    """Return whether dcmdump does not show a value in full, or not decoded."""
    if (
        theirs == "(not loaded)"
        or "\ufffd" in theirs
        or not (dump.is_utf_8 or (cell + theirs).isascii())
    ):
        return True
    return any(ord(letter) < 32 for letter in cell + theirs)


def _trimmed(text: str, column: str) -> list[str]:
    """Return the values without padding; a NUL within one is a blank in tables.

    dcmdump leaves out the blanks within UIDs.
    """
    if column.endswith("UID"):
        text = text.replace(" ", "")
    return [value.strip(" \0").replace("\0", " ") for value in text.split("\\")]


@dataclass
class Comparison:
    """The result for many files."""

    verdicts: Counter[str] = field(default_factory=Counter)
    cells: int = 0
    unexplained: list[str] = field(default_factory=list)

    def add(self, path: Path, outcome: Parsed | Unparsed, dump: Dump) -> None:
        """Compare one file."""
        rule = verdict_rule(path, outcome, dump)
        if rule is None:
            read = "reads" if dump.is_readable else "refuses"
            what = outcome[2:] if isinstance(outcome, Parsed) else outcome
            self.unexplained.append(f"{path}: dcmdump {read} it: {what}")
        self.verdicts[rule or "agree"] += 1
        if isinstance(outcome, Parsed):
            self.cells += len(COLUMNS) * dump.is_readable
            if not any(outcome.row) and not outcome.errors:
                self.unexplained.append(f"{path}: an empty row without an error")
        for column, cell, theirs in differences(path, outcome, dump):
            self.unexplained.append(f"{path}: {column}: {cell!r}, but dcmdump: {theirs!r}")


def compare(paths: Iterable[Path]) -> Comparison:
    """Compare all these files."""
    found, rows = Comparison(), reader()
    with ThreadPoolExecutor(2) as pool:
        paths = [path for path in paths if not _is_packed(path)]
        for path, dump in zip(paths, pool.map(dumped, paths), strict=True):
            found.add(path, rows.read(Item(str(path))), dump)
    return found


def _is_packed(path: Path) -> bool:
    """Return whether it is an archive or compressed, which dcmdump does not look into."""
    with path.open("rb") as file:
        return format_of(file.read(START), path.name) is not None


def main(folders: list[str]) -> int:
    """Print the comparison of all files below these folders."""
    every = (path for folder in folders for path in sorted(Path(folder).rglob("*")))
    found = compare(path for path in every if path.is_file() and path.stat().st_size < _LARGEST)
    print(f"files {found.verdicts.total():,}, cells {found.cells:,}")
    for rule, number in found.verdicts.most_common():
        print(f"  {number:7,}  {rule}")
    for each in found.unexplained:
        print(each[:300])
    print(f"unexplained {len(found.unexplained)}")
    return bool(found.unexplained)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
