"""Which senders are known."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from pacsfw.api import Accept, KnownSender, Node, Profile, Tls
from pacsfw.dimse.senders import KnownSenders, known_senders, plain_address

ACCEPT = Accept(known_senders=(KnownSender("B", ip_network("10.1.0.0/16")),))
CALLED = Node(
    aetitle="PACS", ip="192.0.2.1", profile=Profile(called="PROBED", ip="192.0.2.2", port=104)
)


@pytest.mark.parametrize(
    ("calling", "address", "known"),
    [
        ("PACS", "192.0.2.1", True),
        ("PACS", "192.0.2.2", False),
        ("OTHER", "192.0.2.1", False),
        ("PROBED", "192.0.2.2", True),
        ("LEARNT", "192.0.2.3", True),
        ("LEARNT", "192.0.2.4", False),
        ("B", "10.1.200.3", True),
        ("B", "10.2.0.1", False),
        ("PACS", "10.1.0.1", False),
        ("B", "a closed connection", False),
    ],
)
def test_a_sender_is_a_title_together_with_an_address(calling, address, known):
    senders = known_senders(Node(aetitle="US", accept=ACCEPT), CALLED, [("LEARNT", "192.0.2.3")])

    assert senders.includes(calling, address) is known


def test_the_name_of_a_host_stands_for_its_addresses():
    senders = known_senders(Node(aetitle="US"), Node(aetitle="PACS", ip="localhost"), [])

    assert senders.includes("PACS", "127.0.0.1")


def test_a_name_that_cannot_be_resolved_makes_nobody_known():
    senders = known_senders(Node(aetitle="US"), Node(aetitle="PACS", ip="pacs.invalid"), [])

    assert senders == KnownSenders()


@pytest.mark.parametrize(
    "listener",
    [
        Node(aetitle="US", tls=Tls(certificate="us.pem", ca="ca.pem")),
        Node(aetitle="US", accept=Accept(addresses=(ip_network("192.0.2.0/24"),))),
    ],
    ids=["certificates", "addresses"],
)
def test_who_got_in_by_a_certificate_or_an_address_is_known(listener):
    assert known_senders(listener, None, []).includes("ANY", "192.0.2.66")


def test_without_the_certificates_of_senders_encryption_makes_nobody_known():
    listener = Node(aetitle="US", tls=Tls(certificate="us.pem"))

    assert not known_senders(listener, None, []).includes("ANY", "192.0.2.66")


@pytest.mark.parametrize(
    ("address", "plain"),
    [("::ffff:192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::1"), ("192.0.2.1", "192.0.2.1")],
)
def test_addresses_are_written_as_in_a_configuration(address, plain):
    assert plain_address(address) == plain
