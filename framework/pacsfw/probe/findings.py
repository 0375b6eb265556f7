"""The findings, each with its evidence, and the profile made from them."""

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
    "refused",
    "match",
    "wildcard",
    "range",
    "case",
    "limit",
    "rows_seen",
    "before_limit",
    "charset",
    "retrieve_aetitle",
    "associations",
]
Result: TypeAlias = bool | int | str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one experiment.

    ``result`` is None if it stays unknown. ``evidence`` describes what happened; it counts
    rows and never contains a value.
    """

    topic: Topic
    subject: str
    result: Result
    evidence: str


class Findings:
    """The findings in the order of the experiments."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._findings)

    def note(self, topic: Topic, subject: str, result: Result, evidence: str) -> None:
        """Add a finding; its evidence is reduced to one line of text."""
        line = "".join(each if each.isprintable() else " " for each in evidence)
        self._findings.append(Finding(topic, subject, result, " ".join(line.split())))

    def of(self, topic: Topic) -> list[Finding]:
        """Return the findings of a topic."""
        return [finding for finding in self._findings if finding.topic == topic]

    def subjects(self, topic: Topic, result: bool = True) -> frozenset[str]:
        """Return the subjects of a topic with this result."""
        return frozenset(each.subject for each in self.of(topic) if each.result is result)

    def result(self, topic: Topic, subject: str = "") -> Any:
        """Return the result of an experiment; None if it was not made."""
        return next((each.result for each in self.of(topic) if each.subject == subject), None)

    def profile(self, net: Net, at: datetime) -> Profile:
        """Return the profile from the findings so far.

        Parameters
        ----------
        net
            Our node and the PACS.
        at
            The time of the probe, in UTC.
        """
        assert net.called is not None  # noqa: S101 - it was probed
        return Profile(
            probed_at=f"{at:%Y-%m-%dT%H:%M:%SZ}",
            calling=net.local.aetitle,
            called=net.called.aetitle,
            ip=net.called.ip,
            port=net.called.port,
            models=self.subjects("model"),
            returned=self.subjects("returned"),
            not_returned=self.subjects("returned", result=False),
            refused_keys=self.subjects("refused"),
            honoured=self.subjects("match"),
            ignored=self.subjects("match", result=False),
            wildcards=self.subjects("wildcard"),
            ranges=self.subjects("range"),
            before_limit=self.subjects("before_limit"),
            folds_case=self.result("case", "PatientName"),
            limit=self.result("limit"),
            rows_seen=self.result("rows_seen") or 0,
            charset=self.result("charset") or "",
            retrieve_aetitle=self.result("retrieve_aetitle") or "",
            associations=self.result("associations") or 0,
        )
