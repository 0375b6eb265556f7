"""From the expected and the stored instances to a verdict backed by evidence."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from pacsfw.api import Outcome, Verdict, VerdictState
from pacsfw.steps.move.expected import AT_LEAST, SENT, UIDS, Expectation, expectation_proven
from pacsfw.steps.move.statuses import SUCCESS

_REFUSALS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What the requests of one attempt at a study showed.

    Attributes
    ----------
    outcome
        The outcome of the requests; of several, the worst one.
    whole
        Whether a request for the complete study ended with success.
    total
        The number of instances that the PACS tried to send for the complete study; None if it
        is not known.
    tried
        Whether missing instances count as tried in vain.
    came
        Whether anything arrived.
    availability
        Where the PACS keeps the study, if that is not ``ONLINE`` (PS3.3 C.4.23.1.1).
    refusals
        What our receiver refused meanwhile.
    strayed
        The number of instances of other studies that the requests brought.
    """

    outcome: Outcome
    whole: bool = False
    total: int | None = None
    tried: bool = True
    came: bool = True
    availability: str = ""
    refusals: tuple[str, ...] = ()
    strayed: int = 0

    @property
    def ended(self) -> str:
        """How the requests ended; empty if with success."""
        return "" if self.outcome.status == SUCCESS else self.outcome.status_text

    @property
    def circumstances(self) -> list[str]:
        """What else may explain that instances are missing."""
        found = [f"meanwhile {text}" for text in self.refusals[:_REFUSALS_SHOWN]]
        if self.strayed:
            found.append(f"instances of other studies came instead: {self.strayed}")
        if self.availability:
            found.append(f"the PACS keeps the study {self.availability}: a recall may take hours")
        return found


@dataclass(frozen=True, slots=True)
class Held:
    """Instances of a study that arrived and are not in the dataset folder, by SOP Instance UID.

    Attributes
    ----------
    quarantined
        Those that could not be stored.
    waiting
        Those from a sender that is not known.
    disputed
        Those that arrived with two contents from different senders.
    """

    quarantined: AbstractSet[str] = frozenset()
    waiting: AbstractSet[str] = frozenset()
    disputed: AbstractSet[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.quarantined or self.waiting or self.disputed)

    def of(self, missing: AbstractSet[str]) -> list[str]:
        """Describe those that are missing; all of them if it is not known which are."""
        kinds = (
            (self.quarantined, "in quarantine"),
            (self.waiting, "held, because their sender is not known"),
        )
        counted = [(len(uids & missing) if missing else len(uids), what) for uids, what in kinds]
        return [f"{number} of them {what}" for number, what in counted if number]


def with_evidence(
    expectation: Expectation,
    stored: frozenset[str],
    retrieved: Retrieved | None,
    earlier: Verdict | None,
) -> Expectation:
    """Add what was retrieved, and what an earlier verdict knew, to an expectation.

    A list that the PACS did not prove is whole if nothing contradicts it, and a request for the
    complete study sent as many instances and brought exactly these, or an earlier verdict rested
    on it.
    """
    counts, at_least = dict(expectation.counts), expectation.at_least
    if retrieved is not None and retrieved.total:
        if retrieved.ended:
            at_least = max(at_least, retrieved.total)  # what it tried until it failed
        else:
            counts[SENT] = retrieved.total
    elif earlier is not None and earlier.expected is not None:
        if earlier.source == AT_LEAST:
            at_least = max(at_least, earlier.expected)
        elif (earlier.is_complete and earlier.source not in ("", UIDS)) or (
            earlier.source == SENT and earlier.expected >= len(stored)
        ):
            counts.setdefault(earlier.source, earlier.expected)
    expectation = replace(expectation, counts=counts, at_least=at_least)
    listed = expectation.uids
    if listed is None or expectation.proven or expectation.owed > len(listed):
        return expectation
    brought = retrieved is not None and retrieved.whole and listed == stored
    agreed = brought and counts.get(SENT) == len(listed)
    known = (
        earlier is not None
        and earlier.is_complete
        and (earlier.source, earlier.expected) == (UIDS, len(listed))
        and listed <= stored
    )
    return expectation_proven(expectation) if agreed or known else expectation


