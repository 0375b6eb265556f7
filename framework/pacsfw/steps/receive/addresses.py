"""Who may connect, by address."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence


def is_allowed(
    host: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]
) -> bool:
    """Tell whether an address is in one of the networks; with none everybody may connect.

    An IPv4 address that comes by way of IPv6 (``::ffff:192.0.2.1``) counts as the former.
    """
    if not networks:
        return True
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    return any(address in network for network in networks)
