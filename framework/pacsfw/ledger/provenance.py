"""Which components, of which distribution and version, had a part in a study."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pacsfw.ledger.database import Database


class Provenance:
    """Looks at what other tables hold of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_study(self, study_uid: str) -> Mapping[str, Sequence[str]]:
        """Return by kind the components that touched a study: name, distribution and version."""
        found: dict[str, Sequence[str]] = {}
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT components FROM studies WHERE study_uid = ?", (study_uid,)
            ).fetchone()
            for kind, component in (json.loads(row[0]) if row else {}).items():
                found[kind] = [component]
            for kind, table in (("sink", "deliveries"), ("converter", "conversions")):
                rows = connection.execute(
                    f"SELECT DISTINCT component FROM {table}"  # noqa: S608 - one of these two
                    " WHERE study_uid = ? AND component <> '' ORDER BY 1",
                    (study_uid,),
                ).fetchall()
                if rows:
                    found[kind] = [row[0] for row in rows]
        return found
