"""All experiments, in order."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date

from pacsfw.api import Net
from pacsfw.probe import limits, services
from pacsfw.probe.before_limit import before_limit
from pacsfw.probe.findings import Findings
from pacsfw.probe.keys import KeyExperiments
from pacsfw.probe.prober import Ask, Prober
from pacsfw.probe.sample import MATCHING, spans, take_sample

_NO_FIND = "the PACS does not accept C-FIND from us"


def probe(
    net: Net,
    ask: Ask,
    *,
    today: date,
    dates: tuple[date, date] | None = None,
    ask_web: Ask | None = None,
    refused: Callable[[], Collection[str]] = frozenset,
    release: Callable[[], None] = lambda: None,
    tell: Callable[[str], None] = lambda _: None,
) -> Findings:
    """Find out what a PACS supports. Moves nothing.

    Parameters
    ----------
    net
        Our node and the PACS; an existing profile is ignored.
    ask
        Sends a query by C-FIND.
    today
        The day from which to search backwards for a sample.
    dates
        A range of dates in which studies are expected.
    ask_web
        Sends a query by QIDO-RS, if configured.
    refused
        Returns the keys that ``ask`` leaves out of queries for studies, because the PACS
        refused them.
    release
        Ends the association of ``ask``, which would count among those that are open.
    tell
        Called with a description of the current experiment.

    Raises
    ------
    RemoteError
        No association with the PACS is possible. Later failures become findings.
    """
    findings = Findings()
    tell("services")
    services.accepted_models(net, findings)
    if ask_web is not None:
        services.dicomweb(ask_web, findings)
    if findings.subjects("model") & {"study-find", "patient-find"}:
        requires_patient_id = "study-find" not in findings.subjects("model")
        _ask_all(Prober(ask, requires_patient_id=requires_patient_id), today, dates, findings, tell)
        for keyword in sorted(refused()):
            findings.note(
                "refused", keyword, True, "a query with it failed, and without it did not"
            )
    else:
        for keyword in MATCHING:
            findings.note("match", keyword, None, _NO_FIND)
        findings.note("limit", "", None, _NO_FIND)
    release()
    tell("associations")
    services.open_together(net, findings)
    return findings


def _ask_all(
    prober: Prober,
    today: date,
    dates: tuple[date, date] | None,
    findings: Findings,
    tell: Callable[[str], None],
) -> None:
    tell("a sample of studies")
    sample = take_sample(prober, spans(today, dates), findings)
    tell("matching keys")
    KeyExperiments(prober, sample, findings).run()
    tell("limits")
    cut = limits.find_limit(prober, spans(today), findings)
    if cut is not None:
        before_limit(prober, cut, findings)
