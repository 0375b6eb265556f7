"""When a collection will be done, estimated from the transfers so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from rich.filesize import decimal

from pacsfw.config.window import Window
from pacsfw.report.estimate import Figure, Load
from pacsfw.words import count

MOST_OPENINGS = 1000
"""Maximum number of windows to look ahead; beyond it there is no forecast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is left, and how long it takes. Plain data without patient identifiers."""

    left: Load
    bytes_per_second: Figure
    studies_per_hour: Figure
    seconds: Figure
    """Time to fetch what is left."""
    windows: int | None
    """Number of window openings needed, including the current one; None if there is no
    window, or too many are needed."""
    done_at: datetime | None
    """Time of completion if a run is active from now on; None if it is too far away."""


def forecast(
    left: Load, rate: tuple[Figure, Figure], window: Window, now: datetime
) -> Forecast | None:
    """Return a forecast, or None if nothing is left.

    Parameters
    ----------
    rate
        Bytes per second and studies per hour.
    now
        Aware.
    """
    if not left.studies.value:
        return None
    per_second, per_hour = rate
    seconds = (left.bytes.value or 0) / (per_second.value or 1)
    windows, done_at = _through(window, now, seconds)
    return Forecast(
        left=left,
        bytes_per_second=per_second,
        studies_per_hour=per_hour,
        seconds=Figure(round(seconds), f"bytes left at the rate {per_second.source}"),
        windows=windows,
        done_at=done_at,
    )


def _through(window: Window, now: datetime, seconds: float) -> tuple[int | None, datetime | None]:
    """Advance through the open hours until this many seconds of them have passed."""
    at = now.astimezone(UTC)  # differences within a zone ignore clock changes
    if window.is_always_open:
        return None, at + timedelta(seconds=seconds)
    openings = 0
    while openings < MOST_OPENINGS:
        change = window.next_change(at)
        if window.is_open(at):
            openings += 1
            lasts = (change - at).total_seconds() if change else seconds
            if lasts >= seconds:
                return openings, at + timedelta(seconds=seconds)
            seconds -= lasts
        if change is None:
            break
        at = change
    return None, None


def lines(found: Forecast, zone: tzinfo | None) -> Iterator[tuple[str, str]]:
    """Yield (label, text), with times in the time zone of the site."""
    left = found.left
    size = f"{decimal(round(left.bytes.value or 0))} ({left.bytes.source})"
    yield "left", f"{count(int(left.studies.value or 0), 'study')}, about {size}"
    rate = f"{decimal(round(found.bytes_per_second.value or 0))}/s"
    if found.studies_per_hour.value is not None:
        rate += f", {found.studies_per_hour.value:,.1f} studies/h"
    yield "rate", f"{rate} ({found.bytes_per_second.source})"
    if found.done_at is None:
        yield "done", "not within the transfer windows of the next years"
        return
    when = f"{found.done_at.astimezone(zone):%Y-%m-%d %H:%M}"
    hours = "" if found.windows is None else f", in {count(found.windows, 'transfer window')}"
    yield "done", f"about {when}, if a run is active{hours}"
