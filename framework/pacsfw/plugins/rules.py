"""Identify a rule: a component that decides which instances are kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pacsfw.plugins.origin import source_of
from pacsfw.plugins.records import Offer


def rule_fingerprint(offer: Offer, options: Mapping[str, Any]) -> str:
    """Return a digest that changes with a component, its package, version, options and code.

    It is a digest because options may hold secrets, which must not get into the ledger.
    """
    parts = [offer.kind, offer.reference, offer.version, dict(options)]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode())
    digest.update(source_of(offer.component.factory(**options)))
    return digest.hexdigest()
