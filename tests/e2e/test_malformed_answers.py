"""A PACS that answers what no PACS should: the association ends, the question is open."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest
from pynetdicom import evt

from pacsfw.api import Clock, Query, Request, RunContext
from pacsfw.dimse import command, pdu
from pacsfw.dimse.command import Element, Field
from pacsfw_plugins.dimse.cfind import pacsfw_query_providers
from pacsfw_plugins.dimse.cmove import pacsfw_transfers
from unit.dimse.scripted import scripted

STUDIES = Query(level="STUDY", match={"StudyDate": "20200101"})


def opened(component, nodes, **options):
    made = component.factory(**options)
    made.open(
        RunContext(
            run_id="test", workdir=Path(), net=nodes, sections={}, clock=Clock(),
            log=logging.getLogger("test"),
        )
    )  # fmt: skip
    return made


def say_without_status(event, field):
    """Send a response that has no Status, past pynetdicom."""
    response = command.encode(
        {
            Element.COMMAND_FIELD: field,
            Element.MESSAGE_ID_RESPONDED_TO: event.request.MessageID,
            Element.DATA_SET_TYPE: command.NO_DATA_SET,
        }
    )
    sock = event.assoc.dul.socket.socket
    sock.sendall(pdu.p_data(event.context.context_id, response, 0))


class Inbox:
    aetitle = "US"

    def wait(self, seconds):
        return frozenset()

    def news(self):
        return 0

    def originates(self, message_id):
        """Every sender is accepted."""


@pytest.fixture
def aborted():
    return threading.Event()


def test_a_move_response_without_status_ends_the_association(aborted):
    def move(event):
        say_without_status(event, Field.C_MOVE_RSP)
        assert aborted.wait(10)
        yield None, None

    (component,) = pacsfw_transfers()
    handlers = (evt.EVT_C_MOVE, move), (evt.EVT_PDU_RECV, saw_abort(aborted))
    with scripted(*handlers) as nodes:
        outcome = opened(component, nodes).fetch(Request(study_uid="1.2"), Inbox())

        assert aborted.wait(10)
    assert (outcome.status, outcome.reached) == (None, True)
    assert "malformed C-MOVE response" in outcome.status_text


def test_a_find_response_without_status_leaves_the_next_question_alone(aborted):
    def find(event):
        if not aborted.is_set():
            say_without_status(event, Field.C_FIND_RSP)
            assert aborted.wait(10)
        yield from ()

    (component,) = pacsfw_query_providers()
    handlers = (evt.EVT_C_FIND, find), (evt.EVT_PDU_RECV, saw_abort(aborted))
    with scripted(*handlers) as nodes:
        asked = opened(component, nodes)
        first = asked.ask(STUDIES, lambda row: None)
        assert aborted.wait(10)
        second = asked.ask(STUDIES, lambda row: None)
        asked.close()

    assert not first.complete
    assert "malformed C-FIND response" in first.status_text
    assert second.complete


def saw_abort(aborted):
    def saw(event):
        if type(event.pdu).__name__ == "A_ABORT_RQ":
            aborted.set()

    return saw


def test_what_breaks_a_question_off_ends_its_association():
    over = threading.Event()

    def find(event):
        row = event.identifier
        row.StudyInstanceUID = "1.2.3"
        while not over.is_set():
            yield 0xFF00, row

    def interrupt(row):
        raise KeyboardInterrupt

    (component,) = pacsfw_query_providers()
    handlers = (evt.EVT_C_FIND, find), (evt.EVT_CONN_CLOSE, lambda event: over.set())
    with scripted(*handlers) as nodes:
        asked = opened(component, nodes)
        with pytest.raises(KeyboardInterrupt):
            asked.ask(STUDIES, interrupt)

        assert over.wait(10)
        asked.close()
