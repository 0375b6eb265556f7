"""The outputs of a run: tables, conversions and observers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pacsfw.api import Observer
from pacsfw.collection.converters import converting
from pacsfw.collection.tables import Tables
from pacsfw.config import Config
from pacsfw.plugins.registry import Registry
from pacsfw.steps.convert.conversions import Conversions
from pacsfw.steps.deliver.outbox import Outbox
from pacsfw.steps.run import Run


def observers_of(config: Config, registry: Registry) -> list[tuple[str, Observer]]:
    """Build the observers that the configuration lists, each with its name and owner."""
    return [
        (
            registry.describe("observer", use.name),
            registry.build("observer", use.name, use.options),
        )
        for use in config.observers
    ]


@dataclass(frozen=True, slots=True)
class Outputs:
    """All running sinks and converters."""

    outboxes: Sequence[Outbox] = ()
    conversions: Sequence[Conversions] = ()

    def settled(self, study_uid: str) -> None:
        """Queue this study for delivery and conversion."""
        for outbox in self.outboxes:
            outbox.settled(study_uid)
        for conversions in self.conversions:
            conversions.settled(study_uid)

    def refresh(self) -> None:
        """Deliver the rows that are due, after all rows were parsed again.

        Their studies have another version: converters look at them once more, too.
        """
        for outbox in self.outboxes:
            outbox.refresh()
        for conversions in self.conversions:
            conversions.refresh()

    def failures(self) -> Iterator[tuple[str, str, str, int]]:
        """Yield (kind, component, reason, count) of the sinks and converters that failed."""
        for outbox in self.outboxes:
            if outbox.problem:
                yield "sink", outbox.component, outbox.problem, 1
        for conversions in self.conversions:
            if conversions.problem:
                yield "converter", conversions.convert.component, conversions.problem, 1


@contextmanager
def open_outputs(
    run: Run, delivery: Tables, problems: list[str], *, reparse: bool
) -> Iterator[Outputs]:
    """Open sinks and converters; at the end, wait for them and add failures to ``problems``.

    See `Tables.open` for ``reparse``.
    """
    outputs = Outputs()
    try:
        with (
            delivery.open(problems, reparse=reparse) as outboxes,
            converting(run) as conversions,
        ):
            outputs = Outputs(outboxes, conversions)
            yield outputs
    finally:
        run.failures.extend(outputs.failures())
        for each in outputs.conversions:
            if each.problem:
                problems.append(f"converter {each.convert.component}: {each.problem}")
