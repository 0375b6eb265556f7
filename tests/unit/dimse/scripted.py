"""A PACS that does what a test tells it to, also what no PACS should do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from pacsfw.api import Net, Node

MODELS = (
    Verification,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
)


@contextmanager
def scripted(
    *handlers: tuple[Any, Callable[[evt.Event], Any]],
    contexts: tuple[str, ...] = MODELS,
    aetitle: str = "PACS",
    called: str = "PACS",
    **settings: Any,
) -> Iterator[Net]:
    """Run a pynetdicom SCP; yield the nodes to talk to it, ``called`` being what we call it."""
    ae = AE(ae_title=aetitle)
    ae.require_called_aet = True
    for uid in contexts:
        ae.add_supported_context(uid)
    for name, value in settings.items():
        setattr(ae, name, value)
    sockets = []
    opened = (evt.EVT_CONN_OPEN, lambda event: sockets.append(event.assoc.dul.socket.socket))
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[opened, *handlers])
    try:
        yield net(server.socket.getsockname()[1], called)
    finally:
        server.shutdown()
        for sock in sockets:
            sock.close()  # pynetdicom leaves it open where a handler was still at work


def net(port: int, aetitle: str = "PACS", **called: Any) -> Net:
    return Net(
        local=Node(aetitle="PACSFW"),
        called=Node(**({"aetitle": aetitle, "ip": "127.0.0.1", "port": port} | called)),
    )
