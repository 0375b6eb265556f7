"""Encryption of DICOM connections (PS3.15 annex B), and the validity of certificates."""

from __future__ import annotations

import contextlib
import socket
import ssl
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pacsfw.api import Tls

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_VERSION, _UTC_TIME, _GENERALIZED_TIME = 0xA0, 0x17, 0x18
_LEGACY_CIPHERS = "DEFAULT:AES128-SHA:AES256-SHA:DHE-RSA-AES128-SHA:@SECLEVEL=0"
"""The classic DICOM profile requires TLS_RSA_WITH_AES_128_CBC_SHA (PS3.15 B.3, retired)."""
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def server_context(tls: Tls) -> ssl.SSLContext:
    """Return the TLS context for connections of senders.

    Raises
    ------
    OSError
        A file cannot be read or has no certificate or key, or they do not match.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _prepare(context, tls)
    if tls.ca:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(tls: Tls) -> ssl.SSLContext:
    """Return the TLS context for connections to the called node.

    Raises
    ------
    OSError
        As for `server_context`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.profile == "legacy":
        # Before certificates are loaded: small keys and SHA-1 are not accepted otherwise.
        context.set_ciphers(_LEGACY_CIPHERS)
    _prepare(context, tls)
    if tls.profile == "legacy":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it is the user's choice
            context.minimum_version = ssl.TLSVersion.TLSv1
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif not tls.ca:
        context.load_default_certs()
    return context


def _prepare(context: ssl.SSLContext, tls: Tls) -> None:
    context.minimum_version = _VERSIONS[tls.min_version]
    if tls.ca:
        context.load_verify_locations(tls.ca)
        # A certificate that is trusted itself needs no CA above it.
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    if tls.certificate:
        # Always with a password: otherwise OpenSSL would prompt for it on the terminal.
        context.load_cert_chain(tls.certificate, tls.key or None, tls.password)


def end_of_stream(sock: socket.socket) -> None:
    """Signal the end of the stream to the peer.

    Raises
    ------
    OSError
        The connection is gone, or it is blocking with TLS and the peer is too slow.
    """
    if isinstance(sock, ssl.SSLSocket):
        with contextlib.suppress(ssl.SSLWantReadError):  # the response of the peer is ignored
            sock.unwrap()
    else:
        sock.shutdown(socket.SHUT_WR)


@dataclass(frozen=True, slots=True)
class Validity:
    """The period of validity of a certificate; aware, in UTC."""

    begins: datetime
    ends: datetime


def validities(path: Path) -> list[Validity]:
    """Return the validity of each certificate in a PEM file, in order.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        The file contains an invalid certificate.
    """
    text = path.read_text(encoding="latin-1")
    parts = text.split(_BEGIN)[1:]
    try:
        return [
            _validity(ssl.PEM_cert_to_DER_cert(_BEGIN + part.partition(_END)[0] + _END))
            for part in parts
        ]
    except (StopIteration, IndexError) as err:
        raise ValueError("contains a certificate that cannot be read") from err


def _validity(certificate: bytes) -> Validity:
    """Read notBefore and notAfter (RFC 5280 section 4.1)."""
    (_, whole), *_ = _elements(certificate)
    (_, to_be_signed), *_ = _elements(whole)
    fields = list(_elements(to_be_signed))
    if fields[0][0] == _VERSION:
        del fields[0]
    # serialNumber, signature, issuer, validity
    begins, ends = (_time(kind, value) for kind, value in _elements(fields[3][1]))
    return Validity(begins, ends)


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Iterate over (tag, content) of DER (ITU-T X.690 section 8.1)."""
    position = 0
    while position < len(data):
        kind, length = data[position], data[position + 1]
        position += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(data[position : position + count], "big")
            position += count
        yield kind, data[position : position + length]
        position += length


def _time(kind: int, value: bytes) -> datetime:
    text = value.decode("ascii")
    if kind == _UTC_TIME:  # RFC 5280 section 4.1.2.5.1: 50 and above is the last century
        text = ("19" if text >= "50" else "20") + text
    elif kind != _GENERALIZED_TIME:
        raise ValueError("a time of unknown type")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
