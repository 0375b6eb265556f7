"""The instances that a faulty retrieve sends, and their state: child process only."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias
from uuid import uuid4

from pydicom import dcmread
from pydicom.uid import UID

from pacsfw.dicom.part10 import file_head, read_file_meta
from pacsfw.testing._records import Instance
from pacsfw.testing.pacs_faults import OTHER_STUDY, PRIVATE_SYNTAX, Faults

_CUT = 40
"""Number of bytes missing at the end of a truncated instance."""

Fate: TypeAlias = Literal["sent", "lost", "failed"]


@dataclass(frozen=True, slots=True)
class Parcel:
    """One instance of a retrieve, and how it is sent."""

    instance: Instance
    fate: Fate = "sent"
    truncated: bool = False
    repeated: bool = False
    """It has been sent before, so its sub-operation is not counted."""
    extra: bool = False
    """It is sent under a new SOP Instance UID."""
    private: bool = False
    """It is offered in `PRIVATE_SYNTAX` only."""
    foreign: bool = False
    """Somebody else sends it, with other content."""


def parcels(wanted: Iterable[Instance], faults: Faults, last: list[str]) -> Iterator[Parcel]:
    """Yield how to send each instance; ``last`` are the UIDs of the study in order."""
    lost, failed, cut, private = (
        frozenset(last[-number:] if number else ())
        for number in (faults.lose, faults.fail, faults.truncate, faults.private_syntax)
    )
    for instance in wanted:
        uid = instance.key("IMAGE")
        fate: Fate = "lost" if uid in lost else "failed" if uid in failed else "sent"
        if faults.stranger:
            yield Parcel(instance, repeated=True, foreign=True)
        yield Parcel(instance, fate, truncated=uid in cut, private=uid in private)
        if faults.duplicate and fate == "sent":
            yield Parcel(instance, fate, truncated=uid in cut, repeated=True)


class Copies:
    """Modified copies of stored files, for instances sent in another state."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sent: dict[str, int] = {}
        self._lock = threading.Lock()

    def file(self, parcel: Parcel, faults: Faults) -> Path:
        """Return the file to send."""
        path, uid = parcel.instance.file(), parcel.instance.key("IMAGE")
        with self._lock:
            times = self._sent[uid] = self._sent.get(uid, 0) + 1
        copy = self._folder / f"{uuid4().hex}.dcm"
        changes = {}
        if (faults.change and times > 1) or parcel.foreign:
            changes["InstitutionName"] = f"CHANGED {times}"
        if faults.other_study:
            changes["StudyInstanceUID"] = parcel.instance.key("STUDY") + OTHER_STUDY
        if faults.other_patient:
            changes["PatientID"] = "SOMEBODY ELSE"
        if changes:
            dataset = dcmread(path)
            for keyword, value in changes.items():
                setattr(dataset, keyword, value)
            dataset.save_as(copy, enforce_file_format=True)
            path = copy
        if parcel.extra:
            dataset = dcmread(path)
            dataset.SOPInstanceUID = f"{uid}.{times}"
            dataset.file_meta.MediaStorageSOPInstanceUID = UID(f"{uid}.{times}")
            dataset.save_as(copy, enforce_file_format=True)
            path = copy
        if faults.part10 or parcel.private:
            syntax = PRIVATE_SYNTAX if parcel.private else parcel.instance.syntax
            offset = 0 if faults.part10 else read_file_meta(path).offset_of_dataset
            head = file_head(parcel.instance.sop_class, uid, syntax, "")
            copy.write_bytes(head + path.read_bytes()[offset:])
            path = copy
        if parcel.truncated:
            copy.write_bytes(path.read_bytes()[:-_CUT])
            path = copy
        return path
