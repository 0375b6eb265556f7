"""The state of a collection, on the screen and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, tzinfo

from rich.console import Console
from rich.text import Text

from pacsfw.report import summary as closing
from pacsfw.report.forecast import Forecast, lines
from pacsfw.report.grid import print_grid
from pacsfw.report.summary import Summary
from pacsfw.words import printable


def render(
    summary: Summary, forecast: Forecast | None, zone: tzinfo | None, console: Console
) -> None:
    """Print the closing table, followed by the forecast."""
    closing.render(summary, console)
    if forecast is not None:
        console.print()
        rows = [(Text(name), Text(printable(words))) for name, words in lines(forecast, zone)]
        print_grid(console, rows)


def to_json(summary: Summary, forecast: Forecast | None) -> str:
    """Return both as a JSON object; every figure of the forecast has its ``source``."""
    found = asdict(summary)
    # Monitoring reads this; what a PACS says may name a patient.
    for name in ("unproven", "reasons", "comments", "cell_errors"):
        del found[name]
    found["unproven"] = [{"part": part, "reason": reason} for part, reason in summary.unproven]
    found["reasons"] = [
        {"verdict": verdict, "reason": reason, "studies": studies}
        for verdict, reason, studies in summary.reasons
    ]
    found["cell_errors"] = [
        {"column": column, "reason": reason, "cells": cells}
        for (column, reason), cells in summary.cell_errors.items()
    ]
    found["exit_code"] = summary.exit_code
    found["forecast"] = None if forecast is None else asdict(forecast)
    return json.dumps(found, indent=2, default=_text)


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
