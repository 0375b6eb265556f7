"""Verdicts of the series of a study, and their effect on the verdict of the study."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from pacsfw.api import SeriesVerdict, Verdict, VerdictState
from pacsfw.steps.move.expected import Expectation, SeriesExpectation


def judge_series(
    expectation: Expectation,
    stored: Mapping[str, AbstractSet[str]],
    left_out: Mapping[str, AbstractSet[str]] = {},
) -> tuple[SeriesVerdict, ...]:
    """Judge every series that the PACS lists or that is stored.

    Parameters
    ----------
    stored
        SeriesInstanceUID, as in the instances, to the stored SOP Instance UIDs. An instance
        that the PACS lists is attributed by its UID, whatever series it names itself.
    left_out
        The same for those that were left out on purpose, which are not expected.
    """
    named = frozenset[str]().union(*(one.uids or () for one in expectation.series))
    here, out = (frozenset[str]().union(*each.values()) for each in (stored, left_out))
    verdicts = [
        _judge(
            one,
            stored.get(one.uid, frozenset()) | (here & (one.uids or frozenset())),
            left_out.get(one.uid, frozenset()) | (out & (one.uids or frozenset())),
            named,
        )
        for one in expectation.series
    ]
    listed = {one.uid for one in expectation.series}
    for uid, uids in stored.items():
        surplus = len(uids - named)
        if uid in listed or not surplus:
            continue
        state: VerdictState = "complete-and-more" if expectation.series else "unverifiable"
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
    if not (verdict.is_complete or verdict.state == "over") or not short:
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
    one: SeriesExpectation, own: AbstractSet[str], out: AbstractSet[str], named: AbstractSet[str]
) -> SeriesVerdict:
    """Judge a series by its stored instances, and by those of it that were left out."""
    if one.owed is None:
        return SeriesVerdict(uid=one.uid, state="unverifiable", stored=len(own), left_out=len(out))
    listed = one.uids or frozenset()
    missing = listed - own - out
    by_list = one.uids is not None and one.proven
    unlisted = len(own - named)
    if by_list:
        own, out = own & listed, out & listed
    arrived, expected = len(own | out), max(0, one.owed - len(out))
    lacking = max(len(missing), one.owed - arrived)
    surplus = unlisted if by_list else arrived - one.owed
    state: VerdictState = "complete" if by_list else "complete-by-count"
    reason = ""
    if lacking > 0:
        state = "short" if arrived else "failed"
        reason = f"{lacking} of {expected} instances missing"
    elif surplus > 0:
        state = "complete-and-more" if by_list else "over"
        reason = f"instances that the PACS does not list: {surplus}"
    elif by_list and (one.count or 0) > len(listed):
        state = "complete-count-disagrees"
        reason = f"the PACS lists {len(listed)} instances and counts {one.count}"
    return SeriesVerdict(
        uid=one.uid,
        state=state,
        reason=reason,
        expected=expected,
        stored=len(own),
        source="image-uids" if by_list else "instance-count",
        missing=tuple(sorted(missing)),
        left_out=len(out),
    )
