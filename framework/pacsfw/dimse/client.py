"""Associations with the PACS, or errors that say what to check."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import tenacity
from pydicom.uid import UID
from pynetdicom import _config

from pacsfw.api import Net, Node
from pacsfw.dimse.command import Element, Field
from pacsfw.dimse.messages import Message
from pacsfw.dimse.negotiation import VERIFICATION
from pacsfw.dimse.opening import CONNECT_SECONDS, Proposal, Rejected, Unsupported, request
from pacsfw.dimse.requestor import Ended, Requestor
from pacsfw.dimse.response import comment_of
from pacsfw.dimse.status import SUCCESS, describe
from pacsfw.errors import RemoteError

# Records of pynetdicom would quote names and IDs: identifiers at INFO, values in the
# tracebacks of decoding errors.
_config.LOG_HANDLER_LEVEL = "none"
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)

ECHO_SECONDS = 30.0
_NO_COMMON_TLS = (
    "handshake failure", "protocol version", "unsupported protocol", "no shared cipher",
    "no cipher", "dh key too small",
)  # fmt: skip
_NAMED = 6
"""Maximum number of services to name if none is accepted."""

_REJECTIONS = {
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling AE title not recognized: register our AE title {ours} at the PACS",
    (1, 7): (
        "called AE title not recognized: check that {theirs} is the AE title of the PACS, and that "
        "it knows ours, {ours}: some PACS reject an unknown caller so"
    ),
    (2, 1): "no reason given",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion: the PACS is busy",
    (3, 2): "local limit exceeded: the PACS currently allows no more associations",
}


_BUSY = tenacity.Retrying(
    retry=tenacity.retry_if_exception(lambda err: isinstance(err, Rejected) and err.is_transient),
    stop=tenacity.stop_after_delay(60),
    wait=tenacity.wait_exponential_jitter(multiplier=0.25, max=5),
    reraise=True,
)
"""A PACS may count an association for some seconds after its release."""


def associate(net: Net, contexts: Iterable[str | Proposal], *, waits: bool = True) -> Requestor:
    """Open an association from ``net.local`` to ``net.called``.

    Parameters
    ----------
    net
        Must contain ``called``.
    contexts
        The proposals, at most 128; a plain UID is an abstract syntax with Explicit and
        Implicit VR Little Endian. At least one must be accepted.
    waits
        Whether to try again for a minute if the PACS rejects it for now.

    Returns
    -------
    Requestor
        An established association; the caller releases or aborts it.

    Raises
    ------
    RemoteError
        It could not be established; the message says what to check.
    """
    called = _called(net)
    proposed = [each if isinstance(each, Proposal) else Proposal(each) for each in contexts]
    ours, name = net.local.aetitle, _name(called)
    try:
        if not waits:
            return request(ours, called, proposed)
        return _BUSY(request, ours, called, proposed)
    except (ssl.SSLError, ConnectionResetError) as err:
        why = _why_no_connection(err) if called.tls is None else _why_no_tls(err)
        raise RemoteError(f"{name}: no connection: {why}") from err
    except OSError as err:
        raise RemoteError(f"{name}: no connection: {_why_no_connection(err)}") from err
    except Rejected as err:
        raise RemoteError(f"{name}: {_why_rejected(err, ours, called.aetitle)}") from err
    except Unsupported as err:
        names = dict.fromkeys(UID(each.abstract_syntax).name for each in proposed)
        wanted = " or ".join([*names][:_NAMED]) + " or others" * (len(names) > _NAMED)
        raise RemoteError(
            f"{name}: association accepted, but not the required services: {wanted} is not "
            f"supported by the PACS, or not for our AE title {ours}"
        ) from err
    except Ended as err:
        raise RemoteError(f"{name}: {err}") from err


@contextmanager
def connect(net: Net, contexts: Iterable[str | Proposal]) -> Iterator[Requestor]:
    """Open an association; it is released at the end, or aborted on an error.

    Parameters and errors are the same as for `associate`.
    """
    association = associate(net, contexts)
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    association.release()


def echo(net: Net) -> None:
    """Verify that the PACS responds (C-ECHO, PS3.7 section 9.1.5).

    Raises
    ------
    RemoteError
        It does not respond; the message says what to check.
    """
    name = _name(_called(net))
    with connect(net, [VERIFICATION]) as association:
        try:
            association.send(VERIFICATION, {Element.COMMAND_FIELD: Field.C_ECHO_RQ})
            message = association.receive(ECHO_SECONDS)
            status = None if message is None else _status(message, Field.C_ECHO_RSP)
            comment = "" if message is None else comment_of(message.command)
        except Ended as err:
            raise RemoteError(f"{name}: C-ECHO: {err}") from err
    if status is None:
        raise RemoteError(f"{name}: C-ECHO: no valid response within {ECHO_SECONDS:.0f} s")
    if status != SUCCESS:
        raise RemoteError(f"{name}: C-ECHO: {describe(status, 'C-ECHO')}", comment=comment)


def _status(message: Message, expected: Field) -> int | None:
    """Return the status of a response, or None if the message is not the expected one."""
    try:
        if message.command.number(Element.COMMAND_FIELD) != expected:
            return None
        return message.command.number(Element.STATUS)
    except ValueError:
        return None


def _called(net: Net) -> Node:
    if net.called is None:
        raise RemoteError("net.called_node is missing: there is no PACS to query")
    return net.called


def _name(called: Node) -> str:
    return f"{called.aetitle} at {called.ip}:{called.port}"


def _why_rejected(rejected: Rejected, ours: str, theirs: str) -> str:
    key = (rejected.source, rejected.reason)
    words = _REJECTIONS.get(key, f"for a reason unknown to the standard {key}")
    duration = "for now" if rejected.is_transient else "permanently"
    return f"association rejected {duration}: {words.format(ours=ours, theirs=theirs)}"


def _why_no_tls(err: OSError) -> str:
    if isinstance(err, ssl.SSLCertVerificationError):
        return (
            f"we reject the certificate of the PACS: {err.verify_message}; "
            "check ca and hostname in net.called_node.tls"
        )
    reason = (getattr(err, "reason", None) or err.strerror or type(err).__name__).lower()
    # Without the line of OpenSSL's source, which also names reasons with underscores.
    reason = reason.partition(" (_ssl")[0].replace("_", " ")
    if any(word in reason for word in _NO_COMMON_TLS):
        return (
            f"no TLS version or cipher in common ({reason}): the PACS may speak only the classic "
            "DICOM TLS profile; `net.called_node.tls.profile: legacy` allows it, and is weak"
        )
    if "alert" in reason:
        return f"the PACS rejects our TLS ({reason}): check certificate in net.called_node.tls"
    return (
        f"closed during the TLS handshake ({reason}): this port has no TLS 1.2 or newer,"
        " or the PACS requires our certificate (net.called_node.tls.certificate)"
    )


def _why_no_connection(err: OSError) -> str:
    if isinstance(err, socket.gaierror):
        return f"unknown host ({err.strerror}): check net.called_node.ip"
    if isinstance(err, TimeoutError):
        return (
            f"no response within {CONNECT_SECONDS:.0f} s: check net.called_node.ip and port, and"
            " any firewall in between"
        )
    if isinstance(err, ConnectionRefusedError):
        return "refused: nothing listens there; check net.called_node.port, and that the PACS runs"
    return f"{err.strerror or err}: check net.called_node.ip and port"
