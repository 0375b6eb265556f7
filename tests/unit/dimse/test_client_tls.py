"""Calling a PACS over TLS: DCMTK's storescp with good and bad certificates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pacsfw.api import Net, Node, Tls
from pacsfw.dimse.client import echo
from pacsfw.errors import RemoteError
from peers.certificates import Certificates
from peers.process import Server, free_port, require

Start = Callable[..., int]


@pytest.fixture
def storescp(tmp_path: Path, certificates: Certificates) -> Iterator[Start]:
    """Starts a storescp with a certificate, or without TLS; returns its port."""
    require("storescp")
    with ExitStack() as stack:

        def start(name: str = "", *options: str) -> int:
            port = free_port()
            tls = ["+tls", certificates.key(name), certificates.certificate(name)] if name else []
            tls += ["+cf", certificates.certificate("ca")] if name else []
            command = ["storescp", "-od", str(tmp_path), *tls, *options, str(port)]
            server = Server(command, port, tmp_path / "storescp.log")
            server.start()
            stack.callback(server.stop)
            return port

        yield start


def net(port: int, tls: Tls | None) -> Net:
    called = Node(aetitle="ANY-SCP", ip="127.0.0.1", port=port, tls=tls)
    return Net(local=Node(aetitle="ME"), called=called)


@pytest.fixture
def ours(certificates: Certificates) -> dict[str, Any]:
    return {"certificate": certificates.certificate("good"), "key": certificates.key("good")}


def test_a_good_certificate_is_accepted_and_ours_is_shown(
    storescp: Start, certificates: Certificates, ours: dict[str, Any]
) -> None:
    port = storescp("good")
    ca = certificates.certificate("ca")
    echo(net(port, Tls(ca=ca, **ours)))
    echo(net(port, Tls(ca=ca, hostname="localhost", **ours)))
    with pytest.raises(
        RemoteError, match=r"the PACS rejects our TLS|the PACS requires our certificate"
    ):
        echo(net(port, Tls(ca=ca)))
    with pytest.raises(RemoteError, match=r"does net\.called_node\.tls match"):
        echo(net(port, None))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("expired", "certificate has expired"),
        ("stranger", "self-signed certificate"),
        ("other_name", "IP address mismatch"),
    ],
)
def test_a_bad_certificate_is_refused_unless_told_so(
    storescp: Start, certificates: Certificates, name: str, why: str
) -> None:
    port = storescp(name, "-ic")
    with pytest.raises(RemoteError, match=f"we reject the certificate of the PACS: .*{why}"):
        echo(net(port, Tls(ca=certificates.certificate("ca"))))
    echo(net(port, Tls(verify=False)))
    if name == "stranger":
        echo(net(port, Tls(ca=certificates.certificate("stranger"))))
    if name == "other_name":
        named = Tls(ca=certificates.certificate("ca"), hostname="pacs.example")
        echo(net(port, named))


def test_certificates_that_no_ca_of_this_system_signed_are_refused(storescp: Start) -> None:
    with pytest.raises(RemoteError, match="we reject the certificate of the PACS"):
        echo(net(storescp("good", "-ic"), Tls()))


def test_a_port_without_tls_is_told(storescp: Start) -> None:
    with pytest.raises(RemoteError, match="this port has no TLS"):
        echo(net(storescp(), Tls(verify=False)))


def test_the_classic_profile_is_named_and_may_be_allowed(
    storescp: Start, certificates: Certificates
) -> None:
    port = storescp("good", "-ic", "--profile-aes")
    ca = certificates.certificate("ca")

    with pytest.raises(RemoteError) as raised:
        echo(net(port, Tls(ca=ca)))

    assert "the classic DICOM TLS profile; `net.called_node.tls.profile: legacy`" in str(
        raised.value
    )
    assert "certificate" not in str(raised.value)
    echo(net(port, Tls(ca=ca, profile="legacy")))
