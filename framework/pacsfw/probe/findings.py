"""What was found out, each with its evidence, and the profile that comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from pacsfw.api import Net
from pacsfw.api.profile import Profile

Topic: TypeAlias = Literal[
    "model",
    "returned",
    "match",
    "wildcard",
    "range",
    "case",
    "limit",
    "rows_seen",
    "before_limit",
    "charset",
    "associations",
]
Result: TypeAlias = bool | int | str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one experiment.

    ``result`` is None where it stays unknown. ``evidence`` says in words what happened; it
    counts rows and never holds a value of one.
    """

    topic: Topic
    subject: str
    result: Result
    evidence: str


class Findings:
    """The findings in the order in which they were made."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._findings)

    def note(self, topic: Topic, subject: str, result: Result, evidence: str) -> None:
        """Add a finding; its evidence becomes one line of text."""
        line = "".join(each if each.isprintable() else " " for each in evidence)
        self._findings.append(Finding(topic, subject, result, " ".join(line.split())))

    def of(self, topic: Topic) -> list[Finding]:
        """Return the findings of a topic."""
        return [finding for finding in self._findings if finding.topic == topic]

    def subjects(self, topic: Topic, result: bool = True) -> frozenset[str]:
        """Return everything of a topic that came out so."""
        return frozenset(each.subject for each in self.of(topic) if each.result is result)

    def result(self, topic: Topic, subject: str = "") -> Any:
        """Return how an experiment came out, None where it was not made."""
        return next((each.result for each in self.of(topic) if each.subject == subject), None)

    def profile(self, net: Net, at: datetime) -> Profile:
        """Return what is known by now.

        Parameters
        ----------
        net
            Who asked whom.
        at
            When, in UTC.
        """
        assert net.called is not None  # noqa: S101 - it was asked
        return Profile(
            probed_at=f"{at:%Y-%m-%dT%H:%M:%SZ}",
            calling=net.local.aetitle,
            called=net.called.aetitle,
            ip=net.called.ip,
            port=net.called.port,
            models=self.subjects("model"),
            returned=self.subjects("returned"),
            not_returned=self.subjects("returned", result=False),
            honoured=self.subjects("match"),
            ignored=self.subjects("match", result=False),
            wildcards=self.subjects("wildcard"),
            ranges=self.subjects("range"),
            before_limit=self.subjects("before_limit"),
            folds_case=self.result("case", "PatientName"),
            limit=self.result("limit"),
            rows_seen=self.result("rows_seen") or 0,
            charset=self.result("charset") or "",
            associations=self.result("associations") or 0,
        )
