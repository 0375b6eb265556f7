"""The cohort ``sql``: the result of a query of a database, such as that of the RIS."""

from __future__ import annotations

from collections.abc import Iterator

from pacsfw import api, hookimpl, lazy

SCHEMA: api.JSONSchema = {
    "type": "object",
    "properties": {
        "url": {
            "type": "string",
            "minLength": 1,
            "writeOnly": True,
            "description": "The database, as an SQLAlchemy URL.",
        },
        "query": {
            "type": "string",
            "minLength": 1,
            "description": "A SELECT whose columns are DICOM keywords (... AS AccessionNumber).",
        },
        "parameters": {
            "type": "object",
            "default": {},
            "description": "Values of the placeholders of the query (:name).",
        },
    },
    "required": ["url", "query"],
    "additionalProperties": False,
}


@hookimpl
def pacsfw_cohorts() -> Iterator[api.Component[api.Cohort]]:
    """Offer ``sql``."""
    yield api.Component(
        name="sql",
        factory=lazy("pacsfw_plugins.cohorts._sql:SqlCohort"),
        schema=SCHEMA,
        summary="rows of a database",
        requires=("sqlalchemy[sql]",),
    )
