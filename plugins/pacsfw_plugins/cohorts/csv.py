"""The cohort ``csv``: comma-separated values, with tabs or semicolons too, and JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator

from pacsfw import api, hookimpl, lazy

SCHEMA: api.JSONSchema = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "minLength": 1, "description": "The file, in UTF-8."},
    },
    "required": ["path"],
    "additionalProperties": False,
}


@hookimpl
def pacsfw_cohorts() -> Iterator[api.Component[api.Cohort]]:
    """Offer ``csv``."""
    yield api.Component(
        name="csv",
        factory=lazy("pacsfw_plugins.cohorts._text:TextCohort"),
        schema=SCHEMA,
        summary="rows of a CSV or JSON Lines file",
        accepts=(".csv", ".tsv", ".jsonl", ".ndjson"),
    )
