"""Return raw values: the encoded value, without any conversion."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pacsfw.dicom.charset import decoder
from pacsfw.dicom.elements import Leaf
from pacsfw.dicom.vr import BINARY, NUMBERS, TEXT

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def raw_text(leaves: Sequence[Leaf | None], undeclared: str) -> str | None:
    r"""Return encoded values as text.

    Text is decoded with its character set and keeps its padding; control characters and
    bytes that are invalid in the character set become ``\x00``. Numbers and binary values become
    hexadecimal digits. The values of several items are joined by a backslash.

    Parameters
    ----------
    leaves
        The encoded elements, None for an item that lacks the element.
    undeclared
        The character set of instances that declare none.
    """
    texts = ["" if leaf is None else _text(leaf, undeclared) for leaf in leaves]
    return "\\".join(texts) if texts else None


def _text(leaf: Leaf, undeclared: str) -> str:
    value = leaf.value
    if type(value) is not bytes:
        return ""
    if leaf.vr in BINARY or leaf.vr in NUMBERS or leaf.vr == "AT":
        return value.hex()
    try:
        text = decoder(leaf.charset, undeclared)(value) if leaf.vr in TEXT else ""
    except ValueError:
        text = ""
    text = text or value.decode("ascii", "backslashreplace")
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
