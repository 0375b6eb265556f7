"""Reading files back by other means than our own code."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Protocol

import pydicom
from pynetdicom.dsutils import split_dataset

from peers.process import NO_DELAY, require

_LINE = re.compile(r"\([0-9a-f]{4},[0-9a-f]{4}\) \w\w (.*?) +# +(?:\d+|u/l), *\d+ (\w+)")
_CODECS = {
    "ISO_IR 100": "latin-1",
    "ISO_IR 192": "utf-8",
    "\\ISO 2022 IR 87": "iso2022_jp",
}


class Peer(Protocol):
    """What every test PACS has in common."""

    aetitle: str
    host: str
    port: int


def dump(path: Path) -> dict[str, str]:
    """The attributes of the data set (not those in sequences) as dcmdump shows them.

    By keyword; several values are joined by a backslash, an empty attribute is "".
    """
    require("dcmdump")
    output = subprocess.run(["dcmdump", "-q", "-Un", "+L", path], capture_output=True, check=True)
    raw = _parse(output.stdout.decode("latin-1"))
    codec = _CODECS.get(raw.get("SpecificCharacterSet", ""), "latin-1")
    return {key: value.encode("latin-1").decode(codec) for key, value in raw.items()}


def _parse(text: str) -> dict[str, str]:
    found = {}
    for line in text.split("\n"):
        if match := _LINE.fullmatch(line.rstrip()):
            value, keyword = match.groups()
            found[keyword] = "" if value == "(no value available)" else value.strip("[]")
    return found


def dataset_bytes(path: Path) -> bytes:
    """Everything after the File Meta Information of a Part 10 file (PS3.10 7.1)."""
    _, offset = split_dataset(path)
    return path.read_bytes()[offset:]


def by_uid(folder: Path) -> dict[str, bytes]:
    """Data-set bytes of every ``.dcm`` file below a folder, by SOP Instance UID."""
    return {
        str(pydicom.dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID): (
            dataset_bytes(path)
        )
        for path in folder.rglob("*")
        if path.is_file()
    }


def move_by_dcmtk(
    peer: Peer, study_uid: str, port: int, folder: Path, *, whole: bool = True
) -> dict[str, bytes]:
    """What the PACS really sends for a study: data-set bytes by SOP Instance UID.

    DCMTK's movescu asks and receives, as the destination ``REFERENCE`` on ``port``, and
    writes what comes over the wire bit by bit. A PACS may send other bytes than it was
    loaded with, so this is what our own files are compared with. With ``whole`` False
    it may get only a part: DCMTK's receiver knows fewer SOP classes than we do.
    """
    require("movescu")
    folder.mkdir(parents=True, exist_ok=True)
    command = ["movescu", "-S", "-aet", "REFERENCE", "-aem", "REFERENCE", "-aec", peer.aetitle]
    command += ["+P", str(port), "+B", "+xa", peer.host, str(peer.port)]
    command += ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study_uid}"]
    # with +B it forgets its -od and writes to the working directory
    answer = subprocess.run(command, cwd=folder, env=NO_DELAY, capture_output=True, check=False)
    assert answer.returncode == 0 or not whole, answer.stderr.decode()
    return by_uid(folder)
