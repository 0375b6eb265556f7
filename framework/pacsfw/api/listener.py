"""How a node encrypts, whom it lets in, and how much a sender may take from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Literal, TypeAlias

Unsolicited: TypeAlias = Literal["accept", "quarantine", "reject"]
TlsVersion: TypeAlias = Literal["1.2", "1.3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Encryption of DICOM connections (PS3.15 annex B). Paths are absolute, or empty.

    For a node that listens, ``certificate`` is there, and senders need a certificate if
    ``ca`` is. For one that is called, ``ca`` are the only certificates to trust.
    """

    certificate: str = ""
    """Our own certificate, and those between it and its CA; PEM."""
    key: str = ""
    """Its private key; PEM. Empty: in the file of the certificate."""
    password: str = field(default="", repr=False)
    """That of the key."""
    ca: str = ""
    """The certificates to trust; PEM."""
    verify: bool = True
    """False accepts any certificate of the node that is called."""
    hostname: str = ""
    """The name that its certificate has to have; empty: the one it is called by."""
    min_version: TlsVersion = "1.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """What a node that listens lets in; empty lists let everybody in."""

    called_aetitles: tuple[str, ...] = ()
    """AE titles beside its own under which it may be called."""
    calling_aetitles: tuple[str, ...] = ()
    addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    unsolicited: Unsolicited = "accept"
    """What becomes of objects of studies that were never asked for."""
    deflated: bool = False
    """Whether Deflated Explicit VR Little Endian is accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much senders may take. Times in seconds, measured on the monotonic clock."""

    associations: int = 64
    """Open at once; when all are, those that make no progress give way."""
    associations_per_address: int = 32
    """Open at once from one address."""
    associate_timeout: float = 15.0
    """From the connection to the whole association request, TLS handshake included."""
    idle_timeout: float = 900.0
    """Of silence between two PDUs."""
    pdu_timeout: float = 60.0
    """From the first byte of a PDU to its last."""
    association_timeout: float = 86400.0
    """From the association request to the end."""
    minimum_rate: int = 1024
    """Bytes per second that a message has to come with, over any ``pdu_timeout``."""
    object_size: int = 16 << 30
    """Bytes of one data set."""
