"""What an earlier rule left out on purpose is missing again once the rule has changed."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace

from pacsfw.api import Verdict
from pacsfw.collection.ingest import layout_of
from pacsfw.steps.ingest.durability import Durability
from pacsfw.steps.move.judge import Judge
from pacsfw.steps.run import Run


def follow_rule(run: Run) -> None:
    """Forget what a layout left out that is not the present one, and judge the studies by that.

    The next move requests these instances.

    Raises
    ------
    PluginError
        The layout cannot be built.
    """
    ledger = run.ledger
    if not ledger.left_out.any():
        return
    rule = layout_of(run).digest
    judge = Judge(run, Durability(run), {})
    with ledger.transaction():
        for study_uid, uids in ledger.left_out.take_back([rule]).items():
            study = ledger.studies.get(study_uid)
            if study is not None and study.verdict is not None:
                judge.settle(study_uid, _lacking(study.verdict, uids))


def _lacking(verdict: Verdict, uids: AbstractSet[str]) -> Verdict:
    """Return the verdict of a study that these instances are missing from again."""
    number = min(len(uids), verdict.left_out)
    verdict = replace(
        verdict,
        left_out=verdict.left_out - number,
        expected=None if verdict.expected is None else verdict.expected + number,
    )
    if not (verdict.is_complete or verdict.state == "short"):
        return verdict
    missing = sorted({*verdict.missing, *uids})
    reason = f"{len(missing)} instances missing, {len(uids)} of them left out by an earlier layout"
    return replace(verdict, state="short", reason=reason, missing=tuple(missing))
