"""The state of a collection according to its ledger, for the closing table and `status`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pacsfw.api import ERRORS, RunFinished
from pacsfw.collection.find import coverage, exists
from pacsfw.config import Config, Storage
from pacsfw.config.columns import columns_of
from pacsfw.config.values import is_url, sibling, without_password
from pacsfw.ledger import Ledger
from pacsfw.ledger.evidence import TRIALS
from pacsfw.ledger.traits import REFUSED_KEYS
from pacsfw.report.estimate import Estimate
from pacsfw.report.forecast import Forecast, forecast
from pacsfw.report.parsed import ParseSummary
from pacsfw.report.plan import rates
from pacsfw.report.summary import Summary
from pacsfw.steps.convert.conversions import due
from pacsfw.steps.ingest.ingest import HELD, QUARANTINE, VERSIONS
from pacsfw.steps.ingest.senders import as_setting, shown

_MOST_SENDERS = 10
"""Senders that a note names."""


def summarize(
    config: Config, storage: Storage, ledger: Ledger, problems: Sequence[str] = ()
) -> Summary:
    """Return the state of a collection according to its ledger."""
    origins = ledger.studies.origins()
    last = ledger.searches.last()
    instances, size = ledger.instances.totals()
    begun = ledger.deliveries.begun(without_password(storage.resources_meta))
    tables = [storage.resources_meta] if config.tags or begun else []
    tables += [str(use.options["path"]) for use in config.sinks if "path" in use.options]
    notes = []
    if unsolicited := origins.get("unsolicited", 0):
        notes.append(f"unsolicited studies, whose instances are kept: {unsolicited}")
    notes += _kept(storage, ledger)
    notes += _held(storage, ledger)
    notes += _refused(ledger)
    notes += (
        f"irregular instances, stored as they came: {number}: {kind}"
        for kind, number in ledger.results.irregular().items()
    )
    if last is not None:
        problems = [*problems, *last.problems]
        notes += last.notes
    unlisted = ledger.studies.without_patient(last.id) if last else 0
    refused = refused_rows(ledger)
    problems = [*problems, *refused, *_emptied(config, ledger)]
    if unlisted and config.find and config.find.level == "PATIENT":
        advice = "find.query_level STUDY lists them"
        problems = [*problems, f"studies without a PatientID, not listed: {unlisted}; {advice}"]
    return Summary(
        found=ledger.searches.found(last.id) if last else origins.get("find", 0),
        questions=ledger.questions.counts(last.id) if last else {},
        unproven=coverage(ledger, last) if last else (),
        deselected=ledger.studies.deselected(),
        verdicts=ledger.studies.counts(),
        reasons=ledger.studies.reasons(),
        comments=ledger.studies.comments(),
        instances=instances,
        size=size,
        left_out=ledger.left_out.reasons(),
        quarantined=ledger.instances.quarantine_reasons(),
        series=ledger.evidence.series_counts(),
        cell_errors=ledger.instances.cell_errors(),
        converted={
            convert.id: {
                **ledger.conversions.counts(convert.id),
                "due": len(due(ledger, convert)),
            }
            for convert in config.converts
        },
        conversion_reasons=[
            (convert.id, *reason)
            for convert in config.converts
            for reason in ledger.conversions.reasons(convert.id)
        ],
        archive=str(storage.directory),
        quarantine=str(storage.state / QUARANTINE),
        study_list=without_password(storage.resources) if exists(storage.resources) else "",
        tables=[without_password(target) for target in tables if exists(target)],
        error_tables=_error_tables(tables) if refused or ledger.instances.any_fault() else (),
        problems=problems,
        faults=ledger.faults.recorded(),
        notes=notes,
    )


def _emptied(config: Config, ledger: Ledger) -> list[str]:
    """Return a problem for each column without any value, because of a component."""
    columns = [column.name for tag in config.tags for column in columns_of(tag)]
    return [
        f"column {column}: has no value in any row, because {component} failed"
        for column, component in ledger.faults.emptied_columns(columns)
    ]


def refused_rows(ledger: Ledger) -> list[str]:
    """Return a problem for each table that cannot store some rows, and reason."""
    return [
        f"table {table}: rows that it cannot store: {number}: {reason}; the table of errors "
        "names their files"
        for table, reason, number in ledger.deliveries.refusals()
    ]


def _error_tables(tables: Sequence[str]) -> list[str]:
    """Return the error files of the tables; in a database, errors are at the same URL."""
    files = (sibling(target, ERRORS.name) for target in tables if not is_url(target))
    return [path for path in files if exists(path)]


def forecast_of(config: Config, ledger: Ledger, now: datetime) -> Forecast | None:
    """Return when the studies on the study list will be complete; None if all are."""
    if config.move is None:
        return None
    left = frozenset(ledger.studies.unfinished())
    if not left:
        return None
    estimate = Estimate(ledger.results.by_modality())
    for attributes, complete in ledger.studies.listed(left):
        estimate.add(attributes, complete=complete)
    load = estimate.to_fetch("on the study list and not complete")
    rate = rates(ledger.studies.rate())
    return forecast(load, rate, config.move.window, now)


def finished(summary: Summary, verdicts: Mapping[str, str], at: datetime, code: int) -> RunFinished:
    """Return the last event of a run, for observers."""
    states = ("done", "skipped", "failed", "due")
    converted = summary.converted.values()
    return RunFinished(
        at=at,
        counts=summary.verdicts,
        exit_code=code,
        found=summary.found,
        unproven=len(summary.unproven),
        instances=summary.instances,
        size=summary.size,
        quarantined=sum(summary.quarantined.values()),
        converted={state: sum(each.get(state, 0) for each in converted) for state in states}
        if converted
        else {},
        problems=len(summary.problems),
        left_out=sum(summary.left_out.values()),
        verdicts=verdicts,
        directory=summary.archive,
        study_list=summary.study_list,
        tables=tuple(summary.tables),
    )


def summarize_rows(
    config: Config, storage: Storage, ledger: Ledger, problems: Sequence[str] = ()
) -> ParseSummary:
    """Return the state of the rows of the stored instances, for `pacsfw parse`."""
    files, _ = ledger.instances.totals()
    faults = ledger.instances.cell_errors()
    # A file that could not be read at all has no column.
    failed = {reason: number for (column, reason), number in faults.items() if not column}
    return ParseSummary(
        files=files,
        rows=files - sum(failed.values()),
        failed=failed,
        cells={f"{column}: {why}": n for (column, why), n in faults.items() if column},
        odd=ledger.results.irregular(),
        tables=[("instances", each) for each in summarize(config, storage, ledger).tables],
        problems=[*problems, *refused_rows(ledger), *_emptied(config, ledger)],
    )


def _refused(ledger: Ledger) -> list[str]:
    """Return a note about the keys that the PACS refuses."""
    found = {
        key for each in ledger.traits.all(REFUSED_KEYS) for keys in each.values() for key in keys
    }
    names = ", ".join(sorted(found))
    return [f"the PACS refuses these keys, so it does not return them: {names}"] if names else []


def _kept(storage: Storage, ledger: Ledger) -> list[str]:
    """Return notes about instances that are kept against the PACS, and studies given up."""
    flags = ledger.evidence.flags()
    kinds = (
        (
            f"studies no longer requested, after {TRIALS} days in vain",
            "`pacsfw move --retry-given-up` requests them again",
            ledger.studies.given_up(),
        ),
        ("instances that the PACS no longer lists", "kept", flags.get("vanished", 0)),
        (
            "other content of stored instances",
            f"kept in {storage.state / VERSIONS}",
            ledger.instances.versions(),
        ),
        ("instances that a rejection note names", "kept", flags.get("rejected", 0)),
        (
            "instances whose headers name another study than the PACS lists",
            "kept in the study of the list",
            ledger.instances.misnamed(),
        ),
        (
            "instances of which two senders sent different content",
            "their studies are not complete",
            ledger.senders.disputes(),
        ),
    )
    return [f"{what}: {number}; {then}" for what, then, number in kinds if number]


def _held(storage: Storage, ledger: Ledger) -> list[str]:
    """Return a note about the instances of senders that are not known."""
    senders = ledger.senders.held_by_sender()
    if not senders:
        return []
    named = list(senders)[:_MOST_SENDERS]
    more = f" and {len(senders) - len(named)} more" if len(senders) > len(named) else ""
    text = (
        f"instances of senders that are not known: {sum(senders.values())} from "
        f"{', '.join(map(shown, named))}{more}; held in {storage.state / HELD}; if these are the "
        f"PACS, set {as_setting(named)}, and the next run takes them without fetching again"
    )
    return [text]
