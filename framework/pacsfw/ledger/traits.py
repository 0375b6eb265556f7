"""What query results showed about a PACS, for later runs."""

from __future__ import annotations

import json
from typing import Any

from pacsfw.ledger.database import Database

REFUSED_KEYS = "refused_keys"
"""Trait: level to the return keys that the PACS refuses."""


class Traits:
    """Rows of the table ``traits``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, peer: str, trait: str) -> Any:
        """Return the value of a trait; None if it is unknown."""
        value = self._database.value(
            "SELECT value FROM traits WHERE peer = ? AND trait = ?", peer, trait
        )
        return None if value is None else json.loads(value)

    def set(self, peer: str, trait: str, value: Any) -> None:
        """Replace the value of a trait."""
        self._database.execute(
            "INSERT OR REPLACE INTO traits VALUES (?, ?, ?)", peer, trait, json.dumps(value)
        )

    def all(self, trait: str) -> list[Any]:
        """Return the values of a trait, of every PACS."""
        found = self._database.column("SELECT value FROM traits WHERE trait = ?", trait)
        return [json.loads(value) for value in found]
