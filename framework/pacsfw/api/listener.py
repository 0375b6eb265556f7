"""Encryption, access control and limits of a node."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Literal, TypeAlias

Unsolicited: TypeAlias = Literal["accept", "quarantine", "reject"]
Senders: TypeAlias = Literal["learn", "strict"]
TlsVersion: TypeAlias = Literal["1.2", "1.3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Encryption of DICOM connections (PS3.15 annex B). Paths are absolute, or empty.

    A node that listens has a ``certificate``, and senders need one as well if ``ca`` is set.
    For a node that is called, ``ca`` are the only trusted certificates.
    """

    certificate: str = ""
    """Our own certificate and its intermediate certificates; PEM."""
    key: str = ""
    """Its private key; PEM. Empty: in the file of the certificate."""
    password: str = field(default="", repr=False)
    """The password of the key."""
    ca: str = ""
    """The certificates to trust; PEM."""
    verify: bool = True
    """False accepts any certificate of the node that is called."""
    hostname: str = ""
    """The name that its certificate must have; empty: its ``ip``."""
    min_version: TlsVersion = "1.2"
    profile: Literal["modern", "legacy"] = "modern"
    """legacy: also TLS 1.0 and the weak ciphers of the classic profile (PS3.15 annex B)."""


@dataclass(frozen=True, slots=True)
class KnownSender:
    """A calling AE title, and the address or network that it belongs to."""

    aetitle: str
    network: IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """What a listening node accepts; empty lists accept everyone."""

    called_aetitles: tuple[str, ...] = ()
    """AE titles, in addition to its own, under which it may be called."""
    calling_aetitles: tuple[str, ...] = ()
    addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    unsolicited: Unsolicited = "quarantine"
    """Handling of instances of studies that were never requested."""
    deflated: bool = False
    """Whether Deflated Explicit VR Little Endian is accepted."""
    senders: Senders = "learn"
    """Handling of senders that are not known: ``learn`` accepts and holds what they send until
    they are, ``strict`` rejects their associations."""
    known_senders: tuple[KnownSender, ...] = ()
    """Known in addition to the PACS."""
    transfer_syntaxes: tuple[str, ...] = ()
    """UIDs of transfer syntaxes that are accepted in addition, such as private ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits for senders. Times are in seconds, measured on the monotonic clock."""

    associations: int = 64
    """Open at the same time; if all are in use, those without progress are closed."""
    associations_per_address: int = 32
    """Open at the same time from one address."""
    associate_timeout: float = 15.0
    """From the connection to the complete association request, including the TLS handshake."""
    idle_timeout: float = 900.0
    """Maximum silence between two PDUs."""
    pdu_timeout: float = 60.0
    """From the first byte of a PDU to its last."""
    association_timeout: float = 86400.0
    """From the association request to the end."""
    minimum_rate: int = 1024
    """Minimum bytes per second of a message, over any ``pdu_timeout``."""
    object_size: int = 16 << 30
    """Maximum bytes of one data set."""
