"""The faults of ``pacsfw testpacs`` as options; each sets the `Faults` field of that name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from pacsfw.testing.pacs_faults import RETRIEVE_LEVELS


def _status(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    if re.fullmatch("[0-9A-Fa-f]{4}", value) is None:
        raise click.BadParameter(f"{value!r} is not a status (four hexadecimal digits)")
    return int(value, 16)


def _names(_ctx: click.Context, _param: click.Parameter, value: str) -> frozenset[str]:
    return frozenset(name.strip() for name in value.split(",") if name.strip())


def _models(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[str, ...]:
    return ("study", "patient") if value == "both" else (value,)


OF_QUERIES = (
    click.option("--cap", type=click.IntRange(0), help="Limit of rows in a query result ..."),
    click.option(
        "--cap-status",
        type=click.Choice(["0000", "FE00", "A700"], case_sensitive=False),
        metavar="[0000|FE00|A700]",
        default="0000",
        show_default=True,
        callback=_status,
        help="... and the status that ends a limited result.",
    ),
    click.option(
        "--cap-before-filter", is_flag=True, help="Apply the limit before matching optional keys."
    ),
    click.option(
        "--ignore-keys",
        metavar="KEYWORD,...",
        default="",
        callback=_names,
        help="Do not match these keys; 'optional' means all optional keys.",
    ),
    click.option("--no-optional-keys", is_flag=True, help="Do not return optional keys."),
    click.option("--no-charset", is_flag=True, help="Leave out SpecificCharacterSet."),
    click.option(
        "--case-sensitive", is_flag=True, help="Compare patient names and the AE title exactly."
    ),
    click.option(
        "--open-ranges",
        is_flag=True,
        help="Treat missing dates and times as earlier than any other.",
    ),
    click.option(
        "--slow",
        type=click.FloatRange(0),
        metavar="SECONDS",
        default=0,
        help="Delay before each row.",
    ),
    click.option("--abort-after", type=click.IntRange(0), help="A-ABORT after this many rows."),
    click.option(
        "--reject-after", type=click.IntRange(0), help="Accept this many associations, then none."
    ),
    click.option(
        "--lying-counts", is_flag=True, help="Return NumberOf... attributes one too high."
    ),
    click.option(
        "--models",
        type=click.Choice(["study", "patient", "both"]),
        default="both",
        show_default=True,
        callback=_models,
        help="Query/Retrieve models to support.",
    ),
    click.option("--no-image-level", is_flag=True, help="Refuse queries at IMAGE level."),
)


def _last(name: str, what: str) -> Callable[..., Any]:
    help_ = f"This many instances of each study, from its end, {what}."
    return click.option(name, type=click.IntRange(0), default=0, help=help_)


def _seconds(name: str, help_: str) -> Callable[..., Any]:
    kind = click.FloatRange(0)
    return click.option(name, type=kind, metavar="SECONDS", default=0, help=help_)


OF_RETRIEVES = (
    click.option(
        "--heals-after",
        type=click.IntRange(0),
        help="Stop the retrieve faults below after this many retrieves of a study.",
    ),
    click.option(
        "--refuse",
        metavar="STATUS",
        callback=_status,
        help="Refuse every retrieve with this status.",
    ),
    click.option(
        "--retrieve-level",
        "retrieve_levels",
        type=click.Choice(RETRIEVE_LEVELS, case_sensitive=False),
        multiple=True,
        default=RETRIEVE_LEVELS,
        help="Serve retrieves only at this level; repeatable.",
    ),
    click.option(
        "--busy", type=click.IntRange(0), help="Refuse more retrieves at a time with A701."
    ),
    _last("--lose", "get lost but are counted as sent"),
    _last("--fail", "fail"),
    _last("--truncate", "are truncated"),
    click.option("--no-failed-list", is_flag=True, help="Do not list the failed instances."),
    click.option("--stop-at-failure", is_flag=True, help="End with C000 at the first failure."),
    click.option("--no-counts", is_flag=True, help="Do not count sub-operations."),
    click.option("--no-pending", is_flag=True, help="Send no pending responses."),
    click.option("--send-nothing", is_flag=True, help="Send nothing but report success."),
    click.option("--wrong-study", is_flag=True, help="Send another study."),
    click.option("--duplicate", is_flag=True, help="Send every instance twice."),
    click.option("--change", is_flag=True, help="Send other content on a repeated send."),
    _seconds("--late", "Send the instances this long after the final response."),
    click.option("--scatter", is_flag=True, help="Send each instance over a separate association."),
    click.option("--sender", metavar="AETITLE", default="", help="Send from this AE title."),
    click.option("--lower-titles", is_flag=True, help="Send from and to lower-case AE titles."),
    click.option("--die-after", type=click.IntRange(0), help="A-ABORT after this many instances."),
    click.option("--silent", is_flag=True, help="Never respond to a retrieve."),
    _seconds("--pending-every", "Send a pending response at this interval and never finish."),
    click.option("--deaf", is_flag=True, help="Ignore C-CANCEL."),
    click.option(
        "--senders",
        metavar="AETITLE@ADDRESS",
        multiple=True,
        help="Send from these in turn; repeatable.",
    ),
    click.option("--no-originator", is_flag=True, help="Name no Move Originator."),
    click.option(
        "--stranger",
        metavar="AETITLE@ADDRESS",
        default="",
        help="Send other content first, as somebody else.",
    ),
    click.option("--other-study", is_flag=True, help="Send headers of another study."),
    click.option("--other-patient", is_flag=True, help="Send headers of another patient."),
    click.option("--part10", is_flag=True, help="Send whole files as data sets."),
    _last("--private-syntax", "are offered in a private transfer syntax only"),
)


def with_faults(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for every fault."""
    for option in reversed((*OF_QUERIES, *OF_RETRIEVES)):
        function = option(function)
    return function
