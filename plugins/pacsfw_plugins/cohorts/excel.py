"""The cohort ``excel``: a sheet of a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator

from pacsfw import api, hookimpl, lazy

SCHEMA: api.JSONSchema = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "minLength": 1, "description": "The workbook (.xlsx)."},
        "sheet": {
            "type": "string",
            "minLength": 1,
            "description": "The name of the sheet; default: the first one.",
        },
    },
    "required": ["path"],
    "additionalProperties": False,
}


@hookimpl
def pacsfw_cohorts() -> Iterator[api.Component[api.Cohort]]:
    """Offer ``excel``."""
    yield api.Component(
        name="excel",
        factory=lazy("pacsfw_plugins.cohorts._excel:ExcelCohort"),
        schema=SCHEMA,
        summary="rows of an Excel sheet",
        accepts=(".xlsx", ".xlsm"),
        requires=("openpyxl[excel]",),
    )
