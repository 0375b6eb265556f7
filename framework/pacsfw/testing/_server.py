"""The child process of an `EmbeddedPACS`."""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from itertools import product
from multiprocessing import connection, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pynetdicom
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import (
    AE,
    ALL_TRANSFER_SYNTAXES,
    AllStoragePresentationContexts,
    association,
    evt,
    sop_class,
)
from pynetdicom.presentation import PresentationContext
from pynetdicom.service_class import QueryRetrieveServiceClass, StorageServiceClass

from pacsfw.testing._find import SUCCESS
from pacsfw.testing._request import Request
from pacsfw.testing._retrieve import QueryRetrieve
from pacsfw.testing._settings import Settings
from pacsfw.testing._state import State
from pacsfw.testing.synthetic import Study

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from pynetdicom.pdu_primitives import A_ASSOCIATE
    from pynetdicom.transport import ThreadedAssociationServer

CANNOT_UNDERSTAND = 0xC000
PERMANENT_NO_REASON = (1, 1, 1)
"""Result, source and reason of a rejection (PS3.8 9.3.4)."""
VERIFICATION = "1.2.840.10008.1.1"
MODELS = {"patient": "1.2.840.10008.5.1.4.1.2.1.", "study": "1.2.840.10008.5.1.4.1.2.2."}
RETRIEVES = (".2.1.2", ".2.1.3", ".2.2.2", ".2.2.3")
"""The ends of the SOP classes for retrieves."""
SERVICES = (1, 2, 3)
"""Find, move and get of a model (PS3.4 C.6)."""
QUERY_SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
SYNTAXES = (ExplicitVRLittleEndian, *ALL_TRANSFER_SYNTAXES)


