"""The services that the PACS accepts, and its number of simultaneous associations."""

from __future__ import annotations

from collections.abc import Mapping

from pacsfw.api import Net
from pacsfw.dimse.client import associate
from pacsfw.dimse.command import Element, Field
from pacsfw.dimse.negotiation import VERIFICATION
from pacsfw.dimse.requestor import Ended, Requestor
from pacsfw.errors import RemoteError
from pacsfw.probe.findings import Findings
from pacsfw.probe.prober import Ask, Prober

MODELS: Mapping[str, str] = {
    "study-find": "1.2.840.10008.5.1.4.1.2.2.1",
    "study-move": "1.2.840.10008.5.1.4.1.2.2.2",
    "study-get": "1.2.840.10008.5.1.4.1.2.2.3",
    "patient-find": "1.2.840.10008.5.1.4.1.2.1.1",
    "patient-move": "1.2.840.10008.5.1.4.1.2.1.2",
    "patient-get": "1.2.840.10008.5.1.4.1.2.1.3",
}
"""SOP classes of PS3.4 C.6.1.3 and C.6.2.3."""

MOST = 8
"""Maximum number of associations to open at the same time."""

_ANSWER_SECONDS = 30.0


def accepted_models(net: Net, findings: Findings) -> None:
    """Propose all models in one association and note which are accepted.

    Raises
    ------
    RemoteError
        No association with this PACS is possible; the message says what to check.
    """
    association = associate(net, [VERIFICATION, *MODELS.values()])
    for name, uid in MODELS.items():
        accepted = association.accepts(uid)
        words = "accepted" if accepted else "proposed but not accepted"
        findings.note("model", name, accepted, words)
    association.release()


def dicomweb(ask: Ask, findings: Findings) -> None:
    """Query one study by QIDO-RS (PS3.18 section 10.6) and note whether that works."""
    reply = Prober(ask).put({}, max_rows=1)
    works = True if reply.is_clear else None
    findings.note("model", "dicomweb", works, f"a search for one study: {reply.status_text}")


def open_together(net: Net, findings: Findings) -> None:
    """Open associations until one is rejected or `MOST` are open; note how many respond.

    Each is tested with C-ECHO: some PACS accept an association, but serve it only after
    another one has ended.
    """
    models = [MODELS[name] for name in MODELS if name in findings.subjects("model")]
    opened: list[Requestor] = []
    limit = ""
    try:
        while len(opened) < MOST and not limit:
            try:
                opened.append(associate(net, [VERIFICATION, *models], waits=False))
            except RemoteError as err:
                limit = f"number {len(opened) + 1} failed: {err}"
        served = sum(map(_serves, opened))
    finally:
        for association in opened:
            association.release()
    if served < len(opened):
        limit = f"{len(opened)} were accepted, but only {served} of them responded"
    findings.note(
        "associations", "", served or None, limit or f"{MOST} were open; more were not tested"
    )


def _serves(association: Requestor) -> bool:
    if not association.accepts(VERIFICATION):
        return association.is_open  # cannot be tested without a query
    try:
        association.send(VERIFICATION, {Element.COMMAND_FIELD: Field.C_ECHO_RQ})
        return association.receive(_ANSWER_SECONDS) is not None
    except Ended:
        return False
