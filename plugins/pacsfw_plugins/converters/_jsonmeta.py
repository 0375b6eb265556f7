"""Instances in the DICOM JSON Model (PS3.18 annex F), for the converter ``jsonmeta``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacsfw.api import Converter, OutputFile, Stored
from pacsfw.dicom.vr import BINARY
from pacsfw.errors import ComponentError

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})


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

        (stored,) = files
        header = read_header(stored.path)
        integrity.check(stored.path, header)
        if header.get("SOPInstanceUID") != stored.sop_uid:
            raise ComponentError("the file does not contain the instance that was stored")
        model = self._model(header.dataset)
        text = json.dumps(model, ensure_ascii=False, allow_nan=False, indent=self._indent)
        path = out / f"{stored.path.name.removesuffix('.dcm')}.json"
        path.write_text(text + "\n", encoding="utf-8")
        yield OutputFile(path=path, media_type="application/dicom+json", sources=(stored.sop_uid,))

    def _model(self, dataset: Dataset) -> dict[str, Any]:
        model: dict[str, Any] = {}
        for tag in sorted(dataset.keys()):
            if tag in _PIXELS:
                continue
            try:
                content = self._content(dataset[tag])
                json.dumps(content, allow_nan=False)
            except ComponentError:
                raise
            except Exception as err:  # noqa: BLE001 - malformed values; the text would quote them
                if self._omit:
                    continue
                raise ComponentError(
                    f"JSON cannot represent the value of {tag} ({type(err).__name__})"
                ) from None
            if content is not None:
                model[f"{int(tag):08X}"] = content
        return model

    def _content(self, element: DataElement) -> dict[str, Any] | None:
        """Return an element of the model; None for bulk data."""
        if element.VR == "SQ":
            items = [self._model(item) for item in element.value]
            return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
        if element.VR in BINARY and len(element.value or b"") > self._inline_bytes:
            return None
        content: dict[str, Any] = element.to_json_dict(
            bulk_data_element_handler=None, bulk_data_threshold=0
        )
        return content
