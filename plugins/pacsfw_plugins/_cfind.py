"""C-FIND as a query provider (PS3.4 section C.4.1)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pydicom.dataset import Dataset

from pacsfw.api import Answer, Found, Net, QueryProvider, RunContext, Slice
from pacsfw.dimse import identifier
from pacsfw.dimse.client import associate
from pacsfw.dimse.command import Element, Field
from pacsfw.dimse.identifier import STUDY_ROOT_FIND
from pacsfw.dimse.requestor import Ended, Message, Requestor
from pacsfw.dimse.status import PENDING, SUCCESS, describe
from pacsfw.errors import RemoteError

_OPTIONAL_KEYS_IGNORED = 0xFF01
_MEDIUM = 0x0000


@dataclass(slots=True)
class _Tally:
    """What has come in answer to one question so far."""

    rows: int = 0
    keys_ignored: bool = False
    problem: str = ""


class CFind(QueryProvider):
    """Asks over one association, which is opened when needed and used again.

    Parameters
    ----------
    response_timeout
        Seconds to wait for each response.
    total_timeout
        Seconds that one question may take.
    """

    def __init__(self, response_timeout: float = 300, total_timeout: float = 3600) -> None:
        self._response_timeout = response_timeout
        self._total_timeout = total_timeout
        self._net: Net | None = None
        self._association: Requestor | None = None

    def open(self, context: RunContext) -> None:
        """Take the nodes; the PACS is called at the first question."""
        self._net = context.net

    def close(self) -> None:
        """Release the association."""
        self.rest()

    def rest(self) -> None:
        """Release the association; the next question opens another one."""
        association, self._association = self._association, None
        if association is not None:
            association.release()

    def ask(self, query: Slice, emit: Callable[[Found], None]) -> Answer:
        """Answer one slice by one C-FIND request.

        Raises
        ------
        RemoteError
            No association came about.
        ValueError
            A unique key above the level has no value, or a keyword is unknown.
        """
        if self._net is None or self._net.called is None:
            raise RemoteError("cfind: net.called_node is not configured: there is no PACS to ask")
        keys = identifier.build(query.level, query.match, query.returns, self._net.called.charset)
        own_key = identifier.UNIQUE_KEYS[query.level][-1]
        used_before = self._association is not None
        tally = _Tally()
        answer = self._ask_once(self._net, keys, own_key, tally, emit)
        if answer.status is None and used_before and not (tally.rows or tally.problem):
            # The PACS may have ended an association at rest: ask over a fresh one.
            answer = self._ask_once(self._net, keys, own_key, tally, emit)
        return answer

    def _ask_once(
        self,
        net: Net,
        keys: Dataset,
        own_key: str,
        tally: _Tally,
        emit: Callable[[Found], None],
    ) -> Answer:
        if self._association is None or not self._association.is_open:
            self._association = associate(net, [STUDY_ROOT_FIND])
        association = self._association
        try:
            status = self._responses(association, keys, own_key, tally, emit)
        except Ended as err:
            return Answer(whole=False, ended=tally.problem or str(err), evidence=_evidence(tally))
        except BaseException:
            # What is still to come would be taken for the answer to the next question.
            association.abort()
            raise
        if status is None:
            association.abort()
            return Answer(whole=False, ended=tally.problem, evidence=_evidence(tally))
        return _final(status, tally)

    def _responses(
        self,
        association: Requestor,
        keys: Dataset,
        own_key: str,
        tally: _Tally,
        emit: Callable[[Found], None],
    ) -> int | None:
        """Send the request and take the rows; return the final status, None without one."""
        data = identifier.encode(keys, association.syntax_of(STUDY_ROOT_FIND))
        request = {Element.COMMAND_FIELD: Field.C_FIND_RQ, Element.PRIORITY: _MEDIUM}
        association.send(STUDY_ROOT_FIND, request, data)
        deadline = time.monotonic() + self._total_timeout
        while time.monotonic() < deadline:
            message = association.receive(self._response_timeout)
            if message is None:
                tally.problem = f"no response within {self._response_timeout:g} s"
                return None
            try:
                field = message.command.required(Element.COMMAND_FIELD)
                status = message.command.required(Element.STATUS)
            except ValueError as err:
                tally.problem = f"the PACS sent a malformed C-FIND response: {err}"
                return None
            if field != Field.C_FIND_RSP:
                tally.problem = "the PACS sent another message than a C-FIND response"
                return None
            if status not in PENDING:
                return status
            tally.keys_ignored |= status == _OPTIONAL_KEYS_IGNORED
            self._take(message, own_key, tally, emit)
        tally.problem = f"it took longer than {self._total_timeout:g} s"
        return None

    def _take(
        self, message: Message, own_key: str, tally: _Tally, emit: Callable[[Found], None]
    ) -> None:
        tally.rows += 1
        try:
            row = identifier.decode(message.data or b"", message.transfer_syntax)
            attributes = identifier.texts(row)
        except ValueError:
            tally.problem = "an answer could not be decoded"
            return
        attributes.pop("QueryRetrieveLevel", None)
        if not attributes.get(own_key):
            tally.problem = f"an answer had no {own_key}"
            return
        emit(Found(attributes))


def _final(status: int, tally: _Tally) -> Answer:
    ended = describe(status, "C-FIND")
    if tally.problem:
        ended = f"{ended}, but {tally.problem}"
    return Answer(
        whole=status == SUCCESS and not tally.problem,
        ended=ended,
        status=status,
        evidence=_evidence(tally),
    )


def _evidence(tally: _Tally) -> dict[str, object]:
    return {"rows": tally.rows, "optional_keys_ignored": tally.keys_ignored}
