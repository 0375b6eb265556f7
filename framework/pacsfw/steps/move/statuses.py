"""The final status of a retrieve, and what it means for retries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from pacsfw.api import Outcome

Ending: TypeAlias = Literal[
    "done", "partly", "busy", "unsent", "failed", "mismatch", "refused", "cancelled", "silent",
    "unreached",
]  # fmt: skip
"""How a retrieve ended.

done
    The PACS reports that it sent everything.
partly
    It reports that it did not send some instances.
busy
    It lacks resources for now: retry later, and fewer at a time.
unsent
    It could not send: the destination could not be reached, or refused.
failed
    It failed for a reason that may be temporary.
mismatch
    It does not understand the keys: another level may work.
refused
    It refuses every request, for a reason that an administrator must fix.
cancelled
    The request was cancelled: by us, or by a PACS that gives up at an instance (FE00).
silent
    No final response: the association was lost, or a timeout passed.
unreached
    The PACS could not be reached.
"""

SUCCESS = 0x0000
UNKNOWN_DESTINATION = 0xA801

_ENDINGS: Mapping[int, Ending] = {
    SUCCESS: "done",
    # PS3.7 annex C, statuses of every service
    0x0001: "done",  # requested optional attributes are not supported
    0x0105: "mismatch",  # no such attribute
    0x0106: "mismatch",  # invalid attribute value
    0x0107: "done",  # attribute list error, a warning
    0x0110: "failed",  # processing failure
    0x0111: "failed",  # duplicate SOP instance
    0x0112: "failed",  # no such SOP instance: it may be on its way from an offline store
    0x0113: "failed",  # no such event type
    0x0114: "mismatch",  # no such argument
    0x0115: "mismatch",  # invalid argument value
    0x0116: "done",  # attribute value out of range, a warning
    0x0117: "mismatch",  # invalid object instance
    0x0118: "refused",  # no such SOP class
    0x0119: "refused",  # class-instance conflict
    0x0120: "mismatch",  # missing attribute
    0x0121: "mismatch",  # missing attribute value
    0x0122: "refused",  # SOP class not supported
    0x0123: "refused",  # no such action type
    0x0124: "refused",  # not authorised
    0x0210: "busy",  # duplicate invocation: the message ID is in use
    0x0211: "refused",  # unrecognised operation
    0x0212: "mismatch",  # mistyped argument
    0x0213: "busy",  # resource limitation
    # PS3.4 tables C.4-2 and C.4-3
    0xA700: "busy",
    0xA701: "busy",  # unable to calculate the number of matches
    0xA702: "unsent",  # unable to perform the sub-operations
    UNKNOWN_DESTINATION: "refused",  # move destination unknown
    0xA900: "mismatch",  # the identifier does not match the SOP class
    0xAA00: "mismatch",  # none of the frames requested were found
    0xAA01: "mismatch",  # unable to create a new object for this SOP class
    0xAA02: "failed",  # unable to extract frames
    0xAA03: "mismatch",  # time-based request for an object without times
    0xAA04: "mismatch",  # invalid request
    0xB000: "partly",
    0xFE00: "cancelled",
}
_RANGES: Mapping[int, Ending] = {0xA700: "busy", 0xA900: "mismatch"}
"""By the first two digits, where the standard defines a range."""

MAY_HELP = frozenset({"done", "partly", "busy", "unsent", "failed", "cancelled", "silent"})
"""After these, a retry in the same run may bring the missing instances."""

COUNTS = frozenset({"done", "partly", "unsent", "failed", "mismatch", "silent", "cancelled"})
"""After these, missing instances count as tried: see `pacsfw.ledger.evidence.TRIALS`."""

STRAINED = frozenset({"busy", "silent", "unreached"})
"""After these, fewer studies are requested at a time."""

_SEVERITY: tuple[Ending, ...] = (
    "done", "partly", "mismatch", "failed", "unsent", "busy", "silent", "cancelled", "refused",
    "unreached",
)  # fmt: skip


def ending_of(outcome: Outcome) -> Ending:
    """Classify how a retrieve ended (PS3.4 C.4.2.1.5, C.4.3.1.4; PS3.7 annex C).

    C000 to CFFF may mean anything from "nothing matched" to "move destination unreachable".
    PACS use them for temporary and for permanent failures.
    """
    if not outcome.reached:
        return "unreached"
    if outcome.status is None:
        return "silent"
    known = _ENDINGS.get(outcome.status) or _RANGES.get(outcome.status & 0xFF00)
    if known:
        return known
    return "partly" if outcome.status >> 12 == 0xB else "failed"


def worst(outcomes: list[Outcome]) -> Outcome:
    """Return one outcome for several requests about a study; of several, without counts."""
    if len(outcomes) == 1:
        return outcomes[0]
    found = max(outcomes, key=lambda outcome: _SEVERITY.index(ending_of(outcome)))
    failed = dict.fromkeys(uid for outcome in outcomes for uid in outcome.failed_uids)
    return Outcome(
        status=found.status,
        status_text=found.status_text,
        failed_uids=tuple(failed),
        reached=found.reached,
        comment=found.comment,
    )
