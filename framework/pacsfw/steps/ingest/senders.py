"""Whether the sender of an instance is known, and how senders become known."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable

from pacsfw.api import Net
from pacsfw.dimse.senders import KnownSenders, known_senders
from pacsfw.ledger import Ledger
from pacsfw.spool.records import Sealed
from pacsfw.steps.run import Run
from pacsfw.words import printable

KEY = "net.local_node.accept.known_senders"
EVIDENCE = "Move Originator of a running request"

_MOST = 1000
"""Maximum number of senders remembered."""
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")

_log = logging.getLogger("pacsfw.senders")

Sender = tuple[str, str]
"""Calling AE title and address."""


class Senders:
    """The senders of a run. Used by the threads of ingest.

    A PACS may send from other AE titles and addresses than those it is called at. Whoever names
    our AE title and the Message ID of a running request as Move Originator (PS3.7 section
    9.3.1.1) is the PACS: nobody else knows that number. Those who do not may be it, too.

    Parameters
    ----------
    is_running
        Returns whether a request with this Message ID is being served.
    """

    def __init__(self, run: Run, is_running: Callable[[int], bool]) -> None:
        self._clock, self._ledger = run.clock, run.ledger
        self._is_running = is_running
        net = run.config.net
        self._ours = net.local.aetitle if net is not None else ""
        self._known = configured(net, run.ledger)
        self._answers: dict[Sender, bool] = {}
        self._reported: set[Sender] = set()

    def knows(self, sender: Sender) -> bool:
        """Return whether a sender is known."""
        answer = self._answers.get(sender)
        if answer is None:
            if len(self._answers) >= _MOST:
                self._answers.clear()
            answer = self._answers[sender] = self._known.includes(*sender)
        return answer

    def learns(self, sealed: Sealed) -> bool:
        """Return whether an instance proves that its sender, so far unknown, is the PACS."""
        message_id = sealed.originator_message_id
        if message_id is None or sealed.originator_ae.strip().upper() != self._ours.upper():
            return False
        if not self._is_running(message_id):
            return False
        self._ledger.senders.learn(sealed.calling_ae, sealed.address, EVIDENCE, self._clock.now())
        self._answers[sealed.calling_ae, sealed.address] = True
        return True

    def report(self, sender: Sender) -> None:
        """Tell the user once that instances of a sender are held."""
        if sender in self._reported or len(self._reported) >= _MOST:
            return
        self._reported.add(sender)
        _log.warning(
            "instances from %s are held: this sender is not known; if it belongs to the PACS, "
            "set %s, and the next run takes them without fetching again",
            shown(sender),
            as_setting([sender]),
        )


def configured(net: Net | None, ledger: Ledger) -> KnownSenders:
    """Return the senders that are known at the start of a run."""
    if net is None or net.dest is None:
        return KnownSenders()
    learnt = list(ledger.senders.learnt())
    if net.retrieve is not None:
        learnt.append((net.retrieve.aetitle, net.retrieve.ip))
    return known_senders(net.dest, net.called, learnt)


def shown(sender: Sender) -> str:
    """Return a sender for a message."""
    return f"{printable(sender[0]) or 'no AE title'} at {sender[1]}"


def as_setting(senders: list[Sender]) -> str:
    """Return the line of the configuration that makes these senders known."""
    texts = (f"{title}@{address}" for title, address in senders)
    return f"{KEY}: [{', '.join(map(_quoted, texts))}]"


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text.replace("@", "", 1)) else json.dumps(text)
