"""Opening an association with the PACS (PS3.8 sections 7.1 and 9.3.2, PS3.7 annex D).

The request is encoded by pynetdicom's classes; the response is read by our own code, because
theirs reject what the standard says to skip. The connection is ours.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)

from pacsfw.api import Node
from pacsfw.dicom.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pacsfw.dimse import association_reply, pdu
from pacsfw.dimse.negotiation import APPLICATION_CONTEXT, Context
from pacsfw.dimse.pdu import MAX_PDU, PduType, PeerSilent
from pacsfw.dimse.pdu_reader import PduReader
from pacsfw.dimse.requestor import Ended, Requestor, in_words
from pacsfw.dimse.tls import client_context

CONNECT_SECONDS = 10.0
ACSE_SECONDS = 30.0
NO_DICOM = "is this a DICOM port, and does net.called_node.tls match whether it has TLS?"
PDU_SECONDS = 60.0
"""Time limit of one PDU, from its first byte."""

_TICK = 0.25
_TRANSIENT = 2


class Rejected(Exception):
    """The peer rejected the association (PS3.8 table 9-21)."""

    def __init__(self, result: int, source: int, reason: int) -> None:
        super().__init__(result, source, reason)
        self.result, self.source, self.reason = result, source, reason

    @property
    def is_transient(self) -> bool:
        """Whether the peer reports a transient rejection, so that a retry may succeed."""
        return self.result == _TRANSIENT


class Unsupported(Exception):
    """The association was accepted, but none of its presentation contexts."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A presentation context to propose.

    ``receives`` also requests the SCP role (PS3.7 section D.3.3.4): the peer sends us
    instances of this class over the association that we open.
    """

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    receives: bool = False


def request(calling: str, called: Node, proposed: Sequence[Proposal]) -> Requestor:
    """Open an association (PS3.8 section 7.1).

    Parameters
    ----------
    calling
        Our AE title.
    called
        The peer: its AE title and address, and its TLS settings.
    proposed
        At most 128 presentation contexts.

    Raises
    ------
    OSError
        The connection failed, or its TLS handshake did (`ssl.SSLError`).
    Rejected, Unsupported, Ended
        The peer rejected the association, all of its contexts, or ended it.
    """
    context = client_context(called.tls) if called.tls is not None else None
    sock = socket.create_connection((called.ip, called.port), timeout=CONNECT_SECONDS)
    try:
        if context is not None and called.tls is not None:
            sock = context.wrap_socket(sock, server_hostname=called.tls.hostname or called.ip)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        reader = PduReader(sock, max_pdu=MAX_PDU, idle_timeout=_TICK, pdu_timeout=PDU_SECONDS)
        sock.sendall(_request_pdu(calling, called.aetitle, proposed))
        contexts, peer_max_pdu = _answer(reader, proposed)
    except BaseException:
        sock.close()
        raise
    return Requestor(sock, reader, contexts, peer_max_pdu)


def _request_pdu(calling: str, called: str, proposed: Sequence[Proposal]) -> bytes:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID(APPLICATION_CONTEXT)
    primitive.calling_ae_title, primitive.called_ae_title = calling, called
    length = MaximumLengthNotification()
    length.maximum_length_received = MAX_PDU
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    receiving = dict.fromkeys(each.abstract_syntax for each in proposed if each.receives)
    roles = [_receiving(uid) for uid in receiving]
    primitive.user_information = [length, implementation, version, *roles]
    definitions = []
    for number, each in enumerate(proposed):
        context = build_context(each.abstract_syntax, list(each.transfer_syntaxes))
        context.context_id = 2 * number + 1
        definitions.append(context)
    primitive.presentation_context_definition_list = definitions
    packed = A_ASSOCIATE_RQ()
    packed.from_primitive(primitive)
    return packed.encode()


def _receiving(sop_class: str) -> SCP_SCU_RoleSelectionNegotiation:
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid = UID(sop_class)
    role.scu_role, role.scp_role = False, True
    return role


def _answer(reader: PduReader, proposed: Sequence[Proposal]) -> tuple[dict[int, Context], int]:
    deadline = time.monotonic() + ACSE_SECONDS
    while True:
        try:
            kind, body = reader.read()
            break
        except PeerSilent:
            if time.monotonic() >= deadline:
                raise Ended(
                    f"no response to the association request in {ACSE_SECONDS:.0f} s: {NO_DICOM}"
                ) from None
        except pdu.ProtocolError as err:
            raise Ended(f"{err}: {NO_DICOM}") from err
        except pdu.PduError as err:
            if isinstance(err.__cause__, ssl.SSLError):
                raise err.__cause__ from err  # TLS 1.3 checks our certificate after the handshake
            how = f"{in_words(err)} instead of a response to the association request"
            raise Ended(f"{how}: {NO_DICOM}") from err
    if kind is PduType.ASSOCIATE_RJ and len(body) == 4:
        raise Rejected(body[1], body[2], body[3])
    if kind is PduType.ABORT:
        raise Ended(
            "the PACS aborted instead of responding to the association request: check our "
            "AE title and the log of the PACS"
        )
    if kind is not PduType.ASSOCIATE_AC:
        raise Ended(f"{kind.name} PDU instead of a response to the association request: {NO_DICOM}")
    return _accepted(bytes(body), proposed)


def _accepted(body: bytes, proposed: Sequence[Proposal]) -> tuple[dict[int, Context], int]:
    by_id = {
        2 * number + 1: (each.abstract_syntax, each.transfer_syntaxes)
        for number, each in enumerate(proposed)
    }
    reply = association_reply.read(body, by_id)
    if reply is None:
        raise Ended(f"an unreadable response to the association request: {NO_DICOM}")
    if not reply.contexts:
        raise Unsupported
    return dict(reply.contexts), reply.max_pdu
