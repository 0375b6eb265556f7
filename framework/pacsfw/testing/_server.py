"""The child process of an `EmbeddedPACS`."""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from multiprocessing import connection, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pynetdicom
from pydicom.dataset import Dataset
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

from pacsfw.testing._archive import BadIdentifier
from pacsfw.testing._retrieve import BAD_IDENTIFIER, CANCELLED, SUCCESS, Retrieve
from pacsfw.testing._state import State
from pacsfw.testing.embedded import Settings
from pacsfw.testing.synthetic import write_studies

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from pynetdicom.transport import ThreadedAssociationServer

PENDING, PENDING_UNSUPPORTED_KEYS = 0xFF00, 0xFF01
CANNOT_UNDERSTAND = 0xC000
VERIFICATION = "1.2.840.10008.1.1"
MODELS = tuple(
    f"1.2.840.10008.5.1.4.1.2.{root}.{service}"
    for root in (1, 2)  # Patient Root, Study Root (PS3.4 C.6)
    for service in (1, 2, 3)  # find, move, get
)
SYNTAXES = (ExplicitVRLittleEndian, *ALL_TRANSFER_SYNTAXES)


def serve(settings: Settings, channel: connection.Connection) -> None:
    """Run the PACS until the parent says stop or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when it is over
    logging.disable(logging.CRITICAL)  # pynetdicom and pydicom would log identifiers
    warnings.simplefilter("ignore")  # pydicom's warnings quote values
    signal.signal(signal.SIGTERM, _leave)
    temporary = tempfile.TemporaryDirectory("", "pacsfw-embedded-", ignore_cleanup_errors=True)
    with suppress(SystemExit), temporary as folder:
        _serve(settings, channel, Path(folder))
    os._exit(0)  # with all sockets, whatever the threads of open associations are doing


def _leave(_number: int, _frame: object) -> None:
    raise SystemExit


def _serve(settings: Settings, channel: connection.Connection, folder: Path) -> None:
    state = State(settings, [(evt.EVT_CONN_OPEN, _no_delay)])
    write_studies(folder / "made", settings.studies)
    for path in sorted((settings.folder or folder / "made").rglob("*")):
        if path.is_file():
            state.archive.add(path)
    received = folder / "received"
    received.mkdir()
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
    _obey(state, channel)


class _Shared(list[PresentationContext]):
    """Contexts that pynetdicom does not copy for each association: 7000 UIDs, 50 ms."""

    def __deepcopy__(self, _memo: object) -> list[PresentationContext]:
        return list(self)


def _obey(state: State, channel: connection.Connection) -> None:
    """Answer what the parent asks until it says stop or is gone."""
    answers: dict[str, Callable[..., Any]] = {
        "counters": state.counters,
        "log": state.log,
        "set_delay": partial(setattr, state, "delay"),
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


def _application_entity(settings: Settings, state: State) -> AE:
    ae = AE(ae_title=settings.aetitle)
    ae.require_called_aet = True
    ae.maximum_associations = settings.max_associations
    ae.maximum_pdu_size = 131072
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 60
    ae.connection_timeout = 10
    ae.add_supported_context(VERIFICATION)
    for model in MODELS:
        ae.add_supported_context(model, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    stored = state.archive.syntaxes()
    known = (context.abstract_syntax for context in AllStoragePresentationContexts)
    for storage in dict.fromkeys([*stored, *filter(None, known)]):
        # what is stored comes first: a C-GET can send an object in no other syntax
        syntaxes = dict.fromkeys([*stored.get(storage, []), *SYNTAXES])
        ae.add_supported_context(storage, list(syntaxes), scu_role=True, scp_role=True)
    pynetdicom._config.STORE_SEND_CHUNKED_DATASET = True  # send files as they are
    association.uid_to_service_class = partial(_service_class, state)  # type: ignore[assignment, attr-defined]
    return ae


def _service_class(state: State, uid: str) -> Callable[[association.Association], Any]:
    found = sop_class.uid_to_service_class(uid)
    if found is QueryRetrieveServiceClass:
        return partial(Retrieve, state)
    return found if found is not pynetdicom.service_class.ServiceClass else StorageServiceClass


def _handlers(state: State, received: Path) -> list[Any]:
    return [
        (evt.EVT_CONN_OPEN, _no_delay),
        (evt.EVT_ACCEPTED, _count, [state, "associations"]),
        (evt.EVT_REJECTED, _count, [state, "rejected"]),
        (evt.EVT_C_ECHO, _echo, [state]),
        (evt.EVT_C_FIND, _find, [state]),
        (evt.EVT_C_STORE, _store, [state, received]),
    ]


def _no_delay(event: evt.Event) -> None:
    """Do without Nagle's algorithm: it costs 40 ms per object against a delayed ACK."""
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _count(_event: evt.Event, state: State, name: str) -> None:
    state.count(name)


def _echo(_event: evt.Event, state: State) -> int:
    state.end(state.begin("C-ECHO", Dataset()), SUCCESS)
    return SUCCESS


def _find(event: evt.Event, state: State) -> Iterator[tuple[int, Dataset | None]]:
    identifier = event.identifier
    entry = state.begin("C-FIND", identifier)
    root = state.root_of(str(event.request.AffectedSOPClassUID))
    status = SUCCESS
    try:
        for answer, whole in state.archive.find(root, identifier):
            if event.is_cancelled:
                status = CANCELLED
                break
            yield (PENDING if whole else PENDING_UNSUPPORTED_KEYS), answer
    except BadIdentifier:
        status = BAD_IDENTIFIER
    state.end(entry, status)
    yield status, None


def _store(event: evt.Event, state: State, received: Path) -> int:
    state.count("C-STORE")
    path = received / f"{uuid.uuid4().hex}.dcm"
    path.write_bytes(event.encoded_dataset())
    return SUCCESS if state.archive.add(path) else CANNOT_UNDERSTAND
