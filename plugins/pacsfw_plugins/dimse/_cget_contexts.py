"""Presentation contexts for C-GET: the SOP classes of a study must be proposed beforehand."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pydicom.uid
from pynetdicom import AllStoragePresentationContexts, StoragePresentationContexts

from pacsfw.dimse.opening import Proposal

MOST = 126
"""Classes in one association: of 128 presentation contexts (PS3.8 9.3.2.2), GET needs two."""

USUAL: Sequence[str] = tuple(str(each.abstract_syntax) for each in StoragePresentationContexts)
"""The first proposal for a study of unknown SOP classes."""
OTHERS: Sequence[str] = tuple(
    uid
    for each in AllStoragePresentationContexts
    if (uid := str(each.abstract_syntax)) not in USUAL
)[:MOST]
"""The second proposal."""

_SYNTAXES = (
    pydicom.uid.ExplicitVRLittleEndian,
    pydicom.uid.ImplicitVRLittleEndian,
    pydicom.uid.JPEG2000Lossless,
    pydicom.uid.JPEGLosslessSV1,
    pydicom.uid.JPEGBaseline8Bit,
    pydicom.uid.JPEGLSLossless,
    pydicom.uid.RLELossless,
    pydicom.uid.JPEG2000,
    pydicom.uid.JPEGExtended12Bit,
    pydicom.uid.JPEGLossless,
    pydicom.uid.JPEGLSNearLossless,
    pydicom.uid.HTJ2KLossless,
    pydicom.uid.MPEG4HP41,
    pydicom.uid.HTJ2K,
    pydicom.uid.HTJ2KLosslessRPCL,
    pydicom.uid.MPEG2MPML,
    pydicom.uid.MPEG2MPHL,
    pydicom.uid.MPEG4HP41BD,
    pydicom.uid.MPEG4HP422D,
    pydicom.uid.MPEG4HP423D,
    pydicom.uid.MPEG4HP42STEREO,
    pydicom.uid.HEVCMP51,
    pydicom.uid.HEVCM10P51,
    pydicom.uid.JPEG2000MCLossless,
    pydicom.uid.JPEG2000MC,
    pydicom.uid.ExplicitVRBigEndian,
)
"""By frequency: if there are many classes, the last syntaxes share a context."""


def contexts(classes: Collection[str]) -> list[Proposal]:
    """Return the contexts for instances of these classes, at most `MOST`.

    The PACS chooses one transfer syntax per context, and may convert instances that it has in
    another. So as many syntaxes as possible have their own context.
    """
    each = max(1, MOST // max(1, len(classes)))
    return [
        Proposal(sop_class, tuple(map(str, syntaxes)), receives=True)
        for syntaxes in _grouped(each)
        for sop_class in classes
    ]


def _grouped(most: int) -> list[tuple[str, ...]]:
    """Divide the transfer syntaxes into at most ``most`` contexts."""
    alone = _SYNTAXES[: len(_SYNTAXES) if most >= len(_SYNTAXES) else most - 1]
    rest = _SYNTAXES[len(alone) :]
    return [*((syntax,) for syntax in alone), *([rest] if rest else [])]
