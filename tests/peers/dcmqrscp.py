"""DCMTK's dcmqrscp as a test peer."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import pydicom

from peers.process import Server, free_port, require

MAX_STUDIES = 300
"""It dies near 390 studies in one storage area."""

_CONFIGURATION = """\
NetworkTCPPort  = {port}
MaxPDUSize      = 131072
MaxAssociations = 32
HostTable BEGIN
{hosts}
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
{aetitle}  {storage}  RW ({studies}, 4096mb)  ANY
AETable END
"""


class Dcmqrscp:
    """A dcmqrscp of its own, empty at first. It takes uncompressed objects only."""

    def __init__(
        self,
        folder: Path,
        aetitle: str,
        destinations: Mapping[str, tuple[str, int]],
        *options: str,
    ) -> None:
        require("dcmqrscp", "dcmsend")
        self.aetitle = aetitle
        self.host = "127.0.0.1"
        self.port = free_port()
        self.destinations = destinations
        self._storage = folder / "storage"
        self._storage.mkdir(parents=True)
        hosts = (
            f"h{number} = ({title}, {host}, {port})"
            for number, (title, (host, port)) in enumerate(destinations.items())
        )
        configuration = folder / "dcmqrscp.cfg"
        configuration.write_text(
            _CONFIGURATION.format(
                port=self.port,
                hosts="\n".join(hosts),
                aetitle=aetitle,
                storage=self._storage,
                studies=MAX_STUDIES,
            )
        )
        command = ["dcmqrscp", "+B", "-dhl", *options, "-c", configuration]
        self._server = Server(command, self.port, folder / "dcmqrscp.log")

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def load(self, paths: Iterable[Path]) -> None:
        """Store over associations one after the other: it loses concurrent stores."""
        paths = list(paths)
        command = ["dcmsend", "-dn", "-aec", self.aetitle, self.host, str(self.port), *paths]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stderr
        assert len(self.uids("STUDY")) <= MAX_STUDIES, "more studies than dcmqrscp survives"

    def clear(self) -> None:
        """It cannot delete, so it is started again over an empty storage area."""
        if not any(self._storage.iterdir()):
            return
        self._server.stop()
        shutil.rmtree(self._storage)
        self._storage.mkdir()
        self._server.start()

    def uids(self, level: str = "IMAGE", study_uid: str = "") -> frozenset[str]:
        """UIDs of the level ``STUDY``, ``SERIES`` or ``IMAGE``, of one study or of all."""
        keyword = {
            "STUDY": "StudyInstanceUID",
            "SERIES": "SeriesInstanceUID",
            "IMAGE": "SOPInstanceUID",
        }[level]
        tags = ["StudyInstanceUID", keyword]
        headers = (
            pydicom.dcmread(path, specific_tags=tags) for path in self._storage.glob("*.dcm")
        )
        return frozenset(
            str(header[keyword].value)
            for header in headers
            if not study_uid or header.StudyInstanceUID == study_uid
        )
