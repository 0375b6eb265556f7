"""Run `verify`: read every file, query every study, and judge every study again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pacsfw.api import Verdict
from pacsfw.collection.pacs import ask_pacs, build_transfer, sizes_of, transfer_use
from pacsfw.errors import ComponentError
from pacsfw.ledger.cells import NO_CELLS
from pacsfw.ledger.evidence import FLAGS
from pacsfw.ledger.instances import Instance
from pacsfw.ledger.studies import Study
from pacsfw.plugins.pacs_query import PacsQuery
from pacsfw.report.verified import Verified
from pacsfw.steps.ingest.durability import Durability
from pacsfw.steps.ingest.ingest import QUARANTINE, keep
from pacsfw.steps.move.expected import Expectation, Expecting, found_number
from pacsfw.steps.move.judge import Judge
from pacsfw.steps.run import Run
from pacsfw.steps.verify.disk import Checked, check_files, unknown_files
from pacsfw.steps.verify.manifest import Manifest

UNKNOWN_FILES = "unknown_files.txt"
"""In the state folder: a list of files in the dataset folder that the ledger does not know."""


class VerifyStep:
    """Verifies one collection."""

    def __init__(self, run: Run) -> None:
        self._run, self._config, self._storage = run, run.config, run.storage
        self._ledger = run.ledger
        self._judge = Judge(run, Durability(run), {})
        self._sizes = sizes_of(run)
        self._result = Verified()

    def run(self, manifest: Path, *, offline: bool) -> Verified:
        """Check all files, query all studies on the study list, and write the manifest.

        Raises
        ------
        RemoteError
            The PACS could not be queried.
        StateError
            The manifest cannot be written.
        """
        known: set[str] = set()
        with Manifest(manifest) as writer, self._open_pacs(offline=offline) as pacs:
            for uid in self._ledger.studies.uids():
                self._study(uid, pacs, writer, known)
            writer.study({})
            for each in self._check(self._ledger.instances.kept_of_study("")):
                writer.file(each, None, [], {})
        self._list_unknown_files(known | self._converted(), manifest)
        self._result.verdicts = self._ledger.studies.counts()
        self._result.flags = self._ledger.evidence.flags()
        self._result.manifest = str(manifest)
        return self._result

    @contextmanager
    def _open_pacs(self, *, offline: bool) -> Iterator[PacsQuery | None]:
        if offline:
            yield None
            return
        use, _ = transfer_use(self._config, self._run.registry)
        with ask_pacs(self._run, build_transfer(use, self._run.registry)) as pacs:
            yield pacs

    def _study(self, uid: str, pacs: PacsQuery | None, writer: Manifest, known: set[str]) -> None:
        checked = self._check(self._ledger.instances.kept_of_study(uid))
        lost = [
            each.instance
            for each in checked
            if each.condition in ("missing", "damaged") and each.instance.state == "stored"
        ]
        for each in checked:
            self._count_and_set_aside(each)
            if each.instance.state == "stored":
                known.add(each.instance.path)
        study = self._ledger.studies.get(uid)
        if study is not None and study.verdict is not None:
            self._judge_again(study, lost, pacs if study.selected else None)
            study = self._ledger.studies.get(uid)
        self._write(uid, checked, study, writer)

    def _check(self, instances: Sequence[Instance]) -> list[Checked]:
        stored = [one for one in instances if one.state == "stored"]
        others = [one for one in instances if one.state != "stored"]
        threads = self._config.move.workers if self._config.move else 2
        return [
            *check_files(stored, self._storage.directory, threads),
            *check_files(others, self._storage.state, threads),
        ]

    def _count_and_set_aside(self, checked: Checked) -> None:
        """Count a file; quarantine it if it is damaged, so that it is requested again."""
        instance = checked.instance
        self._result.files += 1
        self._result.bytes += checked.bytes
        # A quarantined file may never have been DICOM.
        expected = ("whole", "damaged") if instance.state == "quarantined" else ("whole",)
        if checked.condition in expected:
            return
        found = self._result.conditions
        found[checked.condition] = found.get(checked.condition, 0) + 1
        if checked.condition == "damaged" and instance.state == "stored":
            path = self._storage.directory / instance.path
            digest = checked.sha256 or f"damaged-{instance.digest}"
            kept = keep(path, self._storage.state / QUARANTINE, digest)
            kept = kept.relative_to(self._storage.state)
            self._ledger.instances.forget(instance)
            self._ledger.instances.record(_damaged(instance, digest, kept), self._run.clock.now())
        elif checked.condition == "missing":
            self._ledger.instances.forget(instance)

    def _judge_again(self, study: Study, lost: Sequence[Instance], pacs: PacsQuery | None) -> None:
        assert study.verdict is not None  # noqa: S101 - checked by the caller
        before = study.verdict
        if pacs is not None:
            expecting = Expecting(pacs, self._sizes)
            self._result.asked += 1
            try:
                expectation = expecting.read(study.uid, study.patient_id, found_number(study))
            except ComponentError:  # it costs this study only, and is counted as its fault
                expectation = Expectation()
            if expectation.strength and not self._judge.knows_less(study.uid, expectation):
                verdict = self._judge.conclude(study.uid, expectation, None)
                self._result.grown += before.is_complete and len(verdict.missing) > len(lost)
                return
            self._result.unanswered += 1
        if lost:
            self._judge.settle(study.uid, _without(before, lost))

    def _write(
        self, uid: str, checked: Sequence[Checked], study: Study | None, writer: Manifest
    ) -> None:
        verdict = study.verdict if study else None
        evidence = self._ledger.evidence
        writer.study(self._ledger.components(uid))
        flagged = {flag: evidence.flagged(uid, flag) for flag in FLAGS}
        for each in checked:
            if each.condition in ("whole", "unreadable"):
                flags = [name for name, uids in flagged.items() if each.instance.sop_uid in uids]
                made = self._ledger.provenance.of_instance(each.instance)
                writer.file(each, verdict, flags, made)
        for instance in self._ledger.left_out.of_study(uid):
            self._result.left_out += 1
            flags = [name for name, uids in flagged.items() if instance.sop_uid in uids]
            writer.left_out(instance, verdict, flags)
        if verdict is None:
            return
        series = {sop: one.uid for one in evidence.series(uid) for sop in one.missing}
        for sop_uid in verdict.missing:
            writer.missing(uid, series.get(sop_uid, ""), sop_uid, verdict)

    def _converted(self) -> set[str]:
        """Return the files that converters wrote, relative to the dataset folder."""
        folder = self._storage.directory
        made = map(Path, self._ledger.conversions.paths())
        return {path.relative_to(folder).as_posix() for path in made if path.is_relative_to(folder)}

    def _list_unknown_files(self, known: set[str], manifest: Path) -> None:
        target = self._storage.state / UNKNOWN_FILES
        found = unknown_files(self._storage.directory, self._storage.state, known)
        with target.open("w", encoding="utf-8", errors="surrogateescape") as file:
            for path in found:
                if path == manifest:
                    continue
                self._result.unknown += 1
                file.write(f"{path}\n")
        if self._result.unknown:
            self._result.unknown_listed = str(target)
        else:
            target.unlink()


def _damaged(instance: Instance, digest: str, kept: Path) -> Instance:
    return replace(
        instance,
        digest=digest,
        state="quarantined",
        reason="its file in the dataset folder was damaged",
        path=kept.as_posix(),
        row=NO_CELLS,
        errors=(),
    )


def _without(verdict: Verdict, lost: Sequence[Instance]) -> Verdict:
    """Return the verdict of a study that has lost these instances."""
    missing = sorted({*verdict.missing, *(one.sop_uid for one in lost)})
    return replace(
        verdict,
        state="short",
        reason=f"{len(missing)} instances missing, {len(lost)} of them lost on the disk",
        missing=tuple(missing),
    )
