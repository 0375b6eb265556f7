"""An Orthanc full of small studies, for the benchmarks."""

from __future__ import annotations

import http.client
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from pacsfw.testing import Study
from peers.orthanc import Orthanc

AETITLE = "ORTHANC"
OURS = "PACSFW"
START, DAYS = date(2020, 1, 1), 366
_TMPFS = Path("/dev/shm")


def studies(numbers: Iterable[int]) -> Iterator[Study]:
    """Describe studies of one small image each, spread over the days of 2020.

    Of a hundred names 92 begin with a capital letter; the others are the ones that
    searches by the letters A to Z miss.
    """
    for number in numbers:
        yield Study(
            number=number,
            patient_id=f"P{number:07d}",
            patient_name=_name(number),
            study_date=f"{START + timedelta(days=number % DAYS):%Y%m%d}",
            study_time=f"{number // DAYS % 24:02d}{number % 60:02d}00",
            instances=1,
        )


def _name(number: int) -> str:
    kind = number % 100
    if kind < 2:
        return f"{number % 10}Anon^{number}"
    if kind < 4:
        return f"{'ÄÖÜÅÉ'[number % 5]}berg^{number}"
    if kind < 5:
        return ""
    if kind < 6:
        return f"^Only{number}"
    if kind < 8:
        return f"{chr(97 + number % 26)}lower^{number}"
    return f"{chr(65 + number % 26)}name^First{number}"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder of this run's own, in memory where the system has such a place."""
    parent = _TMPFS if _TMPFS.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="pacsfw-bench-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def orthanc(folder: Path) -> Iterator[Orthanc]:
    """Run an empty Orthanc that keeps everything below ``folder``."""
    server = Orthanc(folder, AETITLE, {OURS: ("127.0.0.1", 11112)})
    server.start()
    try:
        yield server
    finally:
        server.stop()


def upload(server: Orthanc, made: Iterable[Study]) -> frozenset[str]:
    """Store the studies by REST, over one connection; return their UIDs."""
    uids = set()
    connection = http.client.HTTPConnection(server.host, server.http_port, timeout=60)
    with closing(connection):
        for study in made:
            for dataset in study.datasets():
                file = BytesIO()
                dataset.save_as(file, enforce_file_format=True)
                connection.request("POST", "/instances", file.getvalue())
                answer = connection.getresponse()
                answer.read()
                if answer.status != http.client.OK:
                    raise RuntimeError(f"Orthanc did not take a study: {answer.status}")
            uids.add(study.uid)
    return frozenset(uids)
