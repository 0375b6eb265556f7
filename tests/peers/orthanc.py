"""Orthanc as a test peer."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from peers.process import START_SECONDS, Server, free_port, require

DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_PERMISSIONS = {f"Allow{verb}": True for verb in ("Echo", "Find", "Get", "Move", "Store")}


class Orthanc:
    """An Orthanc of its own on 127.0.0.1, empty at first.

    It checks the called AE title, and answers C-FIND, C-GET and C-MOVE only to the AE
    titles among its ``destinations``. Files are loaded over HTTP, byte for byte.
    """

    def __init__(
        self, folder: Path, aetitle: str, destinations: Mapping[str, tuple[str, int]], **extra: Any
    ) -> None:
        require("Orthanc")
        self.aetitle = aetitle
        self.host = "127.0.0.1"
        self.port = free_port()
        self.http_port = free_port()
        self.destinations = destinations
        self.has_dicomweb = DICOMWEB.exists()
        folder.mkdir(parents=True, exist_ok=True)
        configuration = folder / "orthanc.json"
        configuration.write_text(json.dumps(self._configuration(folder) | extra))
        self._server = Server(["Orthanc", configuration], self.port, folder / "orthanc.log")

    @property
    def dicomweb_url(self) -> str:
        return f"http://{self.host}:{self.http_port}/dicom-web/"

    def start(self) -> None:
        self._server.start()
        deadline = time.monotonic() + START_SECONDS
        while True:  # either of its two ports may be the later one
            try:
                self._ask("GET", "/system")
                return
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def stop(self) -> None:
        """Takes 3.5 s: only then its ports can be used again."""
        self._server.stop()

    def load(self, paths: Iterable[Path]) -> None:
        for path in paths:
            answer = self._ask("POST", "/instances", path.read_bytes())
            assert answer["Status"] in ("Success", "AlreadyStored"), path.name

    def store(self, modality: str) -> None:
        """Send everything to one of ``DicomModalities`` by C-STORE."""
        instances = self._ask("GET", "/instances")
        self._ask("POST", f"/modalities/{modality}/store", json.dumps(instances).encode())

    def clear(self) -> None:
        patients = self._ask("GET", "/patients")
        if patients:
            self._ask("POST", "/tools/bulk-delete", json.dumps({"Resources": patients}).encode())

    def uids(self, level: str = "IMAGE", study_uid: str = "") -> frozenset[str]:
        """UIDs of the level ``STUDY``, ``SERIES`` or ``IMAGE``, of one study or of all."""
        name, key = {
            "STUDY": ("Study", "StudyInstanceUID"),
            "SERIES": ("Series", "SeriesInstanceUID"),
            "IMAGE": ("Instance", "SOPInstanceUID"),
        }[level]
        match = {"StudyInstanceUID": study_uid} if study_uid else {}
        query = json.dumps({"Level": name, "Query": match, "Expand": True}).encode()
        found = self._ask("POST", "/tools/find", query)
        return frozenset(entry["MainDicomTags"][key] for entry in found)

    def studies(self) -> dict[str, tuple[str, frozenset[str]]]:
        """Study date and modalities of every study, by StudyInstanceUID."""
        modalities: dict[str, set[str]] = {}
        for entry in self._ask("GET", "/series?expand"):
            found = modalities.setdefault(entry["ParentStudy"], set())
            found.add(entry["MainDicomTags"].get("Modality", ""))
        return {
            entry["MainDicomTags"]["StudyInstanceUID"]: (
                entry["MainDicomTags"].get("StudyDate", ""),
                frozenset(modalities[entry["ID"]]),
            )
            for entry in self._ask("GET", "/studies?expand")
        }

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        connection = http.client.HTTPConnection(self.host, self.http_port, timeout=60)
        with closing(connection):
            connection.request(method, path, body)
            response = connection.getresponse()
            content = response.read()
        assert response.status == 200, f"Orthanc {method} {path}: {response.status}"
        return json.loads(content) if content else None

    def _configuration(self, folder: Path) -> dict[str, Any]:
        return {
            "Name": "pacsfw tests",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "Plugins": [str(DICOMWEB)] if self.has_dicomweb else [],
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAet": self.aetitle,
            "DicomPort": self.port,
            "DicomCheckCalledAet": True,
            "DicomAlwaysAllowFind": False,
            "DicomAlwaysAllowGet": False,
            "DicomAlwaysAllowMove": False,
            "UnknownSopClassAccepted": True,
            "DicomModalities": {
                f"m{number}": {"AET": aetitle, "Host": host, "Port": port, **_PERMISSIONS}
                for number, (aetitle, (host, port)) in enumerate(self.destinations.items())
            },
            "OverwriteInstances": True,
            "SynchronousCMove": True,
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
