"""Presentation contexts for C-GET: what a study holds has to be proposed beforehand."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pydicom.uid import (
    HEVCM10P51,
    HEVCMP51,
    HTJ2K,
    JPEG2000,
    JPEG2000MC,
    MPEG2MPHL,
    MPEG2MPML,
    MPEG4HP41,
    MPEG4HP41BD,
    MPEG4HP42STEREO,
    MPEG4HP422D,
    MPEG4HP423D,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEG2000MCLossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import AllStoragePresentationContexts, StoragePresentationContexts

from pacsfw.dimse.identifier import STUDY_ROOT_GET
from pacsfw.dimse.opening import Proposal

MOST = 127
"""Classes in one association: 128 presentation contexts (PS3.8 section 9.3.2.2), one for GET."""

USUAL: Sequence[str] = tuple(str(each.abstract_syntax) for each in StoragePresentationContexts)
"""What is proposed where nobody says what a study holds, at first, ..."""
OTHERS: Sequence[str] = tuple(
    uid
    for each in AllStoragePresentationContexts
    if (uid := str(each.abstract_syntax)) not in USUAL
)[:MOST]
"""... and then."""

_SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    JPEG2000,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLSNearLossless,
    HTJ2KLossless,
    MPEG4HP41,
    HTJ2K,
    HTJ2KLosslessRPCL,
    MPEG2MPML,
    MPEG2MPHL,
    MPEG4HP41BD,
    MPEG4HP422D,
    MPEG4HP423D,
    MPEG4HP42STEREO,
    HEVCMP51,
    HEVCM10P51,
    JPEG2000MCLossless,
    JPEG2000MC,
    ExplicitVRBigEndian,
)
"""The more frequent first: where there are many classes, the last ones share a context."""


def contexts(classes: Collection[str]) -> list[Proposal]:
    """Return the contexts for C-GET of objects of these classes, `MOST` at most.

    Of a context the PACS chooses one transfer syntax, and may encode anew what it has in
    others. So each syntax has a context of its own as far as there is room.
    """
    each = max(1, MOST // max(1, len(classes)))
    return [
        Proposal(STUDY_ROOT_GET),
        *(
            Proposal(sop_class, tuple(map(str, syntaxes)), receives=True)
            for syntaxes in _grouped(each)
            for sop_class in classes
        ),
    ]


def _grouped(most: int) -> list[tuple[str, ...]]:
    """Spread the transfer syntaxes over so many contexts at most."""
    alone = _SYNTAXES[: len(_SYNTAXES) if most >= len(_SYNTAXES) else most - 1]
    rest = _SYNTAXES[len(alone) :]
    return [*((syntax,) for syntax in alone), *([rest] if rest else [])]
