"""C-FIND as a query provider (PS3.4 section C.4.1)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Literal

from pacsfw.api import (
    Level,
    Net,
    Node,
    Query,
    QueryProvider,
    QueryResult,
    QueryRow,
    RunContext,
    is_uid,
)
from pacsfw.dimse import identifier, rows
from pacsfw.dimse.client import associate
from pacsfw.dimse.command import Element, Field
from pacsfw.dimse.identifier import PATIENT_ROOT_FIND, STUDY_ROOT_FIND, Root
from pacsfw.dimse.messages import Message
from pacsfw.dimse.requestor import Ended, Requestor
from pacsfw.dimse.response import comment_of, offending_keys
from pacsfw.dimse.status import CANCELLED, PENDING, SUCCESS, describe
from pacsfw.errors import ConfigError, RemoteError

CANCEL_SECONDS = 5.0
"""How long the PACS may take to end a cancelled query."""
CANCEL_ROWS = 10_000
"""The limit of rows after the cancellation: they may have been under way already."""

_OPTIONAL_KEYS_IGNORED = 0xFF01
_MEDIUM = 0x0000
_MODELS: Mapping[Root, str] = {"STUDY": STUDY_ROOT_FIND, "PATIENT": PATIENT_ROOT_FIND}


class CFind(QueryProvider):
    """Queries over one association, which is opened when needed and used again.

    Parameters
    ----------
    root
        The information model; ``auto``: Study Root unless the PACS accepts Patient Root
        only, and Patient Root for queries at PATIENT level, which no other model has.
    response_timeout
        Seconds to wait for each response.
    total_timeout
        Seconds after which a query is abandoned.
    """

    def __init__(
        self,
        root: Literal["auto", "study", "patient"] = "auto",
        response_timeout: float = 300,
        total_timeout: float = 3600,
    ) -> None:
        self._root = root
        self._response_timeout = response_timeout
        self._total_timeout = total_timeout
        self._nodes: tuple[Net, Node] | None = None
        self._association: Requestor | None = None
        self._accepted: tuple[Root, ...] = ()

    @property
    def advice(self) -> str:
        return "check that net.called_node is a PACS, its log, and whether our AE title may query"

    @property
    def requires_patient_id(self) -> bool:
        """Whether Patient Root is the only model; may open an association to find out."""
        if self._root == "auto" and not self._accepted:
            self._open_association()
        return self._root == "patient" or self._accepted == ("PATIENT",)

    def open(self, context: RunContext) -> None:
        """Remember the nodes; the first query connects.

        Raises
        ------
        ConfigError
            The configuration names no PACS.
        """
        self._nodes = nodes_of(context.net, "cfind")

    def close(self) -> None:
        self.release()

    def check(self, context: RunContext) -> None:
        """Open an association for C-FIND, and release it.

        Raises
        ------
        ConfigError
            The configuration names no PACS.
        RemoteError
            The PACS does not respond, or refuses the association or the service.
        """
        self.open(context)
        try:
            self._open_association()
        finally:
            self.release()

    def release(self) -> None:
        """Release the association; the next query opens another one."""
        association, self._association = self._association, None
        if association is not None:
            association.release()

    def ask(self, query: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
        """Answer one query by one C-FIND request.

        Raises
        ------
        RemoteError
            There is no association, or the PACS has no information model with this level.
        ValueError
            A unique key above the level has no value, or a keyword is unknown.
        """
        used_before = self._association is not None and self._association.is_open
        result, heard = self._ask_once(query, emit)
        if used_before and not heard:
            # The PACS may have closed an idle association: retry over a new one.
            result, _ = self._ask_once(query, emit)
        return result

    def _ask_once(self, query: Query, emit: Callable[[QueryRow], None]) -> tuple[QueryResult, bool]:
        """Query once; also return False if the association ended before any response."""
        association, called = self._open_association()
        request = _Request(association, query, self._root_for(query.level), called, emit)
        try:
            status = request.run(self._response_timeout, self._total_timeout)
        except Ended as err:
            heard = association.is_open or request.heard
            association.abort()  # after a timeout it is still open
            return request.result(None, str(err)), heard
        except BaseException:
            # Later responses would be taken for those to the next query.
            association.abort()
            raise
        return request.result(status), True

    def _open_association(self) -> tuple[Requestor, Node]:
        if self._nodes is None:
            raise RemoteError("cfind: queried before it was opened")
        net, called = self._nodes
        if self._association is None or not self._association.is_open:
            roots = self._roots(called)
            self._association = associate(net, [_MODELS[root] for root in roots])
            self._accepted = tuple(
                root for root in roots if self._association.accepts(_MODELS[root])
            )
        return self._association, called

    def _roots(self, called: Node) -> tuple[Root, ...]:
        """Return the models to propose, the preferred one first."""
        if self._root == "patient":
            return ("PATIENT",)
        if self._root == "study":
            return ("STUDY",)
        models = called.profile.models
        if "patient-find" in models and "study-find" not in models:
            return ("PATIENT", "STUDY")
        return ("STUDY", "PATIENT")

    def _root_for(self, level: Level) -> Root:
        if level != "PATIENT":
            return self._accepted[0]
        if "PATIENT" in self._accepted:
            return "PATIENT"
        raise RemoteError(
            "cfind: a query at PATIENT level needs the Patient Root model: the PACS does not"
            f" accept it, or find.with.root ({self._root}) excludes it"
        )


def nodes_of(net: Net | None, use: str) -> tuple[Net, Node]:
    """Return the nodes, and of these the PACS.

    Raises
    ------
    ConfigError
        The configuration names no PACS.
    """
    if net is None or net.called is None:
        raise ConfigError(f"{use}: net.called_node is not configured; it names the PACS")
    return net, net.called


class _Request:
    """One C-FIND request and its responses so far."""

    def __init__(
        self,
        association: Requestor,
        query: Query,
        root: Root,
        called: Node,
        emit: Callable[[QueryRow], None],
    ) -> None:
        self._association, self._model, self._emit = association, _MODELS[root], emit
        self._max_rows = query.max_rows
        self._own_key = identifier.unique_keys(query.level, root)[-1]
        # A patient may have no ID; the row counts nevertheless.
        self._needs_key = query.level != "PATIENT"
        self._undeclared = called.charset or called.profile.charset
        keys = identifier.build(query.level, query.match, query.returns, called.charset, root)
        self._keys = identifier.encode(keys, association.syntax_of(self._model))
        self._rows = self._rows_beyond = 0
        self._keys_ignored = False
        self._last: bytes | bytearray | None = None
        self._problem = self._comment = ""
        self._refused_keys: tuple[str, ...] = ()
        self._sent = tuple(query.match.values())

    @property
    def heard(self) -> bool:
        """Whether any row came, readable or not."""
        return self._rows > 0

    def run(self, response_timeout: float, total_timeout: float) -> int:
        """Send the request and emit the rows; return the final status.

        Raises
        ------
        Ended
            There is no final status; the association has ended or must be aborted.
        """
        request = {Element.COMMAND_FIELD: Field.C_FIND_RQ, Element.PRIORITY: _MEDIUM}
        message_id = self._association.send(self._model, request, self._keys)
        until = time.monotonic() + total_timeout
        while True:
            message = self._next(response_timeout, until, total_timeout)
            status = _status(message)
            if status not in PENDING:
                self._take_last(message)
                self._comment = comment_of(message.command, self._sent)
                self._refused_keys = offending_keys(message.command)
                return status
            if self._max_rows and self._rows == self._max_rows:
                # Only this row proves that there are more, and that the result is incomplete.
                if not self._rows_beyond:
                    self._association.cancel(self._model, message_id)
                    until = time.monotonic() + CANCEL_SECONDS
                self._rows_beyond += 1
                continue
            self._keys_ignored |= status == _OPTIONAL_KEYS_IGNORED
            self._take(message)

    def result(self, status: int | None, ended: str = "") -> QueryResult:
        """Return the query result; ``ended`` is its text if there is no final status."""
        if status is not None:
            ended = describe(status, "C-FIND")
        if self._problem:
            ended = f"{ended}, but {self._problem}"
        complete = status == SUCCESS and not self._problem and not self._rows_beyond
        evidence = {"rows": self._rows, "optional_keys_ignored": self._keys_ignored}
        if self._rows_beyond:
            evidence["cancelled"] = True
            is_usual = status in (SUCCESS, CANCELLED) and not self._problem
            ended = (
                f"cancelled at the limit of {self._rows} rows{'' if is_usual else f' ({ended})'}"
            )
        return QueryResult(
            complete=complete,
            status_text=ended,
            status=status,
            evidence=evidence,
            comment=self._comment,
            refused_keys=self._refused_keys,
        )

    def _next(self, response_timeout: float, until: float, total_timeout: float) -> Message:
        left = until - time.monotonic()
        if left > 0 and self._rows_beyond <= CANCEL_ROWS:
            message = self._association.receive(min(response_timeout, left))
            if message is not None:
                return message
        if self._rows_beyond:
            raise Ended("aborted, because the PACS ignored C-CANCEL")
        if response_timeout < left:
            raise Ended(f"no response within {response_timeout:g} s")
        raise Ended(f"not done after {total_timeout:g} s")

    def _take(self, message: Message) -> None:
        self._rows += 1
        try:
            row, is_other = rows.read_as_sent(
                message.data or b"", message.transfer_syntax, self._undeclared
            )
        except ValueError:
            self._problem = "a row could not be decoded"
            return
        if is_other and self._needs_key and not is_uid(row.get(self._own_key, "")):
            self._problem = "a row is not in the transfer syntax agreed on"
            return
        row.pop("QueryRetrieveLevel", None)
        if self._needs_key and not row.get(self._own_key):
            self._problem = f"a row had no {self._own_key}"
            return
        self._last = message.data
        self._emit(QueryRow(row))

    def _take_last(self, message: Message) -> None:
        """Take a row that comes with the final status, which has none in the standard.

        Some PACS repeat the row before, or the identifier of the request, which has no value
        for the unique key.
        """
        if not message.data or message.data == self._last:
            return
        if self._max_rows and self._rows >= self._max_rows:
            self._rows_beyond += 1
            return
        with suppress(ValueError):
            row, _ = rows.read_as_sent(message.data, message.transfer_syntax, self._undeclared)
            if not row.get(self._own_key):
                return
        self._take(message)


def _status(message: Message) -> int:
    """Return the status of a C-FIND response.

    Raises
    ------
    Ended
        It is malformed, or a different message.
    """
    try:
        field = message.command.required(Element.COMMAND_FIELD)
        status = message.command.required(Element.STATUS)
    except ValueError as err:
        raise Ended(f"the PACS sent a malformed C-FIND response: {err}") from err
    if field != Field.C_FIND_RSP:
        raise Ended("the PACS sent a message that is not a C-FIND response")
    return status
