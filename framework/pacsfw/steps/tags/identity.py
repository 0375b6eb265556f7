"""Identify the way in which rows are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pacsfw.config import TagEntry
from pacsfw.plugins.registry import Registry


def tags_identity(tags: Sequence[TagEntry], registry: Registry, charset: str) -> str:
    """Return a digest that changes with the tags, the identity of their callbacks or the charset.

    ``tags`` include those that sinks ask for: rows without these are incomplete. It is a digest
    because options of callbacks may hold secrets, which must not get into the ledger.
    """
    parts = [_without_places(asdict(tag)) for tag in tags]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode())
    digest.update(charset.encode())
    for kind, use in (each for tag in tags for each in tag.uses):
        found = registry.identify(kind, use.name, use.options)
        digest.update(f"{found.digest} {found.info.version}".encode())
    return digest.hexdigest()


def _without_places(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_places(item) for key, item in value.items() if key != "where"}
    if isinstance(value, list | tuple):
        return [_without_places(item) for item in value]
    return value
