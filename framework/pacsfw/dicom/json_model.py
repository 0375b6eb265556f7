"""The DICOM JSON model (PS3.18 annex F) of elements that were read.

Values are decoded as those of tables are. Group lengths are left out (PS3.18 section F.2.2). DS and
IS that are no numbers are texts, as section F.2.3 allows.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pacsfw.dicom.charset import decoder
from pacsfw.dicom.elements import Leaf, charset_of, known_vr
from pacsfw.dicom.names import GROUPS
from pacsfw.dicom.natural import Undecodable, natural
from pacsfw.dicom.tagpath import FILE_META_GROUP, Step
from pacsfw.dicom.values import float_of, int_of
from pacsfw.dicom.vr import BINARY
from pacsfw.dicom.wanted import NotRead, QueryRow

_PIXEL_REPRESENTATION = 0x00280103
_SIGNED_OR_NOT = frozenset({"US or SS", "US or SS or OW"})
_WORDS = frozenset({"OB or OW", "US or OW"})

Problem = Callable[[str, str], None]
"""Told of an element whose value cannot be decoded, such as ``(0010,0010)``, and of the reason."""


def refuse(tag: str, reason: str) -> None:
    """Raise Undecodable for the first value that cannot be decoded."""
    raise Undecodable(f"{tag}: {reason}")


@dataclass(frozen=True, slots=True)
class JsonModel:
    """Makes the model of data sets, items and values.

    Attributes
    ----------
    little
        The byte order of numbers.
    undeclared
        The character set of instances that declare none.
    longest
        Longer binary values are bulk data and left out, in bytes; None: there is no limit.
    problem
        Is told of values that cannot be decoded. If it returns, they are left out.
    """

    little: bool
    undeclared: str
    longest: int | None = None
    problem: Problem = refuse

    def dataset(
        self, found: QueryRow, charset: bytes = b"", *, is_signed: bool = False
    ) -> dict[str, Any]:
        """Return the model of a data set or item, without group 0002.

        Parameters
        ----------
        charset, is_signed
            The encoded character set and the pixel representation of the data set around it.
        """
        charset = charset_of(found, charset)
        _, representation = found.get(_PIXEL_REPRESENTATION, ("US", b""))
        if type(representation) is bytes and representation:
            is_signed = any(representation)
        model = {}
        for tag, (vr, value) in sorted(found.items()):
            if tag & 0xFFFF == 0 or tag >> 16 == FILE_META_GROUP:
                continue
            vr = _sole(known_vr(vr, value, Step(tag >> 16, tag & 0xFFFF), found), is_signed)
            content = self._element(tag, Leaf(vr, value, charset, self.little), is_signed)
            if content is not None:
                model[f"{tag:08X}"] = content
        return model

    def _element(self, tag: int, leaf: Leaf, is_signed: bool) -> dict[str, Any] | None:
        """Return the model of an element; None for bulk data and what cannot be decoded."""
        vr, value, charset, _ = leaf
        if isinstance(value, list):
            items = [self.dataset(item, charset, is_signed=is_signed) for item in value]
            return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
        try:
            if vr in BINARY and type(value) is bytes:
                if self.longest is not None and len(value) > self.longest:
                    return None
                return {"vr": vr, "InlineBinary": _base64(value)} if value else {"vr": vr}
            values = self.values(leaf, is_signed=is_signed)
        except Undecodable as error:
            self.problem(f"({tag >> 16:04X},{tag & 0xFFFF:04X})", str(error))
            return None
        return {"vr": vr, "Value": values} if any(v is not None for v in values) else {"vr": vr}

    def values(self, leaf: Leaf, *, is_signed: bool) -> list[Any]:
        """Return the values of an element; None for an empty one.

        Parameters
        ----------
        is_signed
            The pixel representation of the data set.

        Raises
        ------
        Undecodable
            They cannot be decoded, or JSON has no form for them.
        """
        vr, value, charset, little = leaf
        if isinstance(value, list):
            return [self.dataset(item, charset, is_signed=is_signed) for item in value]
        if isinstance(value, NotRead):
            raise Undecodable(value.reason)
        vr = _sole(vr, is_signed)
        if vr in BINARY:
            return [_base64(value)] if value else []
        return [_plain(each, vr) for each in natural(vr, value, little, self._decode(charset))]

    def _decode(self, charset: bytes) -> Callable[[bytes], str]:
        return decoder(charset, self.undeclared)


def _sole(vr: str, is_signed: bool) -> str:
    """Return the VR of an element whose encoding leaves it open (PS3.6 section 5)."""
    if vr in _SIGNED_OR_NOT:
        return "SS" if is_signed else "US"
    return "OW" if vr in _WORDS else vr


def _plain(value: Any, vr: str) -> Any:
    if value == "":
        return None
    if isinstance(value, float) and not math.isfinite(value):
        raise Undecodable("NaN and infinity are no numbers in JSON")
    if vr == "AT":
        return value[1:5] + value[6:10]
    if vr == "PN":
        return {group: text for group, text in zip(GROUPS, value.split("="), strict=False) if text}
    if vr in ("DS", "IS"):
        try:
            return int_of(value) if vr == "IS" else float_of(value)
        except ValueError:
            return value
    return value


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
