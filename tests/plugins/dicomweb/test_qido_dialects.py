"""QIDO-RS with servers that understand only some of it, and say why they refuse a query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pacsfw.api import Query
from pacsfw.errors import RemoteError
from plugins.dicomweb.scripted_web import (
    ALL,
    Asked,
    Script,
    Sent,
    Waited,
    ask,
    listing,
    qido,
    row,
    serving,
)

SECRET = Query(
    level="STUDY",
    match={"PatientName": "Canary-7", "StudyDate": "20200101-20201231"},
    returns=("StudyTime", "StudyDescription"),
)


def unless(refuses: Callable[[Asked], bool], **sent: Any) -> Script:
    """Return a good server with 9 studies that answers so to some requests."""
    good = listing(9)
    return lambda asked: Sent(**{"body": b"", **sent}) if refuses(asked) else good(asked)


def by_keyword(asked: Asked) -> bool:
    return "StudyDate" in asked.query or "PatientName" in asked.query.get("includefield", ())


def larger_than(rows: int) -> Callable[[Asked], bool]:
    return lambda asked: asked.number("limit") > rows


@pytest.mark.parametrize(
    ("refuses", "status", "tries"),
    [
        (lambda asked: "," in asked.headers["Accept"], 406, 1),
        (lambda asked: asked.headers["Accept"] != "application/json", 415, 2),
        (lambda asked: "+json" in asked.headers["Accept"], 400, 3),
        (by_keyword, 400, 1),
        (by_keyword, 500, 3),
        (larger_than(100), 400, 4),
        (larger_than(15), 422, 5),
    ],
)
def test_what_a_server_understands_is_found_out_and_remembered(
    refuses: Callable[[Asked], bool], status: int, tries: int
) -> None:
    with serving(unless(refuses, status=status)) as web, qido(web.url, Waited()) as asked:
        for _ in range(2):
            answer, rows = ask(asked)
            assert (answer.complete, len(rows)) == (True, 9)
    refused = [each for each in web.asked if refuses(each)]
    assert len(refused) == tries
    assert not any(map(refuses, web.asked[-2:]))


def test_a_page_that_is_too_large_is_known_by_its_name() -> None:
    why = {"error": {"message": "limit must be between 1 and 100"}}
    script = unless(larger_than(100), status=400, rows=why, body=None)
    with serving(script) as web, qido(web.url) as asked:
        answer, rows = ask(asked)
    assert (answer.complete, len(rows)) == (True, 9)
    assert [limit for _, limit in web.windows] == [200, 100, 100]


def test_a_server_that_refuses_everything_is_not_asked_in_other_words_for_ever() -> None:
    with serving(unless(lambda _: True, status=400)) as web, qido(web.url) as asked:
        for _ in range(10):
            answer, _ = ask(asked)
            assert (answer.complete, answer.status) == (False, 400)
    assert len(web.asked) < 40


def test_a_refusal_after_an_answer_is_that_of_the_query() -> None:
    refuses = unless(lambda asked: "StudyTime" in asked.query, status=400)
    with serving(refuses) as web, qido(web.url) as asked:
        ask(asked)
        before = len(web.asked)
        answer, _ = ask(asked, Query(level="STUDY", match={"StudyTime": "12"}))
    assert not answer.complete
    assert len(web.asked) == before + 1


@pytest.mark.parametrize(
    "body",
    [
        b"Unknown attribute 'StudyTime' (Canary-7)",
        b'{"title": "Bad request", "detail": "studytime is not supported"}',
        b'{"errors": [{"message": "attribute 00080030 is unknown"}]}',
        b"<html><head><title>(0008,0030) is unknown</title></head><body>x</body></html>",
    ],
)
def test_the_keys_that_a_server_names_are_told(body: bytes) -> None:
    with serving(unless(lambda _: True, status=400, body=body)) as web, qido(web.url) as asked:
        answer, _ = ask(asked, SECRET)
    assert answer.refused_keys == ("StudyTime",)
    assert len(web.asked) == 1
    assert "Canary" not in answer.comment
    assert answer.status_text.startswith("400 Bad Request")
    assert "0030" not in answer.status_text


def test_a_server_that_repeats_the_request_names_no_key() -> None:
    def echo(asked: Asked) -> Sent:
        return Sent(status=400, body=f"cannot answer {asked.path}?{asked.raw}".encode())

    with serving(echo) as web, qido(web.url) as asked:
        answer, _ = ask(asked, SECRET)
    assert answer.refused_keys == ()
    assert "Canary" not in answer.comment
    assert "CANARY" not in answer.comment.upper()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"Licence expired", "Licence expired"),
        (
            b'{"title": "Licence", "detail": "it has\\u001b[31m expired"}',
            "Licence; it has?[31m expired",
        ),
        (b'{"__type": "ThrottlingException", "Message": "slow"}', "ThrottlingException; slow"),
        (b"<html><title>Licence &amp; more</title><p>x</p></html>", "Licence & more"),
        (b"<Error><Code>7</Code> licence</Error>", "7 licence"),
        (b"{no json", "{no json"),
        (b"[" * 100_000, "[" * 197 + "..."),
        (b"\xff\xfe", "\N{REPLACEMENT CHARACTER}" * 2),
        (b"", ""),
    ],
)
def test_the_words_of_a_server_are_kept_for_the_terminal(body: bytes, said: str) -> None:
    with serving(unless(lambda _: True, status=409, body=body)) as web, qido(web.url) as asked:
        answer, _ = ask(asked, SECRET)
    assert answer.comment == said


@pytest.mark.parametrize("status", [401, 403, 404, 503])
def test_the_words_of_a_server_that_refuses_are_kept(status: int) -> None:
    script = unless(lambda _: True, status=status, body=b"ask Canary-7 for a licence")
    with (
        serving(script) as web,
        qido(web.url, Waited()) as asked,
        pytest.raises(RemoteError) as caught,
    ):
        ask(asked, SECRET)
    assert caught.value.comment == "ask *** for a licence"
    assert "licence" not in str(caught.value)


def test_rows_with_a_warning_count_and_its_text_is_kept() -> None:
    header = {"Warning": '299 pacs "Canary-7: StudyTime is not supported"'}

    def warns(asked: Asked) -> Sent:
        sent = listing(3)(asked)
        return Sent(sent.rows, sent.status, header)

    with serving(warns) as web, qido(web.url) as asked:
        answer, rows = ask(asked, SECRET)
    assert (answer.complete, answer.status, len(rows)) == (False, 200, 3)
    assert answer.comment == "***: StudyTime is not supported"


def test_one_row_needs_no_list() -> None:
    def single(asked: Asked) -> Sent:
        return Sent(status=204) if asked.number("offset") else Sent(row(1))

    with serving(single) as web, qido(web.url) as asked:
        answer, rows = ask(asked, ALL)
    assert (answer.complete, len(rows)) == (True, 1)


def test_a_failure_of_the_server_is_tried_again() -> None:
    failures = [Sent(status=500), Sent(status=502)]
    clock, good = Waited(), listing(9)
    with (
        serving(lambda asked: failures.pop() if failures else good(asked)) as web,
        qido(web.url, clock) as asked,
    ):
        answer, _ = ask(asked)
    assert answer.complete
    assert clock.waits == [1.0, 1.0]


def test_the_advice_is_not_that_of_another_protocol() -> None:
    with qido("http://pacs.invalid/dicom-web") as asked:
        assert "net.dicomweb" in asked.advice
        assert "AE title" not in asked.advice
