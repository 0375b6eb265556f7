"""The fixtures that tests/conftest.py gives to every test."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pacsfw.testing import EmbeddedPACS
from peers.certificates import Certificates, make_certificates
from peers.dcmqrscp import Dcmqrscp
from peers.orthanc import Orthanc
from peers.postgres import Postgres
from peers.process import free_port

AETITLE = "theirtitle"
"""What every test PACS is called, as in the documented configuration."""

SAMPLES = Path(os.environ.get("PACSFW_SAMPLES") or Path(__file__).parents[1] / "data" / "dicom")
"""The sample files, see their README; PACSFW_SAMPLES names a larger set with such a manifest."""


def samples(pattern: str = "*") -> list[Path]:
    """Return the sample files of this name. A test that selects none fails."""
    found = sorted(path for path in SAMPLES.rglob(pattern) if path.is_file())
    assert found, f"{SAMPLES}: no sample file is called {pattern}"
    return found


@pytest.fixture(scope="session")
def receiver_port() -> int:
    """The port where every test PACS sends for the AE titles PACSFW and mytitle."""
    return free_port()


@pytest.fixture(scope="session")
def reference_port() -> int:
    """The port of the destination REFERENCE, see `peers.readback.move_by_dcmtk`."""
    return free_port()


@pytest.fixture(scope="session")
def destinations(receiver_port: int, reference_port: int) -> dict[str, tuple[str, int]]:
    """The move destinations that every test PACS knows; DEAD refuses connections."""
    return {
        "PACSFW": ("127.0.0.1", receiver_port),
        "mytitle": ("127.0.0.1", receiver_port),
        "REFERENCE": ("127.0.0.1", reference_port),
        "DEAD": ("127.0.0.1", free_port()),
    }


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Good and bad certificates for TLS."""
    return make_certificates(tmp_path_factory.mktemp("tls") / "certificates")


@pytest.fixture(scope="session")
def orthanc_server(
    tmp_path_factory: pytest.TempPathFactory, destinations: dict[str, tuple[str, int]]
) -> Iterator[Orthanc]:
    server = Orthanc(tmp_path_factory.mktemp("orthanc"), AETITLE, destinations)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def dcmqrscp_server(
    tmp_path_factory: pytest.TempPathFactory, destinations: dict[str, tuple[str, int]]
) -> Iterator[Dcmqrscp]:
    server = Dcmqrscp(tmp_path_factory.mktemp("dcmqrscp"), AETITLE, destinations)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    server = Postgres()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def postgres(postgres_server: Postgres) -> Postgres:
    """The PostgreSQL of this session; `create_database` gives an empty database."""
    return postgres_server


@pytest.fixture
def orthanc(orthanc_server: Orthanc) -> Orthanc:
    """The Orthanc of this session, empty."""
    orthanc_server.clear()
    return orthanc_server


@pytest.fixture
def dcmqrscp(dcmqrscp_server: Dcmqrscp) -> Dcmqrscp:
    """The dcmqrscp of this session, empty."""
    dcmqrscp_server.clear()
    return dcmqrscp_server


@pytest.fixture(params=["orthanc", "dcmqrscp"])
def real_pacs(request: pytest.FixtureRequest) -> Orthanc | Dcmqrscp:
    """Each of the real PACS in turn, empty."""
    server: Orthanc | Dcmqrscp = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def embedded_pacs(
    destinations: dict[str, tuple[str, int]],
) -> Iterator[Callable[..., EmbeddedPACS]]:
    """Starts an `EmbeddedPACS` over a source; its AE title and destinations are the usual."""
    with ExitStack() as stack:

        def start(source: Any = (), **options: Any) -> EmbeddedPACS:
            usual = {"aetitle": AETITLE, "destinations": destinations}
            return stack.enter_context(EmbeddedPACS(source, **(usual | options)))

        yield start


@pytest.fixture(scope="session")
def good_samples() -> list[Path]:
    """The well-formed sample files. A test that gets none fails.

    No two of them share a SOP Instance UID, and each has all UIDs and a PatientID. In some
    of them the File Meta names another object than the data set.
    """
    with (SAMPLES / "MANIFEST.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    good = [SAMPLES / row["path"] for row in rows if row["pydicom"] == "ok" and not row["flags"]]
    assert good, f"{SAMPLES}: no sample file is well-formed"
    return good
