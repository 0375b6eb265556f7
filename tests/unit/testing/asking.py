"""The same questions put by DCMTK's findscu and by the product's own provider."""

from __future__ import annotations

import logging
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pydicom

from pacsfw.api import Clock, Query, QueryRow, RunContext
from pacsfw.testing import EmbeddedPACS
from pacsfw_plugins.dimse.cfind import pacsfw_query_providers
from peers.process import require
from unit.dimse.scripted import net

FINAL = {"Success": 0x0000, "Cancel": 0xFE00, "Refused: OutOfResources": 0xA700}
MODELS = {"STUDY": "-S", "PATIENT": "-P"}


@dataclass
class Asked:
    """What came in answer to a question."""

    status: int | None = None
    """The final status; None where none came."""
    unsupported: bool = False
    """Whether a row came with FF01."""
    rows: list[Mapping[str, str]] = field(default_factory=list)

    def values(self, keyword: str) -> list[str]:
        return [row[keyword] for row in self.rows]

    @property
    def uids(self) -> set[str]:
        return set(self.values("StudyInstanceUID"))


class Ask(Protocol):
    def __call__(
        self, pacs: EmbeddedPACS, keys: Mapping[str, str], *, level: str = ""
    ) -> Asked: ...


def by_dcmtk(
    pacs: EmbeddedPACS,
    keys: Mapping[str, str],
    *,
    level: str = "STUDY",
    root: str = "STUDY",
    called: str = "",
) -> Asked:
    """Ask by findscu."""
    require("findscu")
    command = ["findscu", "-v", MODELS[root], "-aec", called or pacs.aetitle, "-X"]
    for keyword, value in {"QueryRetrieveLevel": level, **keys}.items():
        command += ["-k", f"{keyword}={value}"]
    with tempfile.TemporaryDirectory() as folder:
        command += ["-od", folder, pacs.host, str(pacs.port)]
        done = subprocess.run(command, check=False, capture_output=True)
        said = (done.stdout + done.stderr).decode("latin-1")
        rows = [texts(path) for path in sorted(Path(folder).iterdir())]
    ended = re.search(r"Final Find Response \(([^)]*)\)", said)
    status = None
    if ended:
        status = next(code for words, code in FINAL.items() if ended[1].startswith(words))
    return Asked(status, "WarningUnsupportedOptionalKeys" in said, rows)


def texts(path: Path) -> dict[str, str]:
    dataset = pydicom.dcmread(path, force=True)
    found = {}
    for element in dataset:
        values = element.value if element.VM > 1 else [element.value]
        found[element.keyword] = "\\".join("" if one is None else str(one) for one in values)
    return found


def by_provider(
    pacs: EmbeddedPACS, keys: Mapping[str, str], *, level: Any = "STUDY", **options: Any
) -> Asked:
    """Ask by the provider ``cfind``."""
    (component,) = pacsfw_query_providers()
    provider = component.factory(**options)
    context = RunContext(
        run_id="test",
        workdir=Path(),
        net=net(pacs.port, pacs.aetitle),
        sections={},
        clock=Clock(),
        log=logging.getLogger("test"),
    )
    rows: list[QueryRow] = []
    match = {keyword: value for keyword, value in keys.items() if value}
    provider.open(context)
    try:
        question = Query(level=level, match=match, returns=tuple(keys))
        answer = provider.ask(question, rows.append)
    finally:
        provider.close()
    return Asked(
        answer.status,
        bool(answer.evidence["optional_keys_ignored"]),
        [row.attributes for row in rows],
    )
