"""The part of the UID dictionary (PS3.6 annex A) that a Storage SCP needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class KnownUids:
    """Known UIDs. Picklable, so that other processes need not import the slow dictionary."""

    not_storage: frozenset[str]
    """Known UIDs that are not storage SOP classes."""
    syntaxes: frozenset[str]
    """Transfer syntaxes."""


@cache
def known_uids() -> KnownUids:
    """Return the UIDs of pydicom's dictionary."""
    from pydicom import config
    from pydicom.uid import UID, UID_dictionary  # type: ignore[attr-defined]

    uids = [UID(text, config.IGNORE) for text in UID_dictionary]
    return KnownUids(
        not_storage=frozenset(str(uid) for uid in uids if not _is_storage(uid.type, uid.name, uid)),
        syntaxes=frozenset(str(uid) for uid in uids if uid.type == "Transfer Syntax"),
    )


def _is_storage(kind: str, name: str, uid: str) -> bool:
    # 1.2.840.10008.1.* contains media directories and storage commitment.
    return (
        kind == "SOP Class"
        and not uid.startswith("1.2.840.10008.1.")
        and (" Storage" in name or name == uid)
    )
