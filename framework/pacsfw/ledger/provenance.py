"""The components that placed, read and converted each instance, as they were at that time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache

from pacsfw.api import ComponentInfo
from pacsfw.ledger.database import Database
from pacsfw.ledger.instances import Instance

Described = Mapping[str, Sequence[str]]
"""Kind -> components, each with its package, code and data, see `ComponentInfo.described`."""
_INFO = tuple(field.name for field in fields(ComponentInfo))


class Provenance:
    """Rows of the table ``component_sets``, which those of other tables refer to."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._described = lru_cache(maxsize=256)(self._described_set)

    def id_of(self, components: Iterable[Mapping[str, str]]) -> int:
        """Return the number of a set of components; a new set is recorded.

        Parameters
        ----------
        components
            The attributes of their `ComponentInfo`, and further ones.
        """
        distinct = {json.dumps(dict(each), sort_keys=True): each for each in components}
        text = json.dumps([dict(distinct[key]) for key in sorted(distinct)], sort_keys=True)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO component_sets (components) VALUES (?)", (text,)
            )
            return self._database.number("SELECT id FROM component_sets WHERE components = ?", text)

    def of_instance(self, instance: Instance) -> Described:
        """Return the layout that placed an instance, and the callbacks that read its row.

        A kind that is not known is left out: an older pacsfw did not record it.
        """
        return self._all([instance.placed_by, instance.read_by])

    def of_study(self, study_uid: str) -> Described:
        """Return what `of_instance` returns for the stored instances of a study, together."""
        rows = self._database.rows(
            "SELECT DISTINCT placed_by, read_by FROM instances"
            " WHERE study_uid = ? AND state = 'stored' ORDER BY id",
            study_uid,
        )
        return self._all(number for row in rows for number in row)

    def layouts(self) -> Sequence[str]:
        """Return the layouts that placed stored instances."""
        numbers = self._database.column(
            "SELECT DISTINCT placed_by FROM instances WHERE state = 'stored'"
        )
        return self._all(numbers).get("layout", ())

    def converters(self, study_uid: str) -> Sequence[str]:
        """Return the converters that made files of a study."""
        rows = self._database.rows(
            "SELECT DISTINCT made_by, component FROM conversions"
            " WHERE study_uid = ? AND component <> ''",
            study_uid,
        )
        found = {
            each
            for made_by, component in rows
            for each in (self._described(made_by).get("converter") or [component])
        }
        return sorted(found)

    def _all(self, numbers: Iterable[int | None]) -> Described:
        found: dict[str, dict[str, None]] = {}
        for number in dict.fromkeys(numbers):
            for kind, named in self._described(number).items():
                found.setdefault(kind, {}).update(dict.fromkeys(named))
        return {kind: list(named) for kind, named in found.items()}

    def _described_set(self, number: int | None) -> Described:
        text = self._database.value("SELECT components FROM component_sets WHERE id = ?", number)
        found: dict[str, list[str]] = {}
        for each in json.loads(text or "[]"):
            info = ComponentInfo(**{name: each[name] for name in _INFO})
            found.setdefault(info.kind, []).append(info.described)
        return found
