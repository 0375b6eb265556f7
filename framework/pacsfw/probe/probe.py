"""All experiments, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from pacsfw.api import Net
from pacsfw.probe import limits, services
from pacsfw.probe.before_limit import before_limit
from pacsfw.probe.conversation import Ask, Conversation
from pacsfw.probe.findings import Book
from pacsfw.probe.keys import KeyExperiments
from pacsfw.probe.sample import MATCHING, spans, take_sample

_NO_FIND = "the PACS does not accept C-FIND from us"


def probe(
    net: Net,
    ask: Ask,
    *,
    today: date,
    dates: tuple[date, date] | None = None,
    ask_web: Ask | None = None,
    rest: Callable[[], None] = lambda: None,
    tell: Callable[[str], None] = lambda _: None,
) -> Book:
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
    book = Book()
    tell("services")
    services.accepted_models(net, book)
    if ask_web is not None:
        services.dicomweb(ask_web, book)
    if book.subjects("model") & {"study-find", "patient-find"}:
        patients_first = "study-find" not in book.subjects("model")
        _ask_all(Conversation(ask, patients_first=patients_first), today, dates, book, tell)
    else:
        for keyword in MATCHING:
            book.note("match", keyword, None, _NO_FIND)
        book.note("limit", "", None, _NO_FIND)
    rest()
    tell("associations")
    services.open_together(net, book)
    return book


def _ask_all(
    conversation: Conversation,
    today: date,
    dates: tuple[date, date] | None,
    book: Book,
    tell: Callable[[str], None],
) -> None:
    tell("a sample of studies")
    sample = take_sample(conversation, spans(today, dates), book)
    tell("matching keys")
    KeyExperiments(conversation, sample, book).run()
    tell("limits")
    cut = limits.find_limit(conversation, spans(today), book)
    if cut is not None:
        before_limit(conversation, cut, book)
