"""``tls``, ``accept`` and ``limits`` of the nodes: what they become and what is refused."""

from __future__ import annotations

import shutil
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pacsfw.api import Accept, KnownSender, Limits, Tls
from pacsfw.config import shown
from pacsfw.dimse.tls import Validity
from peers.certificates import Certificates

if TYPE_CHECKING:
    from conftest import Desk

CALLED = "  called_node: {aetitle: YOU, ip: h, port: 104, tls: {%s}}\n"


def conf(inner: str, more: str = "") -> str:
    return f"net:\n  local_node: {{aetitle: ME, port: 11112, {inner}}}\n{more}"


@pytest.fixture
def pem(desk: Desk, certificates: Certificates) -> Certificates:
    """The certificates beside the configuration."""
    for path in certificates.folder.glob("*.*"):
        shutil.copy(path, desk.folder)
        (desk.folder / path.name).chmod(0o600)
    return Certificates(desk.folder)


def test_everything_that_can_be_said(desk: Desk, pem: Certificates) -> None:
    inner = (
        "tls: {certificate: good.pem, key: good.key, ca: ca.pem, min_version: '1.3'}, "
        "accept: {called_aetitles: [OLD], calling_aetitles: ['PACS ', B], "
        "addresses: [10.1.0.0/16, '::1'], unsolicited: reject, deflated: true, "
        "senders: strict, known_senders: [PACS_B@10.1.2.7, 'C @10.2.0.0/16'], "
        "transfer_syntaxes: [1.2.840.113619.5.2]}, "
        "limits: {associations: 4, associate_timeout: 2.5, object_size: 2 GB}"
    )
    net = desk.load(conf(inner, CALLED % "ca: ca.pem, hostname: pacs.example")).config.net
    assert net is not None
    assert net.called is not None
    assert net.local.tls == Tls(
        certificate=pem.certificate("good"),
        key=pem.key("good"),
        ca=pem.certificate("ca"),
        min_version="1.3",
    )
    assert net.local.accept == Accept(
        called_aetitles=("OLD",),
        calling_aetitles=("PACS", "B"),
        addresses=(ip_network("10.1.0.0/16"), ip_network("::1")),
        unsolicited="reject",
        deflated=True,
        senders="strict",
        known_senders=(
            KnownSender("PACS_B", ip_network("10.1.2.7")),
            KnownSender("C", ip_network("10.2.0.0/16")),
        ),
        transfer_syntaxes=("1.2.840.113619.5.2",),
    )
    assert net.local.limits == Limits(
        associations=4, associate_timeout=2.5, object_size=2_000_000_000
    )
    assert net.called.tls == Tls(ca=pem.certificate("ca"), hostname="pacs.example")


def test_a_destination_node_takes_over_what_it_does_not_say_itself(
    desk: Desk, pem: Certificates
) -> None:
    inner = "tls: {certificate: good.pem, key: good.key}, accept: {calling_aetitles: [PACS]}"
    dest = "  dest_node: {aetitle: IN, port: 104, accept: {unsolicited: quarantine}}\n"
    net = desk.load(conf(inner, dest)).config.net
    assert net is not None
    assert net.dest is not None
    assert net.dest.tls == net.local.tls
    assert net.dest.accept == Accept(unsolicited="quarantine")


def test_defaults_are_shown_and_the_password_is_not(desk: Desk, pem: Certificates) -> None:
    text = shown(
        desk.load(
            conf("limits: {}, tls: {certificate: good.pem, key: good.key, password: x}")
        ).config
    )
    assert "idle_timeout: 900" in text
    assert "min_version: '1.2'" in text
    assert "password: '***'" in text


@pytest.mark.parametrize(
    ("inner", "problem"),
    [
        ("tls: {}", "net.local_node.tls: certificate is missing"),
        ("tls: {certificate: no.pem}", "no.pem: no such file"),
        ("tls: {certificate: good.key}", "good.key: contains no certificate (PEM)"),
        ("tls: {certificate: good.pem}", "tls.certificate: contains no valid private key"),
        (
            "tls: {certificate: good.pem, key: ca.key}",
            "tls.key: does not match the certificate",
        ),
        (
            "tls: {certificate: good.pem, key: locked.key}",
            "tls.key: the password of the key is missing or wrong",
        ),
        ("tls: {certificate: good.pem, min_version: '1.0'}", "'1.0' is not one of 1.2, 1.3"),
        ("accept: {addresses: [10.1.2.3/16]}", "(did you mean 10.1.0.0/16?)"),
        ("accept: {addresses: [pacs]}", "'pacs' is not an address or a network such as"),
        ("accept: {calling_aetitles: []}", "accept.calling_aetitles: is empty"),
        ("accept: {calling_aetitles: [LONGER THAN SIXTEEN]}", "is not an AE title"),
        ("accept: {unsolicited: maybe}", "'maybe' is not one of accept, quarantine, reject"),
        ("accept: {senders: all}", "'all' is not one of learn, strict"),
        ("accept: {known_senders: [PACS_B@pacs]}", "'pacs' is not an address or a network"),
        ("accept: {known_senders: ['@10.1.2.7']}", "does not begin with an AE title and @"),
        ("accept: {transfer_syntaxes: [GE]}", "'GE' is not a UID"),
        ("limits: {associations: 0}", "limits.associations: 0 is not a number from 1 to 256"),
        ("limits: {idle_timeout: 0}", "is not a number of seconds"),
        ("limits: {object_size: 2 gigs}", "'2 gigs' is not a size such as 500 MB or 2 GiB"),
        ("limits: {object_size: 0}", "limits.object_size: accepts no instance"),
        ("limits: {speed: 1}", "limits.speed: unknown key"),
    ],
)
def test_what_is_refused(desk: Desk, pem: Certificates, inner: str, problem: str) -> None:
    (line,) = desk.refusal(conf(inner))
    assert line.startswith("conf.yaml:2:")
    assert problem in line


@pytest.mark.parametrize(
    ("inner", "called", "warning"),
    [
        ("bind: h", "verify: false", "anyone can impersonate the PACS"),
        ("bind: h", "ca: stranger.pem", "stranger.pem: the certificate expires on 20"),
        (
            "tls: {certificate: expired.pem, key: expired.key}",
            "ca: good.pem",
            "expired.pem: the certificate expired on 2021-01-01 00:00 UTC",
        ),
        (
            "tls: {certificate: good.pem, key: open.key}",
            "ca: good.pem",
            "open.key: other users can read it (chmod go-r)",
        ),
    ],
)
def test_what_is_warned_of(
    desk: Desk, pem: Certificates, inner: str, called: str, warning: str
) -> None:
    shutil.copy(pem.key("good"), desk.folder / "open.key")
    (desk.folder / "open.key").chmod(0o644)
    (found,) = desk.load(conf(inner, CALLED % called)).config.warnings
    assert warning in found


def test_a_file_of_several_certificates_is_read_one_by_one(certificates: Certificates) -> None:
    from pacsfw.dimse.tls import validities

    both = certificates.folder / "both.crt"
    both.write_text(
        "a comment\n"
        + "".join(Path(certificates.certificate(name)).read_text() for name in ("expired", "good"))
    )
    ends = [validity.ends.year for validity in validities(both)]
    assert ends == [2021, 2099]
    assert isinstance(validities(both)[0], Validity)
    both.write_text("-----BEGIN CERTIFICATE-----\nMAMwAzAD\n-----END CERTIFICATE-----\n")
    with pytest.raises(ValueError, match="cannot be read"):
        validities(both)
