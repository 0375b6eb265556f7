"""No row is lost between two pages, and no list is called whole that may not be."""

from __future__ import annotations

from typing import Any

import pytest

from pacsfw.api import Query
from plugins.dicomweb.scripted_web import (
    ALL,
    Asked,
    Sent,
    Web,
    ask,
    listing,
    qido,
    row,
    serving,
    uids,
)


def read(
    script: Any, page_size: int = 4, query: Query = ALL
) -> tuple[Any, list[dict[str, str]], Web]:
    with serving(script) as web, qido(web.url, options={"page_size": page_size}) as asked:
        answer, rows = ask(asked, query)
    return answer, rows, web


@pytest.mark.parametrize("cap", [1, 2, 3, 1000])
@pytest.mark.parametrize("page_size", [2, 3, 1000])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 13])
def test_every_row_comes_once_whatever_a_page_holds(count: int, page_size: int, cap: int) -> None:
    answer, rows, web = read(listing(count, cap), page_size)
    assert answer.complete, answer.status_text
    assert uids(rows) == [f"1.2.{number}" for number in range(count)]
    assert answer.evidence["rows"] == count
    assert answer.evidence["pages"] == len(web.asked)
    assert answer.status in (200, 204)


def test_one_page_costs_one_more_request_and_pages_overlap_by_a_row() -> None:
    answer, _, web = read(listing(9), page_size=4)
    assert web.windows == [(0, 4), (3, 4), (6, 4), (8, 4)]
    assert answer.status_text == "200 OK: 9 rows in 4 pages"
    answer, _, web = read(listing(3), page_size=200)
    assert web.windows == [(0, 200), (2, 200)]


def test_nothing_found_is_a_whole_answer() -> None:
    for nothing in (Sent(status=204), Sent([])):
        answer, rows, _ = read(lambda _asked, sent=nothing: sent)
        assert (answer.complete, rows) == (True, [])
        assert answer.evidence == {"pages": 1, "rows": 0}
        assert answer.status == nothing.status


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_server_that_ignores_offset_is_recognised(count: int) -> None:
    everything = [row(number) for number in range(count)]
    answer, rows, _ = read(lambda asked: Sent(everything[: asked.number("limit")]))
    assert not answer.complete
    assert answer.status_text == "the server ignores 'offset': it returned the same page again"
    assert len(rows) == min(count, 4)


def changed(after: list[dict[str, Any]]) -> Any:
    """Return a server whose list is another one from the second page on."""

    def answer(asked: Asked) -> Sent:
        first = asked.number("offset")
        rows = after if first else [row(number) for number in range(8)]
        return Sent(rows[first : first + asked.number("limit")])

    return answer


def test_a_row_that_is_inserted_or_removed_between_two_pages_is_seen() -> None:
    usual = [row(number) for number in range(8)]
    for after in ([row("new"), *usual], usual[1:], usual[:3]):
        answer, rows, _ = read(changed(after))
        assert not answer.complete
        assert (
            answer.status_text == "the list of the server, or its order, changed between two pages"
        )
        assert len(rows) == 4


def test_a_row_that_comes_again_is_seen_where_the_overlap_fits() -> None:
    usual = [row(number) for number in range(8)]
    shuffled = [*usual[:4], usual[1], *usual[5:]]
    answer, rows, _ = read(changed(shuffled))
    assert not answer.complete
    assert "came twice" in answer.status_text
    assert len(uids(rows)) == len(set(uids(rows))) == 7


def test_a_row_twice_in_one_page_is_one_row() -> None:
    everything = [row(0), row(0), row(1), row(2)]

    def answer(asked: Asked) -> Sent:
        first = asked.number("offset")
        return Sent(everything[first : first + asked.number("limit")])

    got, rows, _ = read(answer)
    assert got.complete
    assert uids(rows) == ["1.2.0", "1.2.1", "1.2.2"]


def test_two_entries_of_one_uid_are_both_told() -> None:
    names = [{"vr": "LO", "Value": [value]} for value in ("A", "B")]
    everything = [row(0, t00100020=names[0]), row(1), row(2), row(3), row(0, t00100020=names[1])]

    def answer(asked: Asked) -> Sent:
        first = asked.number("offset")
        return Sent(everything[first : first + asked.number("limit")])

    got, rows, _ = read(answer, page_size=3)
    assert got.complete
    assert uids(rows).count("1.2.0") == 2


# --- what the server says about it ----------------------------------------------------------


def announcing(total: int, *, given: int, text: str) -> Any:
    """Return a server that has ``given`` rows and promises ``total``, as PS3.18 8.3.4.4.1 says."""
    good = listing(given)

    def answer(asked: Asked) -> Sent:
        sent = good(asked)
        remaining = total - asked.number("offset") - len(sent.rows or [])
        if sent.rows and remaining > 0:
            sent.headers["Warning"] = text.format(remaining)
        return sent

    return answer


HINTS = [
    '299 host:8080 "There are {} additional results that can be requested"',
    "299 {{+service}}: There are additional results that can be requested.",
]


@pytest.mark.parametrize("text", HINTS)
def test_the_hint_to_the_next_page_is_no_fault(text: str) -> None:
    answer, rows, _ = read(announcing(10, given=10, text=text))
    assert answer.complete, answer.status_text
    assert len(rows) == 10


@pytest.mark.parametrize("text", HINTS)
def test_a_list_that_ends_before_what_was_announced_is_not_whole(text: str) -> None:
    answer, rows, _ = read(announcing(20, given=10, text=text))
    assert not answer.complete
    assert answer.status_text == "the server announced more rows than it returned"
    assert len(rows) == 10


@pytest.mark.parametrize("page", [0, 1, 2])
def test_any_other_warning_on_any_page_is_not_whole(page: int) -> None:
    good, count = listing(9), 0

    def answer(asked: Asked) -> Sent:
        nonlocal count
        sent = good(asked)
        if count == page:
            sent.headers["Warning"] = (
                '299 a "There are 1 additional results that can be requested", '
                '299 a "The number of results exceeded the maximum for Doe^John"'
            )
        count += 1
        return sent

    got, rows, _ = read(answer)
    assert not got.complete
    assert "Warning: 299" in got.status_text
    assert got.evidence["warned"] is True
    assert "Doe" not in got.status_text
    assert len(rows) == 9


def test_partial_content_is_not_whole_and_is_read_on() -> None:
    good = listing(9)

    def answer(asked: Asked) -> Sent:
        sent = good(asked)
        sent.status = 206 if sent.rows and asked.number("offset") else sent.status
        return sent

    got, rows, _ = read(answer)
    assert not got.complete
    assert got.status_text == "206 Partial Content: the server returned only a part"
    assert len(rows) == 9


@pytest.mark.parametrize("enough", [1, 3, 5])
def test_enough_rows_end_the_question(enough: int) -> None:
    query = Query(level="STUDY", match={}, max_rows=enough)
    answer, rows, web = read(listing(50), query=query)
    assert not answer.complete
    assert "stopped at the limit, after " in answer.status_text
    assert enough <= len(rows) <= enough + 1
    assert len(web.asked) == (1 if enough <= 4 else 2)


def test_fewer_rows_than_enough_are_a_whole_answer() -> None:
    answer, rows, _ = read(listing(3), query=Query(level="STUDY", match={}, max_rows=10))
    assert (answer.complete, len(rows)) == (True, 3)
