"""The return keys that a PACS refuses, and how they are found out.

A PACS may refuse a whole query because of one optional key (PS3.4 C.4.1.1.4: A900). Then it is
asked with fewer keys, down to those that the standard requires, and later queries leave out the
key.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from pacsfw.api import Query, QueryResult
from pacsfw.dicom.levels import REQUIRED_RETURNS

Works = Callable[[Sequence[str]], bool]
"""Whether the PACS answers the query with these return keys."""

VAIN = 3
"""Refusals of queries without optional keys at a level, after which the keys are not to blame."""

_BLAMING = frozenset({0xA900, 0x0105, 0x0106, 0x0110, 0x0114, 0x0115, 0x0120, 0x0121, 400})
"""Statuses of DIMSE and HTTP that PACS return for a key (PS3.7 annex C), besides Cxxx."""


class RefusedKeys:
    """What is known of one PACS; shared by the threads of a run.

    Parameters
    ----------
    known
        Refused keywords by level, from earlier runs and the profile.
    keep
        Called with all refused keywords by level when there are new ones.
    """

    def __init__(
        self,
        known: Mapping[str, Collection[str]] | None = None,
        keep: Callable[[Mapping[str, Sequence[str]]], None] = lambda _: None,
    ) -> None:
        self._lock, self._keep = threading.Lock(), keep
        self._refused = {level: set(keys) for level, keys in (known or {}).items()}
        self._accepted: dict[str, set[str]] = {}
        self._vain: dict[str, int] = {}

    def at(self, level: str) -> frozenset[str]:
        """Return the refused keywords of a level."""
        with self._lock:
            return frozenset(self._refused.get(level, ()))

    def without(self, query: Query) -> Query:
        """Return the query without the keys that are known to be refused."""
        refused = self.at(query.level)
        kept = tuple(key for key in query.returns if key not in refused)
        return query if kept == query.returns else replace(query, returns=kept)

    def accept(self, query: Query) -> None:
        """Note that the PACS answered a query: its keys are not to blame later."""
        with self._lock:
            self._accepted.setdefault(query.level, set()).update(query.returns)

    def may_blame(self, query: Query, result: QueryResult) -> bool:
        """Return whether a result without rows may be the refusal of a return key."""
        with self._lock:
            suspects = set(query.returns) - self._accepted.get(query.level, set())
            in_vain = self._vain.get(query.level, 0) >= VAIN
        named = suspects.intersection(result.refused_keys)
        return is_refusal(result) and bool(suspects) and (bool(named) or not in_vain)

    def find_out(self, query: Query, result: QueryResult, works: Works) -> Query:
        """Return the query without the keys that the PACS refuses; the same one if there are none.

        The key that the PACS names is left out first. Otherwise all optional keys are, then all
        keys, and those to blame are found by halving.
        """
        named = set(result.refused_keys).intersection(query.returns)
        if named:
            rest = [key for key in query.returns if key not in named]
            if works(rest):
                return self._refuse(query, named)
        required = REQUIRED_RETURNS[query.level]
        for kept in ([key for key in query.returns if key in required], []):
            dropped = [key for key in query.returns if key not in kept]
            if dropped and works(kept):
                return self._refuse(query, set(_culprits(kept, dropped, works)))
        with self._lock:
            self._vain[query.level] = self._vain.get(query.level, 0) + 1
        return query

    def _refuse(self, query: Query, keys: set[str]) -> Query:
        with self._lock:
            self._refused.setdefault(query.level, set()).update(keys)
            self._keep({level: sorted(those) for level, those in self._refused.items()})
        return self.without(query)


def is_refusal(result: QueryResult) -> bool:
    """Return whether a query may have been refused because of a key."""
    if result.complete or result.status is None:
        return False
    is_failure = result.status in _BLAMING or result.status & 0xF000 == 0xC000
    return is_failure or bool(result.refused_keys)


def _culprits(kept: Sequence[str], suspects: Sequence[str], works: Works) -> list[str]:
    """Return the suspects that the PACS refuses, by halving."""
    if works([*kept, *suspects]):
        return []
    if len(suspects) == 1:
        return list(suspects)
    middle = len(suspects) // 2
    halves = (suspects[:middle], suspects[middle:])
    return [key for half in halves for key in _culprits(kept, half, works)]
