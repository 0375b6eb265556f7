"""Moving what was converted to where it belongs, so that a kill at any point does no harm."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pacsfw.durable import sync_folder
from pacsfw.ledger import Ledger
from pacsfw.ledger.conversions import Output
from pacsfw.steps.convert.worker import Job


def place(ledger: Ledger, state: Path, converter: str, job: Job, outputs: Sequence[Output]) -> str:
    """Move the files of a job from its staging folder to their places.

    The ledger knows whose files they are before the first is moved: after a kill the next
    run may overwrite them, and nobody else's.

    Returns
    -------
    str
        Why nothing was moved: a place is taken. Empty if all is well.
    """
    for output in outputs:
        owner = ledger.conversions.owner(output.path)
        if owner is not None and owner != (converter, job.item):
            mine = "another item of this converter" if owner[0] == converter else owner[0]
            return f"the name of its file is taken by {mine}"
        if owner is None and os.path.lexists(output.path):
            return "a file of that name is there already, and it is nobody's output"
        if Path(output.path).is_relative_to(state):
            return "its file would be in the state folder"
    ledger.conversions.announce(converter, job.item, outputs)
    folders = {Path(output.path).parent for output in outputs}
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for output in outputs:
        staged = job.staging / Path(output.path).relative_to(job.target)
        os.replace(staged, output.path)  # the path is a text
    for folder in folders:
        sync_folder(folder)
    return ""
