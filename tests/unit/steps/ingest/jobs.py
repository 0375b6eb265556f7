"""What runs in the worker processes of the intake's tests; importable by them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pacsfw.ledger.cells import encode
from pacsfw.ledger.instances import Instance
from pacsfw.steps.ingest.ingest import UNSOLICITED, Vanished


def build_crashing(spec: Any) -> Callable[[Any], Any]:
    """Every job kills its process."""

    def work(job: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    return work


def build_vanishing(spec: Any) -> Callable[[Any], Any]:
    """The file of every job is gone."""

    def work(job: Any) -> Any:
        return Vanished()

    return work


def build_marking(spec: Any) -> Callable[[Any], Any]:
    """Every row becomes what the spec is."""

    def work(job: Any) -> Any:
        return replace(job.instance, row=encode([spec]))

    return work


def build_storing(folder: Any) -> Callable[[Any], Any]:
    """Every object is moved into a folder under the name of its spool file."""

    def work(job: Any) -> Any:
        job.path.replace(folder / job.path.name)
        return Instance(
            sop_uid=job.sop_uid, digest=job.path.stem, study_uid="1", series_uid="1.1",
            sop_class="", syntax="", size=1, path=job.path.name, state="stored",
            rejects=[("1", "1.9")],
        )  # fmt: skip

    return work


def build_holding(folder: Any) -> Callable[[Any], Any]:
    """Every object is moved into a folder, or held if it is told."""

    def work(job: Any) -> Any:
        place = folder / "state" / "held" if job.hold else folder
        place.mkdir(exist_ok=True)
        path = place / f"{job.digest}.dcm"
        job.path.replace(path)
        return Instance(
            sop_uid=job.sop_uid, digest=job.digest, study_uid="1", series_uid=job.digest,
            sop_class="", syntax="", size=1, path=path.relative_to(place.parent).as_posix()
            if job.hold else path.name, state="held" if job.hold else "stored",
            calling_ae=job.calling_ae, address=job.address,
        )  # fmt: skip

    return work


def build_recognising(folder: Any) -> Callable[[Any], Any]:
    """Every object is 1.1, and unsolicited unless a study lists it."""

    def work(job: Any) -> Any:
        place = folder if job.listed else folder / "state" / "quarantine"
        place.mkdir(exist_ok=True)
        path = place / "it.dcm"
        job.path.replace(path)
        return Instance(
            sop_uid="1.1", digest="it", study_uid="1" if job.listed else "7", series_uid="",
            sop_class="", syntax="", size=1, path=path.relative_to(
                folder if job.listed else folder / "state"
            ).as_posix(),
            state="stored" if job.listed else "quarantined",
            reason="" if job.listed else UNSOLICITED,
        )  # fmt: skip

    return work


def build_leaving_out(spec: Any) -> Callable[[Any], Any]:
    """Every object is left out."""
    return lambda job: left_out()


def left_out(**changes: Any) -> Instance:
    values = {
        "sop_uid": "1.1", "digest": "it", "study_uid": "1", "series_uid": "1.1", "sop_class": "",
        "syntax": "", "size": 1, "path": "", "state": "left-out", "reason": "no SR", "rule": "r",
    }  # fmt: skip
    return Instance(**(values | changes))
