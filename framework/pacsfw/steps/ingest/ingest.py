"""The work on one instance in a worker process: read its header, store it, make its row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pacsfw.api import Layout
from pacsfw.dicom import integrity
from pacsfw.dicom.cell_errors import CellError
from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import FileHeader, HeaderReader, irregular
from pacsfw.dicom.part10 import read_file_meta
from pacsfw.dicom.tagpath import parse
from pacsfw.errors import Skip
from pacsfw.ledger.cells import NO_CELLS
from pacsfw.ledger.instances import Instance
from pacsfw.spool.adoption import rewrite_head
from pacsfw.spool.records import Sealed
from pacsfw.steps.ingest.commit import (
    Occupied,
    OtherContent,
    PathConflict,
    commit,
    dataset_digest,
)
from pacsfw.steps.ingest.placing import InstanceRefused, Placing
from pacsfw.steps.ingest.rejection import rejected

ReadRow = Callable[[FileHeader], tuple[str, Sequence[CellError]]]
"""From a header to its cells as stored in the ledger, and the errors behind empty cells."""

_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
UNSOLICITED = "unsolicited: its study was not requested"
QUARANTINE = "quarantine"
"""Folder in the state folder for instances that could not be stored."""
VERSIONS = "versions"
"""Folder in the state folder for other content of stored instances."""
HELD = "held"
"""Folder in the state folder for instances whose sender is not known yet."""


@dataclass(frozen=True, slots=True)
class Reparse:
    """A job: read the row of a stored instance again."""

    instance: Instance
    number: int = 0
    """Its number in the ledger."""


@dataclass(frozen=True, slots=True)
class Place:
    """A job: ask the layout for the path of a stored instance."""

    instance: Instance


@dataclass(frozen=True, slots=True)
class Placed:
    """Outcome of `Place`: the path below the dataset folder, empty if the layout fails."""

    path: str


@dataclass(frozen=True, slots=True)
class Unwritable:
    """Outcome if the dataset folder cannot be written; the instance stays in the spool."""

    reason: str


@dataclass(frozen=True, slots=True)
class Vanished:
    """Outcome if the spool file is gone: a worker of a killed driver was still using it."""


class Ingest:
    """Turns jobs into outcomes; never raises, whatever an instance contains.

    Parameters
    ----------
    archive
        ``storage.directory``.
    state
        ``storage.state``.
    layout, layout_name
        Names the folders and the file of an instance; its name, distribution and version.
    rule
        The fingerprint of the layout, for what it leaves out.
    placed_by, read_by
        The numbers of the layout and of the callbacks in the ledger's `Provenance`.
    reader
        Reads headers. It learns from the first instance which attributes the layout needs.
    known
        The studies that the collection found or listed.
    unsolicited
        Whether instances of other studies are stored, too; otherwise they are quarantined.
    durable
        No power cut may lose an instance at any time.
    close
        Closes the layout and the callbacks, at the end of the worker.
    """

    def __init__(
        self,
        archive: Path,
        state: Path,
        layout: Layout,
        layout_name: str,
        read_row: ReadRow,
        reader: HeaderReader | None = None,
        known: frozenset[str] = frozenset(),
        *,
        rule: str = "",
        placed_by: int | None = None,
        read_by: int | None = None,
        unsolicited: bool = True,
        durable: bool = False,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.close = close
        self._archive, self._state, self._below = archive, state, f"{archive.as_posix()}/"
        self._durable_below = archive if durable else None
        self._placing = Placing(layout, layout_name, rule, archive, state)
        self._read_row = read_row
        self._placed_by, self._read_by = placed_by, read_by
        self._known, self._unsolicited = known, unsolicited
        self._reader = reader or HeaderReader()
        self._reader.want([*map(parse, (*_UIDS, "PatientID")), *integrity.PATHS])

    def __call__(self, job: Sealed | Reparse | Place) -> Instance | Placed | Unwritable | Vanished:
        """Do one job."""
        if isinstance(job, Reparse):
            return self._reparse(job.instance)
        if isinstance(job, Place):
            return self._path_now(job.instance)
        if not self._archive.is_dir():
            return Unwritable("storage.directory is not a folder any more")
        try:
            return self._store(job)
        except OSError as err:
            if isinstance(err, FileNotFoundError) and not job.path.exists():
                return Vanished()
            return Unwritable(err.strerror or type(err).__name__)

    def _store(self, sealed: Sealed) -> Instance:
        record, spooled = _record(sealed), sealed.path
        try:
            header = self._reader.read(spooled)
            record = self._attribute(_identify(record, header), sealed)
            _check_identity(record, sealed, header)
            header.odd |= integrity.check(spooled, header)
            if record.sop_uid != sealed.sop_uid:
                rewrite_head(sealed, record.sop_uid)
            if not self._unsolicited and record.study_uid not in self._known:
                raise InstanceRefused(UNSOLICITED)
            if sealed.hold and record.study_uid in self._known:
                return _hold(record, spooled, self._state)
            rejects = rejected(header, record.sop_class)
            try:
                path = self._placing.place(header)
            except Skip as err:
                return self._placing.left_out(record, err, header, rejects)
            row, errors = self._read_row(header)
            if not self._commit(spooled, path, record):
                record = _as_stored(record, path)
        except OtherContent:
            kept = keep(spooled, self._state / VERSIONS, record.digest)
            return as_version(record, kept.relative_to(self._state))
        except InstanceRefused as err:
            return quarantine(sealed, self._state, str(err), record, err.component)
        except (UnreadableObject, integrity.Damaged, Occupied) as err:
            return quarantine(sealed, self._state, str(err), record)
        return replace(
            record,
            path=path.as_posix()[len(self._below) :],
            row=row,
            errors=(*errors, *irregular(header)),
            rejects=rejects,
            placed_by=self._placed_by,
            read_by=self._read_by,
        )

    def _commit(self, spooled: Path, path: Path, record: Instance) -> bool:
        """Store a file as `commit` does.

        Raises
        ------
        OtherContent
            Other content of this instance has the path.
        InstanceRefused
            The layout gives the path to something else, too.
        """
        try:
            return commit(
                spooled,
                path,
                record.sop_uid,
                record.digest,
                record.syntax,
                durable_below=self._durable_below,
            )
        except PathConflict as err:
            raise self._placing.refused(str(err)) from err
        except OtherContent as err:
            if self._is_of_series(path, record):
                raise
            why = f"gives the same path to an instance of another series or study: {err}"
            raise self._placing.refused(why) from err

    def _attribute(self, record: Instance, sealed: Sealed) -> Instance:
        """Attribute an instance to the study in which the PACS lists it.

        Some PACS correct their database and not their files. The data set decides if the
        collection knows the study that it names, or if several studies list the instance.
        """
        named = record.study_uid
        listed = [study_uid for study_uid, _ in sealed.listed]
        if (
            len(listed) != 1
            or named in listed
            or named in self._known
            or record.sop_uid != sealed.sop_uid
        ):
            return record
        return replace(record, study_uid=listed[0], named_study=named)

    def _is_of_series(self, path: Path, record: Instance) -> bool:
        """Return whether the instance at ``path`` names the same study and series."""
        try:
            there = _identify(record, self._reader.read(path))
        except (UnreadableObject, OSError):
            return False
        named = record.named_study or record.study_uid
        return (there.study_uid, there.series_uid) == (named, record.series_uid)

    def _reparse(self, instance: Instance) -> Instance:
        try:
            header = self._reader.read(self._archive / instance.path)
            row, errors = self._read_row(header)
        except (UnreadableObject, OSError) as err:
            return without_row(instance, f"{type(err).__name__}: the stored file cannot be read")
        errors = (*errors, *irregular(header))
        return replace(instance, row=row, errors=errors, read_by=self._read_by)

    def _path_now(self, instance: Instance) -> Placed:
        """Return where the layout puts a stored instance now."""
        try:
            path = self._placing.place(self._reader.read(self._archive / instance.path))
        except InstanceRefused:
            return Placed("")
        except (UnreadableObject, OSError, Skip):  # what is stored stays stored
            return Placed(instance.path)
        return Placed(path.as_posix()[len(self._below) :])


def without_row(instance: Instance, reason: str) -> Instance:
    """Return a stored instance whose row cannot be read: all its cells are empty."""
    return replace(instance, row=NO_CELLS, errors=(CellError.of_row("read", reason),))


def quarantine(
    sealed: Sealed, state: Path, reason: str, record: Instance | None = None, component: str = ""
) -> Instance:
    """Keep the bytes of an instance that cannot be stored, named by its digest.

    ``component`` is the one that caused it, with its distribution and version.
    """
    record = record or _record(sealed)
    kept = keep(sealed.path, state / QUARANTINE, record.digest)
    path = kept.relative_to(state).as_posix()
    return replace(record, state="quarantined", reason=reason, component=component, path=path)


def _hold(record: Instance, spooled: Path, state: Path) -> Instance:
    """Keep an instance until its sender is known."""
    kept = keep(spooled, state / HELD, record.digest)
    reason = "held: its sender is not known"
    return replace(record, state="held", reason=reason, path=kept.relative_to(state).as_posix())


def as_version(record: Instance, kept: Path) -> Instance:
    """Return an instance whose UID is stored with other content: it has no table row."""
    reason = "other content is stored under the same SOP Instance UID"
    return replace(
        record, state="version", reason=reason, path=kept.as_posix(), row=NO_CELLS, errors=()
    )


def keep(path: Path, folder: Path, digest: str) -> Path:
    """Move a file into a folder of the state, named by its digest."""
    folder.mkdir(mode=0o700, exist_ok=True)
    kept = folder / f"{digest}.dcm"
    path.replace(kept)
    return kept


def _record(sealed: Sealed) -> Instance:
    return Instance(
        sop_uid=sealed.sop_uid,
        digest=sealed.digest or dataset_digest(sealed.path, sealed.size),
        study_uid=sealed.listed[0][0] if len(sealed.listed) == 1 else "",
        series_uid="",
        sop_class=sealed.sop_class,
        syntax=sealed.syntax,
        size=sealed.size,
        path="",
        state="stored",
        calling_ae=sealed.calling_ae,
        address=sealed.address,
    )


def _identify(record: Instance, header: FileHeader) -> Instance:
    """Take the UIDs from the data set: some PACS send others in the C-STORE request."""
    uids = {keyword: _text(header, keyword) for keyword in _UIDS}
    return replace(
        record,
        study_uid=uids["StudyInstanceUID"] or record.study_uid,
        series_uid=uids["SeriesInstanceUID"],
        sop_uid=uids["SOPInstanceUID"] or record.sop_uid,
    )


def _check_identity(record: Instance, sealed: Sealed, header: FileHeader) -> None:
    if not _text(header, "StudyInstanceUID"):
        raise InstanceRefused("it has no StudyInstanceUID")
    if not header.get("SOPInstanceUID"):  # in this case `record` has the UID of the request
        raise InstanceRefused("it has no SOPInstanceUID")
    if record.named_study:
        [(_, listed)] = sealed.listed
        named = _text(header, "PatientID")
        if listed and named and named != listed.strip("\0 "):
            raise InstanceRefused(
                "its StudyInstanceUID and its PatientID are not those that the PACS lists"
            )


def _text(header: FileHeader, keyword: str) -> str:
    return str(header.get(keyword) or "").strip("\0 ")


def _as_stored(record: Instance, path: Path) -> Instance:
    """Describe the encoding in which the instance is already stored."""
    meta = read_file_meta(path)
    size = path.stat().st_size - meta.offset_of_dataset
    return replace(record, digest=dataset_digest(path), syntax=meta.syntax, size=size)
