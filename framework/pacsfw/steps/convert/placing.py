"""Move converted files to their final paths; a kill at any point does no harm."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pacsfw.durable import sync_folder
from pacsfw.ledger import Ledger
from pacsfw.ledger.conversions import Output
from pacsfw.steps.convert.worker import Job


def place(ledger: Ledger, state: Path, converter: str, job: Job, outputs: Sequence[Output]) -> str:
    """Move the files of a job from its staging folder to their final paths.

    The ledger records the owner of the files before the first one is moved. After a kill, the
    next run may therefore overwrite these files, but no others.

    Returns
    -------
    str
        The reason why nothing was moved, such as a path that is taken; empty on success.
    """
    for output in outputs:
        owner = ledger.conversions.owner(output.path)
        if owner is not None and owner != (converter, job.item):
            other = "another item of this converter" if owner[0] == converter else owner[0]
            return f"the name of its file is taken by {other}"
        if owner is None and os.path.lexists(output.path):
            return "a file of that name exists already, and no converter wrote it"
        if Path(output.path).is_relative_to(state):
            return "its file would be in the state folder"
    ledger.conversions.announce(converter, job.item, outputs)
    folders = {Path(output.path).parent for output in outputs}
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for output in outputs:
        staged = job.staging / Path(output.path).relative_to(job.target)
        os.replace(staged, output.path)  # the path is a str
    for folder in folders:
        sync_folder(folder)
    return ""
