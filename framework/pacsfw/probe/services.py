"""Which services the PACS accepts, and how many associations at the same time."""

from __future__ import annotations

from collections.abc import Mapping

from pacsfw.api import Net
from pacsfw.dimse.client import associate
from pacsfw.dimse.command import Element, Field
from pacsfw.dimse.negotiation import VERIFICATION
from pacsfw.dimse.requestor import Ended, Requestor
from pacsfw.errors import RemoteError
from pacsfw.plugins.pacs_query import Put
from pacsfw.probe.findings import Findings
from pacsfw.probe.prober import Prober

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
"""So many associations are opened at the same time at most."""

_ANSWER_SECONDS = 30.0


def accepted_models(net: Net, findings: Findings) -> None:
    """Propose all models in one association and note which are accepted.

    Raises
    ------
    RemoteError
        There is no association with this PACS; the message says what to check.
    """
    association = associate(net, [VERIFICATION, *MODELS.values()])
    for name, uid in MODELS.items():
        accepted = association.accepts(uid)
        words = "accepted" if accepted else "proposed and not accepted"
        findings.note("model", name, accepted, words)
    association.release()


def dicomweb(ask: Put, findings: Findings) -> None:
    """Ask for one study by QIDO-RS (PS3.18 section 10.6) and note whether that works."""
    reply = Prober(ask).put({}, max_rows=1)
    works = True if reply.is_clear else None
    findings.note("model", "dicomweb", works, f"a search for one study: {reply.status_text}")


def open_together(net: Net, findings: Findings) -> None:
    """Open associations until one is rejected or `MOST` are open; note how many answer.

    Each is asked whether it lives (C-ECHO): some archives accept an association and serve
    it only when another one has ended.
    """
    models = [MODELS[name] for name in MODELS if name in findings.subjects("model")]
    opened: list[Requestor] = []
    limit = ""
    try:
        while len(opened) < MOST and not limit:
            try:
                opened.append(associate(net, [VERIFICATION, *models]))
            except RemoteError as err:
                limit = f"number {len(opened) + 1} failed: {err}"
        served = sum(map(_serves, opened))
    finally:
        for association in opened:
            association.release()
    if served < len(opened):
        limit = f"{len(opened)} were accepted, but only {served} of them answered"
    findings.note(
        "associations", "", served or None, limit or f"{MOST} were open, no more were tried"
    )


def _serves(association: Requestor) -> bool:
    if not association.accepts(VERIFICATION):
        return association.is_open  # no way to ask without a query
    try:
        association.send(VERIFICATION, {Element.COMMAND_FIELD: Field.C_ECHO_RQ})
        return association.receive(_ANSWER_SECONDS) is not None
    except Ended:
        return False
