"""All experiments, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from pacsfw.api import Net
from pacsfw.plugins.pacs_query import Put
from pacsfw.probe import limits, services
from pacsfw.probe.before_limit import before_limit
from pacsfw.probe.findings import Findings
from pacsfw.probe.keys import KeyExperiments
from pacsfw.probe.prober import Prober
from pacsfw.probe.sample import MATCHING, spans, take_sample

_NO_FIND = "the PACS does not accept C-FIND from us"


def probe(
    net: Net,
    ask: Put,
    *,
    today: date,
    dates: tuple[date, date] | None = None,
    ask_web: Put | None = None,
    release: Callable[[], None] = lambda: None,
    tell: Callable[[str], None] = lambda _: None,
) -> Findings:
    """Find out what a PACS is. Nothing is moved.

    Parameters
    ----------
    net
        Who asks whom; what a former profile says is not looked at.
    ask
        Puts a question by C-FIND.
    today
        From where the sample is looked for, backwards.
    dates
        A range in which studies are expected.
    ask_web
        Puts a question by QIDO-RS, where that is configured.
    rest
        Ends the association of ``ask``, which would count among those that are open.
    tell
        Is told what is being done.

    Raises
    ------
    RemoteError
        There is no association with the PACS at all. Whatever fails later is noted.
    """
    findings = Findings()
    tell("services")
    services.accepted_models(net, findings)
    if ask_web is not None:
        services.dicomweb(ask_web, findings)
    if findings.subjects("model") & {"study-find", "patient-find"}:
        requires_patient_id = "study-find" not in findings.subjects("model")
        _ask_all(Prober(ask, requires_patient_id=requires_patient_id), today, dates, findings, tell)
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
