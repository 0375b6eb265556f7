"""The receiver with TLS: who gets in, and that nobody can hold up the others."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacsfw.api import Limits, Tls
from peers.certificates import Certificates
from peers.orthanc import Orthanc
from peers.process import require
from peers.readback import dataset_bytes
from unit.dimse.wire import Sender, p_data, pdv, store_request
from unit.steps.receive.listening import Listening


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates
) -> Iterator[Listening]:
    """Senders have to show a certificate of the test CA."""
    running = Listening(
        tmp_path_factory.mktemp("spool"),
        limits=Limits(associate_timeout=3.0),
        tls=Tls(
            certificate=certificates.certificate("good"),
            key=certificates.key("good"),
            ca=certificates.certificate("ca"),
        ),
    )
    yield running
    running.stop()


@pytest.fixture
def listening(running: Listening) -> Listening:
    running.records.clear()
    return running


def connect(listening: Listening, certificates: Certificates, name: str = "good") -> Sender:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificates.certificate("ca"))
    if name:
        context.load_cert_chain(certificates.certificate(name), certificates.key(name))
    plain = socket.create_connection((listening.host, listening.port))
    return Sender(context.wrap_socket(plain, server_hostname=listening.host))


def echoscu(listening: Listening, *options: object) -> subprocess.CompletedProcess[str]:
    command = ["echoscu", "-v", "-aec", "PACSFW", *map(str, options)]
    return subprocess.run(
        [*command, listening.host, str(listening.port)], capture_output=True, text=True
    )


def dcmtk_tls(certificates: Certificates, name: str = "good") -> list[str]:
    return [
        *("+tls", certificates.key(name), certificates.certificate(name)),
        *("+cf", certificates.certificate("ca")),
    ]


def test_objects_arrive_whole_over_tls(listening: Listening, certificates: Certificates) -> None:
    data = bytes(range(256)) * 2000
    sender = connect(listening, certificates)
    with sender.socket:
        sender.associate()
        sender.send(p_data(pdv(1, 3, store_request())))
        for start in range(0, len(data), 100_000):
            sender.send(p_data(pdv(1, 0, data[start : start + 100_000])))
        sender.send(p_data(pdv(1, 2, b"")))
        assert sender.status() == 0
        sender.release()
    listening.wait_for(lambda: listening.sealed)
    assert dataset_bytes(listening.sealed[0].path) == data


def test_dcmtk_gets_in_with_a_certificate(listening: Listening, certificates: Certificates) -> None:
    require("echoscu")
    assert echoscu(listening, *dcmtk_tls(certificates)).returncode == 0


@pytest.mark.parametrize("name", ["expired", "stranger"])
def test_a_bad_certificate_is_turned_away(
    listening: Listening, certificates: Certificates, name: str
) -> None:
    require("echoscu")
    assert echoscu(listening, *dcmtk_tls(certificates, name)).returncode != 0


def test_a_sender_without_a_certificate_or_tls_or_of_an_old_version_is_turned_away(
    listening: Listening, certificates: Certificates
) -> None:
    require("echoscu")
    anonymous = ["+tla", "+cf", certificates.certificate("ca")]
    assert echoscu(listening, *anonymous).returncode != 0
    assert echoscu(listening).returncode != 0
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    plain = socket.create_connection((listening.host, listening.port))
    with plain, pytest.raises(OSError, match=r"(?i)protocol|alert|handshake|reset"):
        old.wrap_socket(plain)


def test_silent_connections_hold_up_nobody_and_are_closed(
    listening: Listening, certificates: Certificates
) -> None:
    silent = [socket.create_connection((listening.host, listening.port)) for _ in range(40)]
    sender = connect(listening, certificates)
    with sender.socket:
        sender.associate()
        sender.release()
    for sock in silent:
        sock.settimeout(30)
        assert sock.recv(1) == b""
        sock.close()


def test_an_association_over_tls_ends_when_the_receiver_stops(
    tmp_path: Path, certificates: Certificates
) -> None:
    tls = Tls(certificate=certificates.certificate("good"), key=certificates.key("good"))
    listening = Listening(tmp_path / "spool", tls=tls)
    sender = connect(listening, certificates, "")
    with sender.socket:
        sender.associate()
        sender.send(p_data(pdv(1, 3, store_request()), pdv(1, 0, b"half")))
        listening.wait_for(lambda: listening.begun)
        listening.receiver.stop(0.1)
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            sender.pdu()
    assert len(listening.discarded) == 1
    assert not list(listening.spool.iterdir())


def test_orthanc_sends_over_tls(
    listening: Listening, certificates: Certificates, tmp_path: Path, one_file: Path
) -> None:
    orthanc = Orthanc(
        tmp_path / "orthanc",
        "TLSPACS",
        {},
        DicomTlsEnabled=True,
        DicomTlsCertificate=certificates.certificate("good"),
        DicomTlsPrivateKey=certificates.key("good"),
        DicomTlsTrustedCertificates=certificates.certificate("ca"),
        DicomModalities={
            "us": {
                "AET": "PACSFW",
                "Host": "127.0.0.1",
                "Port": listening.port,
                "UseDicomTls": True,
            }
        },
    )
    orthanc.start()
    try:
        orthanc.load([one_file])
        orthanc.store("us")
    finally:
        orthanc.stop()
    listening.wait_for(lambda: listening.sealed)
    assert dataset_bytes(listening.sealed[0].path) == dataset_bytes(one_file)


@pytest.fixture
def one_file(tmp_path: Path) -> Path:
    from pacsfw.testing import make_studies, write_studies

    return write_studies(tmp_path / "files", make_studies(1))[0]
