"""A layout that has changed: its paths of the stored instances must be those that they have."""

from __future__ import annotations

import logging

from pacsfw.collection.ingest import ingest_spec, layout_of
from pacsfw.errors import StateError
from pacsfw.steps.ingest.ingest import Place, Placed
from pacsfw.steps.run import Run
from pacsfw.words import count
from pacsfw.workers import OrderedPool

LAYOUT_DIGEST_FACT = "layout_digest"
"""Ledger fact: the digest of the layout whose paths all stored instances have."""

_log = logging.getLogger("pacsfw.layout")


def follow_layout(run: Run, workers: int) -> None:
    """Accept a layout with other code or data if it would put every stored file where it is.

    Otherwise it would split studies over the folders of both. Its name and options are the same:
    see `pacsfw.collection.dataset_folder.check_layout`.

    Raises
    ------
    StateError
        It chooses other paths.
    PluginError
        It cannot be built.
    """
    ledger, now = run.ledger, layout_of(run)
    before = ledger.get_value(LAYOUT_DIGEST_FACT)
    if before not in (None, now.digest) and ledger.instances.any_stored():
        _compare(run, workers)
    ledger.set_value(LAYOUT_DIGEST_FACT, now.digest)


def _compare(run: Run, workers: int) -> None:
    instances, layout = run.ledger.instances, layout_of(run).info.described
    total, _ = instances.totals()
    _log.warning("layout %s has changed: comparing its paths of %s", layout, count(total, "file"))
    jobs = (Place(instance) for _, instance in instances.stored(0, instances.last_number()))
    with OrderedPool(workers, ingest_spec(run, ()), blame=run.blame) as pool:
        moved = [
            job.instance.study_uid
            for job, outcome in pool.map(jobs)
            if outcome != Placed(job.instance.path)
        ]
    if moved:
        former = " and ".join(sorted(set(run.ledger.provenance.layouts()) - {layout}))
        raise StateError(
            f"{run.config.path}: storage.sort_by: layout {layout} chooses other paths than before "
            f"for {len(moved):,} of {total:,} stored instances, and would split "
            f"{count(len(set(moved)), 'study')}: use {former or 'the former layout'}, "
            "or give this collection another storage.directory"
        )