def judge(
    expectation: Expectation,
    stored: frozenset[str],
    held: Held,
    retrieved: Retrieved | None,
) -> Verdict:
    """Judge one study.

    Parameters
    ----------
    expectation
        As read after the final response, `with_evidence`.
    stored
        SOP Instance UIDs in the dataset folder.
    held
        Those that arrived and are not in the dataset folder.
    retrieved
        The requests of this attempt; None if there were none.
    """
    ended = retrieved.ended if retrieved else ""
    comment = retrieved.outcome.comment if retrieved else ""
    around = retrieved.circumstances if retrieved else []
    listed = expectation.uids
    stored -= held.disputed
    if (
        listed is not None
        and not (listed or stored)
        and (expectation.proven or not expectation.counts)
    ):
        return _failed(expectation, ended or "the PACS lists no instance of it", comment)
    if listed is None and not (expectation.counts or expectation.at_least):
        return _unknown(expectation, stored, held, ended, comment)
    if listed is not None and expectation.proven:
        verdict = _by_list(expectation, listed, stored)
    else:
        verdict = _by_number(expectation, listed or frozenset(), stored)
    if verdict.is_complete:
        return verdict
    if verdict.state == "short" and not stored and not held:
        reason = "; ".join([ended or "the PACS reported success and sent nothing", *around])
        return replace(verdict, state="failed", reason=reason, comment=comment)
    reasons = [*filter(None, [verdict.reason]), *held.of(frozenset(verdict.missing))]
    if held.disputed:
        reasons.append(f"two senders sent different content: {len(held.disputed)}")
    if ended and verdict.state in ("short", "unverifiable"):
        reasons.append(ended)
    return replace(verdict, reason="; ".join([*reasons, *around]), comment=comment)


def _by_list(expectation: Expectation, listed: frozenset[str], stored: frozenset[str]) -> Verdict:
    """Judge by a list that is whole; it outranks every number."""
    missing, surplus = listed - stored, len(stored - listed)
    state: VerdictState = "complete"
    reason = ""
    if missing:
        state, reason = "short", f"{len(missing)} of {len(listed)} instances missing"
    elif expectation.largest > len(stored):
        state = "complete-count-disagrees"
        reason = f"the PACS lists {len(listed)} instances and counts {expectation.largest}"
    elif surplus:
        state = "complete-and-more"
        reason = f"instances beyond the {len(listed)} that the PACS lists: {surplus}"
    return _verdict(state, reason, len(listed), stored, UIDS, missing)


def _by_number(expectation: Expectation, listed: frozenset[str], stored: frozenset[str]) -> Verdict:
    """Judge by the largest number, because there is no list, or it may be cut."""
    missing = listed - stored
    lacking = max(len(missing), expectation.owed - len(stored))
    expected = max(expectation.owed, len(stored | listed))
    source = expectation.source or UIDS
    if expectation.at_least > max(expectation.largest, len(listed)):
        source = AT_LEAST
    if lacking > 0 or not stored:
        reason = f"{lacking} of {expected} instances missing" if lacking > 0 else ""
        return _verdict("short", reason, expected, stored, source, missing)
    if expectation.largest == len(stored):
        return _verdict("complete-by-count", "", expected, stored, source, missing)
    if 0 < expectation.largest < len(stored):
        reason = f"the PACS counts {expectation.largest} instances, and {len(stored)} are stored"
        return _verdict("over", reason, expectation.largest, stored, source, missing)
    number = len(listed) or len(stored)
    reason = f"the PACS lists {number} instances, and nothing shows that these are all"
    return _verdict("unverifiable", reason, None, stored, UIDS, missing)


def _unknown(
    expectation: Expectation, stored: frozenset[str], held: Held, ended: str, comment: str
) -> Verdict:
    if not stored and not held:
        reason = ended or "nothing arrived, and the expected number is unknown"
        return _failed(expectation, reason, comment)
    unreported = "the PACS does not report how many instances the study has"
    reasons = (unreported, *held.of(frozenset()), ended)
    reason = "; ".join(filter(None, reasons))
    return replace(_verdict("unverifiable", reason, None, stored, "", ()), comment=comment)


def _verdict(
    state: VerdictState,
    reason: str,
    expected: int | None,
    stored: frozenset[str],
    source: str,
    missing: AbstractSet[str] | tuple[()],
) -> Verdict:
    return Verdict(
        state=state,
        reason=reason,
        expected=expected,
        stored=len(stored),
        source=source,
        missing=tuple(sorted(missing)),
    )


def _failed(
    expectation: Expectation, reason: str, comment: str = "", missing: tuple[str, ...] = ()
) -> Verdict:
    source = UIDS if expectation.uids is not None and expectation.proven else expectation.source
    return Verdict(
        state="failed",
        reason=reason,
        expected=expectation.owed or None,
        source=source,
        missing=missing,
        comment=comment,
    )
