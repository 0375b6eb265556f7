"""Instances in the DICOM JSON Model (PS3.18 annex F), for the converter ``jsonmeta``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from pacsfw.api import Converter, OutputFile, Stored
from pacsfw.errors import ComponentError


class JsonMeta(Converter):
    """Writes ``NAME.json`` for ``NAME.dcm``: one instance in the DICOM JSON Model, in UTF-8."""

    def __init__(
        self, inline_bytes: int = 1024, invalid: str = "fail", indent: int | None = None
    ) -> None:
        self._inline_bytes, self._omit, self._indent = inline_bytes, invalid == "omit", indent

    def convert(self, files: Sequence[Stored], out: Path) -> Iterable[OutputFile]:
        """Write the file of one instance.

        Raises
        ------
        UnreadableObject, Damaged
            The file is damaged.
        ComponentError
            JSON cannot represent a value; the message names the tag, not the value.
        """
        from pacsfw.dicom import integrity
        from pacsfw.dicom.header import read_header  # imports pydicom
        from pacsfw.dicom.json_model import JsonModel

        (stored,) = files
        header = read_header(stored.path)
        integrity.check(stored.path, header)
        if header.get("SOPInstanceUID") != stored.sop_uid:
            raise ComponentError("the file does not contain the instance that was stored")
        model = JsonModel(
            header.encoding.little, header.charset, self._inline_bytes, self._leave_out
        ).dataset(header.whole().found)
        text = json.dumps(model, ensure_ascii=False, allow_nan=False, indent=self._indent)
        path = out / f"{stored.path.name.removesuffix('.dcm')}.json"
        path.write_text(text + "\n", encoding="utf-8")
        yield OutputFile(path=path, media_type="application/dicom+json", sources=(stored.sop_uid,))

    def _leave_out(self, tag: str, reason: str) -> None:
        if not self._omit:
            raise ComponentError(f"JSON cannot represent the value of {tag}: {reason}")