def serve(settings: Settings, channel: connection.Connection) -> None:
    """Run the PACS until the parent stops it or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    logging.disable(logging.CRITICAL)  # pynetdicom and pydicom would log identifiers
    warnings.simplefilter("ignore")  # pydicom's warnings quote values
    signal.signal(signal.SIGTERM, _leave)
    temporary = tempfile.TemporaryDirectory("", "pacsfw-embedded-", ignore_cleanup_errors=True)
    with suppress(SystemExit), temporary as folder:
        _serve(settings, channel, Path(folder))
    os._exit(0)  # closes all sockets, whatever the threads of open associations do


def _leave(_number: int, _frame: object) -> None:
    raise SystemExit


def _serve(settings: Settings, channel: connection.Connection, folder: Path) -> None:
    made, received, copies = folder / "made", folder / "received", folder / "copies"
    for each in (made, received, copies):
        each.mkdir()
    state = State(settings, [(evt.EVT_CONN_OPEN, _no_delay)], copies)
    for study in settings.studies:
        state.archive.make(study, made)
    for path in sorted(settings.folder.rglob("*")) if settings.folder else ():
        if path.is_file():
            state.archive.add(path)
    ae = _application_entity(settings, state)
    address = ("127.0.0.1", settings.port)
    try:
        server = ae.start_server(address, block=False, evt_handlers=_handlers(state, received))
    except OSError as error:
        channel.send(f"cannot listen on 127.0.0.1:{settings.port}: {error.strerror}")
        return
    server = cast("ThreadedAssociationServer", server)
    server.contexts = _Shared(server.contexts)
    channel.send(cast("socket.socket", server.socket).getsockname()[1])
    _obey(state, made, channel)


class _Shared(list[PresentationContext]):
    """Contexts that pynetdicom does not copy per association: 7000 UIDs take 50 ms."""

    def __deepcopy__(self, _memo: object) -> list[PresentationContext]:
        return list(self)


def _obey(state: State, made: Path, channel: connection.Connection) -> None:
    """Serve calls of the parent until it stops the PACS or is gone."""
    answers: dict[str, Callable[..., Any]] = {
        "add": partial(_add, state, made),
        "counters": state.counters,
        "log": state.log,
        "remove": state.archive.remove,
        "set_delay": state.set_delay,
        "set_faults": state.set_faults,
        "set_destination": state.destinations.__setitem__,
        "skipped": lambda: list(state.archive.skipped),
        "uids": state.archive.uids,
    }
    parent = cast("BaseProcess", parent_process())
    while True:
        if parent.sentinel in connection.wait([channel, parent.sentinel]):
            return
        try:
            name, arguments = channel.recv()
            if name == "stop":
                return
            channel.send(answers[name](*arguments))
        except (EOFError, BrokenPipeError):
            return


def _add(state: State, made: Path, studies: Iterable[Study]) -> None:
    for study in studies:
        state.archive.make(study, made)


def _application_entity(settings: Settings, state: State) -> AE:
    ae = AE(ae_title=settings.aetitle)
    ae.require_called_aet = True
    ae.maximum_associations = settings.max_associations
    ae.maximum_pdu_size = 131072
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 60
    ae.connection_timeout = 10
    ae.add_supported_context(VERIFICATION)
    for model, service in product(settings.faults.models, SERVICES):
        ae.add_supported_context(f"{MODELS[model]}{service}", list(QUERY_SYNTAXES))
    stored = state.archive.syntaxes()
    known = (context.abstract_syntax for context in AllStoragePresentationContexts)
    for storage in dict.fromkeys([*stored, *filter(None, known)]):
        # stored ones first: a C-GET can send an instance only in its own syntax
        syntaxes = list(dict.fromkeys([*stored.get(storage, []), *SYNTAXES]))
        ae.add_supported_context(storage, syntaxes, scu_role=True, scp_role=True)
    pynetdicom._config.STORE_SEND_CHUNKED_DATASET = True  # send files unchanged
    association.uid_to_service_class = partial(_service_class, state)  # type: ignore[assignment, attr-defined]
    return ae


def _service_class(state: State, uid: str) -> Callable[[association.Association], Any]:
    found = sop_class.uid_to_service_class(uid)
    if found is QueryRetrieveServiceClass:
        return partial(QueryRetrieve, state)
    return found if found is not pynetdicom.service_class.ServiceClass else StorageServiceClass


def _handlers(state: State, received: Path) -> list[Any]:
    return [
        (evt.EVT_CONN_OPEN, _no_delay),
        (evt.EVT_REQUESTED, _judge, [state]),
        (evt.EVT_ACCEPTED, _count, [state, "associations"]),
        (evt.EVT_REJECTED, _count, [state, "rejected"]),
        (evt.EVT_C_ECHO, _echo, [state]),
        (evt.EVT_C_STORE, _store, [state, received]),
    ]


def _no_delay(event: evt.Event) -> None:
    """Disable Nagle's algorithm: with delayed ACKs, it costs 40 ms per instance."""
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _judge(event: evt.Event, state: State) -> None:
    """Apply the faults of association requests."""
    association = event.assoc
    wanted = cast("A_ASSOCIATE", association.requestor.primitive)
    called = wanted.called_ae_title.strip()
    if state.fold_titles and called.upper() == state.aetitle.upper():
        association.acceptor.ae_title = called
    if title := state.faults.retrieve_aetitle:
        if called == title:
            association.acceptor.ae_title = called
        else:
            association.acceptor.supported_contexts = [
                each
                for each in association.acceptor.supported_contexts
                if not str(each.abstract_syntax).endswith(RETRIEVES)
            ]
    if called == association.acceptor.ae_title and not state.admit():
        association.acse.send_reject(*PERMANENT_NO_REASON)
        state.count("rejected")
        association.kill()  # which waits until the rejection is sent


def _count(_event: evt.Event, state: State, name: str) -> None:
    state.count(name)


def _echo(_event: evt.Event, state: State) -> int:
    state.end(state.begin("C-ECHO", Request("", "", {})), SUCCESS)
    return SUCCESS


def _store(event: evt.Event, state: State, received: Path) -> int:
    state.count("C-STORE")
    path = received / f"{uuid.uuid4().hex}.dcm"
    path.write_bytes(event.encoded_dataset())
    return SUCCESS if state.archive.add(path) else CANNOT_UNDERSTAND
