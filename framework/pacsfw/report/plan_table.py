"""A plan on the screen and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

from pacsfw.report.estimate import Figure
from pacsfw.report.grid import print_grid
from pacsfw.report.plan import Plan
from pacsfw.words import printable

UNPROVEN_SHOWN = 20
"""Maximum number of parts listed; the rest is counted. The JSON lists all."""

_UNITS = (("day", 24 * 60 * 60), ("h", 60 * 60), ("min", 60))


def to_json(plan: Plan) -> str:
    """Return a plan as a JSON object; every figure has its ``value`` and ``source``."""
    return json.dumps(asdict(plan), indent=2)


def render(plan: Plan, console: Console) -> None:
    """Print a plan: the figures with their sources, then by modality and by date of study."""
    print_grid(console, [_cells(*line) for line in _figures(plan)])
    if plan.by_modality:
        console.print()
        header = ("modality", "studies", "instances", "bytes", "per instance", "")
        print_grid(console, [_cells(*line) for line in _modalities(plan)], header)
    if plan.by_period:
        console.print()
        rows = [_cells(period, f"{studies:,}") for period, studies in plan.by_period.items()]
        print_grid(console, rows, ("date of study", "studies"))
    if plan.unproven:
        console.print()
        print_grid(console, list(_unproven(plan)), ("not proven", "why"))
    for warning in plan.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"), soft_wrap=True)
    for note in plan.notes:
        console.print(Text(f"note: {printable(note)}"), soft_wrap=True)


def _cells(*texts: str) -> tuple[Text, ...]:
    return tuple(Text(printable(text)) for text in texts)


def _figures(plan: Plan) -> Iterator[Sequence[str]]:
    found, rest = plan.expected, plan.to_fetch
    yield "studies found", _number(found.studies), found.studies.source
    yield "instances", _number(found.instances), found.instances.source
    yield "bytes", _bytes(found.bytes), found.bytes.source
    if plan.complete.value:
        yield "already complete", _number(plan.complete), plan.complete.source
        yield "studies to fetch", _number(rest.studies), rest.studies.source
        yield "instances to fetch", _number(rest.instances), rest.instances.source
        yield "bytes to fetch", _bytes(rest.bytes), rest.bytes.source
    yield "rate", f"{_bytes(plan.bytes_per_second)}/s", plan.bytes_per_second.source
    if plan.studies_per_hour.value is not None:
        yield "", f"{plan.studies_per_hour.value:,.1f} studies/h", plan.studies_per_hour.source
    yield "time", _duration(plan.seconds), plan.seconds.source
    yield "nights", _number(plan.nights), plan.nights.source
    yield "free on disk", _bytes(plan.free), plan.free.source


def _modalities(plan: Plan) -> Iterator[Sequence[str]]:
    for each in plan.by_modality:
        yield (
            each.modality,
            f"{each.studies:,}",
            f"{each.instances:,}",
            decimal(each.bytes),
            _bytes(each.bytes_per_instance),
            each.bytes_per_instance.source,
        )


def _unproven(plan: Plan) -> Iterator[tuple[Text, ...]]:
    for each in plan.unproven[:UNPROVEN_SHOWN]:
        yield Text(printable(each.slice), style="yellow"), Text(printable(each.reason))
    if len(plan.unproven) > UNPROVEN_SHOWN:
        yield _cells(f"{len(plan.unproven) - UNPROVEN_SHOWN:,} more", "")


def _number(figure: Figure) -> str:
    return "-" if figure.value is None else f"{figure.value:,}"


def _bytes(figure: Figure) -> str:
    return "-" if figure.value is None else decimal(round(figure.value))


def _duration(figure: Figure) -> str:
    """Return ``3 days 4 h``, ``8 h 23 min``: the two largest units; at least a minute."""
    if not figure.value:
        return "-" if figure.value is None else "0 min"
    rest = max(round(figure.value), 60)
    parts = []
    for unit, seconds in _UNITS:
        number, rest = divmod(rest, seconds)
        if number:
            parts.append(f"{number:,} {unit}{'s' if unit == 'day' and number > 1 else ''}")
    return " ".join(parts[:2])
