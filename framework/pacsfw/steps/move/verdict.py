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

    ``stored`` includes the instances that were left out: the PACS has sent and counts them.

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
    elif earlier is not None and (number := number_of(earlier)) is not None:
        if earlier.source == AT_LEAST:
            at_least = max(at_least, number)
        elif (earlier.is_complete and earlier.source not in ("", UIDS)) or (
            earlier.source == SENT and number >= len(stored)
        ):
            counts.setdefault(earlier.source, number)
    expectation = replace(expectation, counts=counts, at_least=at_least)
    listed = expectation.uids
    if listed is None or expectation.proven or expectation.owed > len(listed):
        return expectation
    brought = retrieved is not None and retrieved.whole and listed == stored
    agreed = brought and counts.get(SENT) == len(listed)
    known = (
        earlier is not None
        and earlier.is_complete
        and (earlier.source, number_of(earlier)) == (UIDS, len(listed))
        and listed <= stored
    )
    return expectation_proven(expectation) if agreed or known else expectation


def number_of(verdict: Verdict) -> int | None:
    """Return the number of instances that the PACS has, according to a verdict."""
    return None if verdict.expected is None else verdict.expected + verdict.left_out


def judge(
    expectation: Expectation,
    stored: frozenset[str],
    held: Held,
    retrieved: Retrieved | None,
    left_out: frozenset[str] = frozenset(),
) -> Verdict:
    """Judge one study: what was left out on purpose is not expected.

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
    left_out
        SOP Instance UIDs that arrived and were left out on purpose; none of them is stored.
    """
    ended = retrieved.ended if retrieved else ""
    comment = retrieved.outcome.comment if retrieved else ""
    around = retrieved.circumstances if retrieved else []
    listed = expectation.uids
    stored -= held.disputed
    if (
        listed is not None
        and not (listed or stored or left_out)
        and (expectation.proven or not expectation.counts)
    ):
        return _failed(expectation, ended or "the PACS lists no instance of it", comment)
    if listed is None and not (expectation.counts or expectation.at_least):
        return _unknown(expectation, stored, held, left_out, ended, comment)
    if listed is not None and expectation.proven:
        verdict = _by_list(expectation, listed, stored, left_out)
    else:
        verdict = _by_number(expectation, listed or frozenset(), stored, left_out)
    if verdict.is_complete:
        return verdict
    if verdict.state == "short" and not (stored or held or left_out):
        reason = "; ".join([ended or "the PACS reported success and sent nothing", *around])
        return replace(verdict, state="failed", reason=reason, comment=comment)
    reasons = [*filter(None, [verdict.reason]), *held.of(frozenset(verdict.missing))]
    if held.disputed:
        reasons.append(f"two senders sent different content: {len(held.disputed)}")
    if ended and verdict.state in ("short", "unverifiable"):
        reasons.append(ended)
    return replace(verdict, reason="; ".join([*reasons, *around]), comment=comment)


def _by_list(
    expectation: Expectation,
    listed: frozenset[str],
    stored: frozenset[str],
    left_out: frozenset[str],
) -> Verdict:
    """Judge by a list that is whole; it outranks every number."""
    missing, surplus = listed - stored - left_out, len(stored - listed)
    wanted = len(listed - left_out)
    state: VerdictState = "complete"
    reason = ""
    if missing:
        state, reason = "short", f"{len(missing)} of {wanted} instances missing"
    elif expectation.largest > len(stored | left_out):
        state = "complete-count-disagrees"
        reason = f"the PACS lists {len(listed)} instances and counts {expectation.largest}"
    elif surplus:
        state = "complete-and-more"
        reason = f"instances beyond the {len(listed)} that the PACS lists: {surplus}"
    verdict = _verdict(state, reason, wanted, stored, UIDS, missing)
    return replace(verdict, left_out=len(listed & left_out))


def _by_number(
    expectation: Expectation,
    listed: frozenset[str],
    stored: frozenset[str],
    left_out: frozenset[str],
) -> Verdict:
    """Judge by the largest number, because there is no list, or it may be cut."""
    here, largest = stored | left_out, expectation.largest
    missing = listed - here
    lacking = max(len(missing), expectation.owed - len(here))
    wanted = max(expectation.owed, len(here | listed)) - len(left_out)
    source = expectation.source or UIDS
    if expectation.at_least > max(expectation.largest, len(listed)):
        source = AT_LEAST
    if lacking > 0 or not here:
        reason = f"{lacking} of {wanted} instances missing" if lacking > 0 else ""
        verdict = _verdict("short", reason, wanted, stored, source, missing)
    elif largest == len(here):
        verdict = _verdict("complete-by-count", "", wanted, stored, source, missing)
    elif 0 < largest < len(here):
        reason = f"the PACS counts {largest} instances, and {len(stored)} are stored"
        reason += f" and {len(left_out)} left out" if left_out else ""
        expected = max(0, largest - len(left_out))
        verdict = _verdict("over", reason, expected, stored, source, missing)
    else:
        number = len(listed) or len(here)
        reason = f"the PACS lists {number} instances, and nothing shows that these are all"
        verdict = _verdict("unverifiable", reason, None, stored, UIDS, missing)
    return replace(verdict, left_out=len(left_out))


def _unknown(
    expectation: Expectation,
    stored: frozenset[str],
    held: Held,
    left_out: frozenset[str],
    ended: str,
    comment: str,
) -> Verdict:
    if not (stored or held or left_out):
        reason = ended or "nothing arrived, and the expected number is unknown"
        return _failed(expectation, reason, comment)
    unreported = "the PACS does not report how many instances the study has"
    reasons = (unreported, *held.of(frozenset()), ended)
    reason = "; ".join(filter(None, reasons))
    verdict = _verdict("unverifiable", reason, None, stored, "", ())
    return replace(verdict, left_out=len(left_out), comment=comment)


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
