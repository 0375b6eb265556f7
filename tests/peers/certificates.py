"""Certificates for tests of TLS, made with openssl once in a session."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from peers.process import require

_CA = """
[ca]
default_ca = here
[here]
new_certs_dir = {folder}
database = {folder}/index.txt
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""


@dataclass(frozen=True)
class Certificates:
    """PEM files. ``good``, ``expired`` and ``other_name`` are signed by ``ca``.

    All are for 127.0.0.1 and localhost but ``other_name``, which is for pacs.example.
    ``stranger`` is signed by itself, and ends within a month as ``ca`` does. ``locked``
    is the key of ``good`` with the password sesame.
    """

    folder: Path

    def certificate(self, name: str) -> str:
        return str(self.folder / f"{name}.pem")

    def key(self, name: str) -> str:
        return str(self.folder / f"{name}.key")


def make_certificates(folder: Path) -> Certificates:
    require("openssl")
    folder.mkdir(parents=True)
    (folder / "index.txt").touch()
    (folder / "ca.conf").write_text(_CA.format(folder=folder))
    here = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    _self_signed(folder, "ca", "/CN=Test CA", "basicConstraints=critical,CA:TRUE")
    _self_signed(folder, "stranger", "/CN=stranger", here)
    _signed(folder, "good", here, "20200101000000Z", "20990101000000Z")
    _signed(folder, "expired", here, "20200101000000Z", "20210101000000Z")
    _signed(
        folder,
        "other_name",
        "subjectAltName=DNS:pacs.example",
        "20200101000000Z",
        "20990101000000Z",
    )
    _openssl(
        *("pkcs8", "-topk8", "-in", folder / "good.key", "-out", folder / "locked.key"),
        *("-passout", "pass:sesame"),
    )
    return Certificates(folder)


def _self_signed(folder: Path, name: str, subject: str, extension: str) -> None:
    _openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "20", "-subj", subject),
        *("-addext", extension, "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"),
    )


def _signed(folder: Path, name: str, extension: str, begins: str, ends: str) -> None:
    request = folder / f"{name}.csr"
    _openssl(
        *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-addext", extension),
        *("-keyout", folder / f"{name}.key", "-out", request),
    )
    _openssl(
        *("ca", "-batch", "-config", folder / "ca.conf", "-in", request, "-notext"),
        *("-cert", folder / "ca.pem", "-keyfile", folder / "ca.key"),
        *("-startdate", begins, "-enddate", ends, "-out", folder / f"{name}.pem"),
    )


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
