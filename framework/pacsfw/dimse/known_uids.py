"""What the dictionary of UIDs (PS3.6 annex A) says that a Storage SCP has to know."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class KnownUids:
    """Picklable: who has it needs no dictionary, which takes long to import."""

    not_storage: frozenset[str]
    """Known UIDs that are of no storage SOP class."""
    syntaxes: frozenset[str]
    """Transfer syntaxes."""


@cache
def known_uids() -> KnownUids:
    """Return what pydicom's dictionary knows."""
    from pydicom import config
    from pydicom.uid import UID, UID_dictionary  # type: ignore[attr-defined]

    uids = [UID(text, config.IGNORE) for text in UID_dictionary]
    return KnownUids(
        not_storage=frozenset(str(uid) for uid in uids if not _is_storage(uid.type, uid.name, uid)),
        syntaxes=frozenset(str(uid) for uid in uids if uid.type == "Transfer Syntax"),
    )


def _is_storage(kind: str, name: str, uid: str) -> bool:
    # 1.2.840.10008.1.* has media directories and storage commitment.
    return (
        kind == "SOP Class"
        and not uid.startswith("1.2.840.10008.1.")
        and (" Storage" in name or name == uid)
    )
