"""Verdicts of the series of a study, and their effect on the verdict of the study."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from pacsfw.api import SeriesVerdict, Verdict, VerdictState
from pacsfw.steps.move.expected import Expectation, SeriesExpectation
from pacsfw.words import GOOD


def judge_series(
    expectation: Expectation, stored: Mapping[str, AbstractSet[str]]
) -> tuple[SeriesVerdict, ...]:
    """Judge every series that the PACS lists or that is stored.

    Parameters
    ----------
    stored
        SeriesInstanceUID, as in the instances, to the stored SOP Instance UIDs. An instance
        that the PACS lists is attributed by its UID, whatever series it names itself.
    """
    here = frozenset[str]().union(*stored.values())
    named = frozenset[str]().union(*(one.uids or () for one in expectation.series))
    verdicts = [
        _judge(one, stored.get(one.uid, frozenset()), here, named) for one in expectation.series
    ]
    listed = {one.uid for one in expectation.series}
    for uid, uids in stored.items():
        surplus = len(uids - named)
        if uid in listed or not surplus:
            continue
        state: VerdictState = "over" if expectation.series else "unverifiable"
        reason = "the PACS does not list this series" if expectation.series else ""
        verdicts.append(SeriesVerdict(uid=uid, state=state, reason=reason, stored=len(uids)))
    return tuple(verdicts)


def with_series(verdict: Verdict, series: tuple[SeriesVerdict, ...]) -> Verdict:
    """Return the verdict with those of its series: no better than the worst of them.

    A count for the study alone is not enough: surplus in one series may hide instances missing
    from another.
    """
    verdict = replace(verdict, series=series)
    short = [one for one in series if one.state in ("short", "failed")]
    if verdict.state not in (*GOOD, "over") or not short:
        return verdict
    missing = sorted({uid for one in short for uid in one.missing})
    lacking = sum((one.expected or 0) - one.stored for one in short)
    return replace(
        verdict,
        state="short",
        reason=f"{lacking} instances missing from {len(short)} series",
        missing=tuple(missing),
    )


def _judge(
    one: SeriesExpectation, own: AbstractSet[str], here: AbstractSet[str], named: AbstractSet[str]
) -> SeriesVerdict:
    if one.uids is None and one.count is None:
        return SeriesVerdict(uid=one.uid, state="unverifiable", stored=len(own))
    surplus = len(own - named)
    if one.uids is not None:
        missing = one.uids - here
        stored, source = len(one.uids) - len(missing), "image-uids"
        state: VerdictState = "complete"
    else:
        missing, stored, source = frozenset(), len(own), "instance-count"
        surplus, state = stored - (one.count or 0), "complete-by-count"
    lacking = len(missing) if one.uids is not None else -surplus
    reason = ""
    if lacking > 0:
        state = "short" if stored else "failed"
        reason = f"{lacking} of {one.count} instances missing"
    elif surplus > 0:
        state, reason = "over", f"instances that the PACS does not list: {surplus}"
    return SeriesVerdict(
        uid=one.uid,
        state=state,
        reason=reason,
        expected=one.count,
        stored=stored,
        source=source,
        missing=tuple(sorted(missing)),
    )
