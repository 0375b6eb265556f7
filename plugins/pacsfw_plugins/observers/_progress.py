"""The progress of a run: bars on a terminal, otherwise plain lines.

Shows numbers and UIDs only, never a patient's name or ID.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from pacsfw import api
from pacsfw.errors import INTERRUPTED
from pacsfw.words import VERDICTS, amount, count, printable

FINISHED = (0, 1)
"""Exit codes of a run that was not aborted."""

WAITING = "waiting"

STUDIES_NAMED = 20
"""The limit of incomplete studies that get their own line; the closing table counts all."""


def progress(style: str = "auto", stream: str = "stdout", seconds: float = 10) -> api.Observer:
    """Return the display of that style on that stream."""
    return display(Console(stderr=stream == "stderr"), style, seconds)


def display(console: Console, style: str = "auto", seconds: float = 10.0) -> api.Observer:
    """Return the display of that style; ``auto`` depends on the console."""
    if style == "off":
        return api.Observer()
    bars = console.is_terminal if style == "auto" else style == "bars"
    return _Bars(console) if bars else _Lines(console, seconds)


@dataclass(slots=True)
class _Tally:
    """The sums of the events so far."""

    phase: str = "starting"
    found: int = 0
    total: int = 0
    done_before: int = 0
    instances: int = 0
    size: int = 0
    left_out: int = 0
    quarantined: int = 0
    settled: dict[str, bool] = field(default_factory=dict)
    converted: Counter[str] = field(default_factory=Counter)
    begun: api.FilesParsed | None = None
    parsed: api.FilesParsed | None = None

    def see(self, event: api.Event) -> None:
        match event:
            case api.ResourcesFound():
                self.phase, self.found = "finding", event.total
            case api.MoveStarted():
                self.phase, self.total, self.done_before = "moving", event.total, event.done
            case api.FilesParsed():
                self.phase, self.parsed = "reading", event
                self.begun = self.begun or event
            case api.StudyStarted():
                self.phase = "moving"
            case api.InstanceIngested():
                self._count(event)
            case api.StudySettled():
                # By UID, because a retried study settles again.
                self.settled[event.study_uid] = event.verdict.is_complete
            case api.Converted():
                self.converted[event.state] += 1
            case api.Waiting():
                self.phase = _waiting(event)
            case api.Paused():
                self.phase = f"paused: {event.reason}" if event.reason else "moving"
            case api.RunFinished():
                self.phase = _ending(event.exit_code)

    def _count(self, event: api.InstanceIngested) -> None:
        if event.stored:
            self.instances += 1
            self.size += event.size
        elif event.left_out:
            self.left_out += 1
        else:
            self.quarantined += 1

    @property
    def done(self) -> int:
        return min(self.total, self.done_before + len(self.settled))

    @property
    def line(self) -> str:
        """Return the phase and the sums as one line."""
        if self.phase == "reading" and self.parsed is not None and self.begun is not None:
            return _reading(self.begun, self.parsed)
        if not self.total:
            # The closing table shows the final number.
            if self.found and self.phase == "finding":
                return f"finding: {count(self.found, 'study')} so far"
            return self.phase
        if self.phase.startswith(WAITING):
            return self.phase
        parts = [
            f"{self.phase}: {self.done:,} of {count(self.total, 'study')}",
            amount(self.instances, self.size),
        ]
        incomplete = sum(not good for good in self.settled.values())
        if incomplete:
            parts.append(f"{incomplete:,} not complete")
        if self.left_out:
            parts.append(f"{self.left_out:,} left out")
        if self.quarantined:
            parts.append(f"{self.quarantined:,} quarantined")
        if self.converted:
            parts.append(f"{self.converted['done']:,} converted")
        if self.converted["failed"]:
            parts.append(f"{count(self.converted['failed'], 'conversion')} failed")
        return ", ".join(parts)


def _reading(begun: api.FilesParsed, now: api.FilesParsed) -> str:
    files = count(now.files, "file")
    if now.total is not None:
        files = f"{now.files:,} of {count(now.total, 'file')}"
    parts = [f"reading: {files}", count(now.rows, "row")]
    seconds = (now.at - begun.at).total_seconds()
    if seconds >= 1:
        parts.append(f"{(now.files - begun.files) / seconds:,.0f}/s")
    return ", ".join(parts)


def _waiting(event: api.Waiting) -> str:
    if event.until is None:
        return "moving"
    until = event.until.astimezone().strftime("%a %H:%M %Z")
    return f"{WAITING} until {until} for the transfer window (or use --ignore-window)"


def _ending(exit_code: int) -> str:
    if exit_code == INTERRUPTED:
        return "interrupted"
    return "finished" if exit_code in FINISHED else "aborted"


class _Display(api.Observer):
    """Base of both displays: counts, and names the first studies that are not complete."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.tally = _Tally()
        self._named: set[tuple[str, str, str]] = set()

    def notify(self, event: api.Event) -> None:
        """Count the event and show it."""
        self.tally.see(event)
        if isinstance(event, api.StudySettled) and not event.verdict.is_complete:
            self._name(event)
        self.show(event)

    def show(self, event: api.Event) -> None:
        """Bring the display up to date."""

    def say(self, line: str) -> None:
        """Print one line as it is."""
        self.console.print(Text(line), soft_wrap=True)

    def _name(self, event: api.StudySettled) -> None:
        state, reason = event.verdict.state, event.verdict.reason
        news = (event.study_uid, state, reason)
        if news in self._named or len(self._named) > STUDIES_NAMED:
            return  # each attempt settles the study, usually with the same verdict
        self._named.add(news)
        if len(self._named) > STUDIES_NAMED:
            self.say("further studies that are not complete are counted, not named")
        else:
            why = f": {printable(reason)}" if reason else ""
            self.say(f"{VERDICTS[state]}: study {printable(event.study_uid)}{why}")


class _Bars(_Display):
    """A line of numbers and a bar for the studies, redrawn in place."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._bar: Progress | None = None
        self._live = Live(console=console, get_renderable=self._picture)

    def open(self, context: api.RunContext) -> None:
        """Start the live display."""
        self._live.start()

    def show(self, event: api.Event) -> None:
        """Move the bar."""
        if isinstance(event, api.MoveStarted):
            self._bar = Progress(
                BarColumn(bar_width=30),
                TextColumn("{task.completed:,.0f} of {task.total:,.0f} studies"),
                TimeRemainingColumn(compact=True),
                console=self.console,
            )
            self._bar.add_task("", total=event.total, completed=event.done)
        elif self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self.tally.done)

    def close(self) -> None:
        """Keep the last state on the screen and restore the cursor."""
        self._live.stop()

    def _picture(self) -> Group:
        numbers = Text(self.tally.line)
        return Group(numbers) if self._bar is None else Group(numbers, self._bar)


class _Lines(_Display):
    """Prints a line at intervals, and at once when the phase changes."""

    def __init__(self, console: Console, seconds: float) -> None:
        super().__init__(console)
        self._clock = api.Clock()
        self._seconds = seconds
        self._phase = self.tally.phase
        self._said_at = 0.0

    def open(self, context: api.RunContext) -> None:
        """Start the interval."""
        self._clock = context.clock
        self._said_at = self._clock.monotonic()

    def show(self, event: api.Event) -> None:
        """Print a line if the phase has changed or the interval is over."""
        now = self._clock.monotonic()
        if self.tally.phase != self._phase or now - self._said_at >= self._seconds:
            self._phase, self._said_at = self.tally.phase, now
            self.say(self.tally.line)
