"""A collection from an Orthanc with TLS in both directions, each side showing its certificate."""

from __future__ import annotations

import pytest

from pacsfw.testing import make_studies, write_studies
from peers.orthanc import Orthanc

pytestmark = pytest.mark.full


@pytest.fixture
def tls_orthanc(tmp_path, certificates, receiver_port):
    allowed = {f"Allow{verb}": True for verb in ("Echo", "Find", "Move", "Store")}
    orthanc = Orthanc(
        tmp_path / "orthanc",
        "theirtitle",
        {},
        DicomTlsEnabled=True,
        DicomTlsCertificate=certificates.certificate("good"),
        DicomTlsPrivateKey=certificates.key("good"),
        DicomTlsTrustedCertificates=certificates.certificate("ca"),
        DicomModalities={
            "us": {
                "AET": "mytitle",
                "Host": "127.0.0.1",
                "Port": receiver_port,
                "UseDicomTls": True,
                **allowed,
            }
        },
    )
    orthanc.start()
    yield orthanc
    orthanc.stop()


def test_everything_is_asked_and_sent_over_tls(tls_orthanc, collection, certificates, tmp_path):
    files = write_studies(tmp_path / "s", make_studies(2, modalities=(("CT", "CT"),), instances=3))
    tls_orthanc.load(files)
    pair = f"certificate: {certificates.certificate('good')}, key: {certificates.key('good')}"
    both = f"tls: {{{pair}, ca: {certificates.certificate('ca')}}}"
    changes = {
        "    called_node:\n": f"        {both}\n    called_node:\n        {both}\n",
        "    modality: CT\n": "",
    }

    collected = collection(tls_orthanc, changes=changes)

    assert collected.run() == 0
    assert collected.objects().keys() == tls_orthanc.uids("IMAGE")
