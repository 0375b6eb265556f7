"""Who is known to send on behalf of the PACS: pairs of calling AE title and address."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from pacsfw.api import KnownSender, Node


@dataclass(frozen=True, slots=True)
class KnownSenders:
    """The known senders; picklable.

    Attributes
    ----------
    pairs
        Calling AE titles and addresses.
    configured
        ``accept.known_senders``.
    networks
        ``accept.addresses``: nobody else may connect.
    certified
        Every sender presents a certificate of a CA that the configuration names.
    """

    pairs: frozenset[tuple[str, str]] = frozenset()
    configured: Sequence[KnownSender] = ()
    networks: Sequence[IPv4Network | IPv6Network] = ()
    certified: bool = False

    def includes(self, calling_ae: str, address: str) -> bool:
        """Return whether this sender is known."""
        if self.certified or (calling_ae, address) in self.pairs:
            return True
        titled = (each.network for each in self.configured if each.aetitle == calling_ae)
        return is_in(address, (*self.networks, *titled))


def known_senders(
    listener: Node, called: Node | None, learnt: Iterable[tuple[str, str]]
) -> KnownSenders:
    """Return the senders known to a node that listens.

    Parameters
    ----------
    called
        The PACS: known at its address, and where `pacsfw probe` reached it.
    learnt
        Senders that were seen to act on our requests.
    """
    pairs = set(learnt)
    if called is not None:
        pairs |= {(called.aetitle, address) for address in _addresses(called.ip)}
        profile = called.profile
        pairs |= {(profile.called, address) for address in _addresses(profile.ip)}
    return KnownSenders(
        frozenset(pairs),
        listener.accept.known_senders,
        listener.accept.addresses,
        certified=listener.tls is not None and bool(listener.tls.ca),
    )


def is_in(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Return whether an address is in one of the networks."""
    try:
        parsed = _plain(address)
    except ValueError:  # the connection was closed before its address could be read
        return False
    return any(parsed in network for network in networks)


def plain_address(address: str) -> str:
    """Return an address as it is written in a configuration.

    An IPv4-mapped IPv6 address (``::ffff:192.0.2.1``) counts as its IPv4 address.
    """
    return str(_plain(address))


def _plain(address: str) -> IPv4Address | IPv6Address:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed


def _addresses(host: str) -> set[str]:
    """Return the addresses of a host; none if its name cannot be resolved now."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM) if host else []
    except OSError:
        return set()
    return {plain_address(str(where[0])) for *_, where in found}
