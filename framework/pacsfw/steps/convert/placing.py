"""Move converted files to their final paths; a kill at any point does no harm."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from pacsfw.durable import sync_folder
from pacsfw.ledger import Ledger
from pacsfw.paths import LONGEST_PATH
from pacsfw.steps.convert.worker import Job, Made

_TAKEN = {errno.EEXIST, errno.ENOTDIR}
"""Errors of making a folder if a file has its name."""


def place(ledger: Ledger, state: Path, converter: str, job: Job, made: Made) -> str:
    """Move the files of a job from its staging folder to their final paths.

    The ledger records the owner of the files before the first one is moved. After a kill, the
    next run may therefore overwrite these files, but no others.

    Returns
    -------
    str
        The reason why nothing was moved, such as a path that is taken; empty on success.
    """
    for output in made.outputs:
        owner = ledger.conversions.owner(output.path)
        if owner is not None and owner != (converter, job.item):
            other = "another item of this converter" if owner[0] == converter else owner[0]
            return f"the name of its file is taken by {other}"
        if owner is None and os.path.lexists(output.path):
            return "a file of that name exists already, and no converter wrote it"
        if Path(output.path).is_relative_to(state):
            return "its file would be in the state folder"
        if len(os.fsencode(output.path)) > LONGEST_PATH:
            return f"its file would have a path longer than {LONGEST_PATH} bytes"
    folders = {Path(output.path).parent for output in made.outputs}
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        if err.errno in _TAKEN:
            return "a file has the name of one of its folders"
        raise
    ledger.conversions.announce(converter, job.item, made.outputs)
    for output, staged in zip(made.outputs, made.staged, strict=True):
        os.replace(staged, output.path)  # the path is a str
    for folder in folders:
        sync_folder(folder)
    return ""
