"""From the expected and the stored instances to a verdict backed by evidence."""

from __future__ import annotations

from pacsfw.api import Outcome, Verdict, VerdictState
from pacsfw.steps.move.expected import Expectation
from pacsfw.steps.move.statuses import SUCCESS


def judge(
    expectation: Expectation,
    stored: frozenset[str],
    quarantined: frozenset[str],
    outcome: Outcome | None,
) -> Verdict:
    """Judge one study.

    Parameters
    ----------
    expectation
        As read after the final response.
    stored, quarantined
        SOP Instance UIDs in the dataset folder, and those in quarantine only.
    outcome
        The outcome of the request; None if none was needed.
    """
    ended = "" if outcome is None or outcome.status == SUCCESS else outcome.status_text
    if expectation.uids is not None:
        missing = expectation.uids - stored
        surplus = len(stored - expectation.uids)
        counted = _failed_and_done(outcome)
        if stored and not missing and counted > max(len(stored), len(expectation.uids)):
            # The PACS truncated its list, and some instances beyond the list are missing.
            return _verdict(
                "short",
                Expectation("sub-operations", None, counted),
                stored, frozenset(), quarantined, 0, ended,
            )  # fmt: skip
        if not expectation.uids and not stored:
            return _failed(expectation, ended or "the PACS lists no instance of it")
        state: VerdictState = "short" if missing else "over" if surplus else "complete"
        return _verdict(state, expectation, stored, missing, quarantined, surplus, ended)
    expected, source = expectation.count, expectation.source
    if expected is None and outcome is not None and outcome.completed is not None and not ended:
        expected = outcome.completed + (outcome.warning or 0) + (outcome.failed or 0)
        source = "sub-operations"
    by_count = Expectation(source, None, expected)
    if expected is None or (expected == 0 and not stored):
        if stored:
            return _verdict("unverifiable", by_count, stored, frozenset(), quarantined, 0, ended)
        return _failed(by_count, ended or "nothing arrived, and the expected number is unknown")
    lacking, surplus = max(0, expected - len(stored)), max(0, len(stored) - expected)
    state = "short" if lacking else "over" if surplus else "complete-by-count"
    return _verdict(state, by_count, stored, frozenset(), quarantined, surplus, ended)


def _failed_and_done(outcome: Outcome | None) -> int:
    """Return how many instances the PACS tried to send, if some failed; 0 otherwise."""
    if outcome is None or not outcome.failed:
        return 0
    return outcome.failed + (outcome.completed or 0) + (outcome.warning or 0)


def _verdict(
    state: VerdictState,
    expectation: Expectation,
    stored: frozenset[str],
    missing: frozenset[str],
    quarantined: frozenset[str],
    surplus: int,
    ended: str,
) -> Verdict:
    if state == "short" and not stored and not quarantined:
        reason = ended or "the PACS reported success and sent nothing"
        return _failed(expectation, reason, missing)
    reasons = []
    if state == "short":
        lacking = len(missing) or (expectation.count or 0) - len(stored)
        reasons.append(f"{lacking} of {expectation.count} instances missing")
        if held := len(quarantined & missing) if missing else len(quarantined):
            reasons.append(f"{held} of them in quarantine")
    elif state == "over":
        reasons.append(f"instances that the PACS does not list: {surplus}")
    elif state == "unverifiable":
        reasons.append("the PACS does not report how many instances the study has")
    if ended and state in ("short", "unverifiable"):
        reasons.append(ended)
    return Verdict(
        state=state,
        reason="; ".join(reasons),
        expected=expectation.count,
        stored=len(stored),
        source=expectation.source,
        missing=tuple(sorted(missing)),
    )


def _failed(
    expectation: Expectation, reason: str, missing: frozenset[str] = frozenset()
) -> Verdict:
    return Verdict(
        state="failed",
        reason=reason,
        expected=expectation.count,
        source=expectation.source,
        missing=tuple(sorted(missing)),
    )
