"""A DICOMweb server that refuses, breaks off, redirects or is not there."""

from __future__ import annotations

import gzip
import logging
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from pacsfw.api import Query
from pacsfw.errors import RemoteError
from peers.process import free_port, require
from plugins.dicomweb.scripted_web import (
    Asked,
    Script,
    Sent,
    Waited,
    ask,
    listing,
    qido,
    raw_server,
    row,
    serving,
)

SERIES = Query(level="SERIES", match={"StudyInstanceUID": "1.2"})
SECRET = Query(level="STUDY", match={"PatientID": "CANARY-7"}, returns=("PatientName",))


def from_page(number: int, sent: Sent, count: int = 9) -> Script:
    """Return a good server that answers so from this page on (0 is the first)."""
    good, pages = listing(count), 0

    def answer(asked: Asked) -> Sent:
        nonlocal pages
        pages += 1
        return sent if pages > number else good(asked)

    return answer


def read(script: Script, query: Query = SECRET, **settings: Any) -> Any:
    options = {"page_size": 4}
    with serving(script) as web, qido(web.url, options=options, **settings) as asked:
        return ask(asked, query)


def refusal(script: Script, **settings: Any) -> str:
    with pytest.raises(RemoteError) as caught:
        read(script, **settings)
    assert "CANARY" not in str(caught.value)
    return str(caught.value)


# --- statuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "advice"), [(401, "token"), (403, "right")])
@pytest.mark.parametrize("page", [0, 1])
def test_who_is_not_let_in_is_told_what_to_check(page: int, status: int, advice: str) -> None:
    why = refusal(from_page(page, Sent(status=status, body=b"Doe^John")))
    assert f"/dicom-web: {status} " in why
    assert advice in why
    assert "Doe" not in why


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "400 Bad Request (the server does not accept a key"),
        (406, "406 Not Acceptable (the server offers neither application/dicom+json nor"),
        (407, "407 Proxy Authentication Required (check the proxy"),
        (413, "(more matches than the server returns)"),
        (500, "500 Internal Server Error"),
        (599, "599 (not a standard status)"),
    ],
)
@pytest.mark.parametrize("page", [0, 2])
def test_a_question_that_fails_is_not_whole(page: int, status: int, words: str) -> None:
    answer, rows = read(from_page(page, Sent(status=status, body=b"Doe^John")), clock=Waited())
    assert (answer.complete, answer.status) == (False, status)
    assert words in answer.status_text
    assert "Doe" not in answer.status_text
    assert answer.evidence == {"pages": page, "rows": [0, 0, 7][page]}
    assert len(rows) == answer.evidence["rows"]


def test_no_such_resource_means_a_wrong_address_or_a_study_that_is_gone() -> None:
    gone = from_page(0, Sent(status=404))
    assert "404 Not Found (there is no such resource: check net.dicomweb.url)" in refusal(gone)
    answer, _ = read(from_page(0, Sent(status=404)), SERIES)
    assert not answer.complete
    answer, _ = read(from_page(1, Sent(status=404)))
    assert answer.status_text.endswith("after 1 pages")


@pytest.mark.parametrize(
    ("retry_after", "waited"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("Mon, 01 Jun 2020 12:00:30 GMT", 30.0),
        ("Mon, 01 Jun 2020 11:00:00 GMT", 0.0),
        ("soon", 5.0),
        (None, 5.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_when_it_says(
    status: int, retry_after: str | None, waited: float
) -> None:
    good, clock, pages = listing(9), Waited(), 0

    def answer(asked: Asked) -> Sent:
        nonlocal pages
        pages += 1
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        return Sent(status=status, headers=headers, body=b"") if pages == 2 else good(asked)

    got, rows = read(answer, clock=clock)
    assert (got.complete, len(rows)) == (True, 9)
    assert clock.waits == [waited]


@pytest.mark.parametrize(
    ("retry_after", "times"), [("3", 3), ("86400", 0), ("9" * 400, 0), ("300", 3)]
)
def test_a_server_that_stays_busy_is_given_up(retry_after: str, times: int) -> None:
    clock = Waited()
    busy = Sent(status=503, headers={"Retry-After": retry_after}, body=b"Doe^John")
    why = refusal(from_page(1, busy), clock=clock)
    assert "503 Service Unavailable: the server is busy" in why
    assert clock.waits == [float(retry_after)] * times


# --- what is no DICOM JSON ----------------------------------------------------------------------

NO_JSON = [
    Sent(body=b"<html>Doe^John</html>", headers={"Content-Type": "text/html"}),
    Sent(body=b"[]", headers={"Content-Type": "multipart/related; type=application/dicom+json"}),
    Sent(body=b"[{Doe^John"),
    Sent(body=b"["),
    Sent(body=b""),
    Sent(body=b"\xff\xfe\xfd"),
    Sent(body=b"[" * 100_000),
    Sent({"error": "Doe^John"}),
    Sent(body=b"null"),
]


@pytest.mark.parametrize("sent", NO_JSON)
def test_what_is_no_list_in_json_is_no_dicomweb(sent: Sent) -> None:
    why = refusal(from_page(0, sent))
    assert "200 OK, but the response is not a list in DICOM JSON: check net.dicomweb.url" in why
    assert "Doe" not in why
    answer, rows = read(from_page(1, sent))
    assert (answer.complete, len(rows)) == (False, 4)
    assert "not a list in DICOM JSON" in answer.status_text
    assert "Doe" not in answer.status_text


@pytest.mark.parametrize("media_type", ["application/json", "Application/DICOM+JSON;charset=utf-8"])
def test_json_by_its_other_names_is_read(media_type: str) -> None:
    good = listing(3)

    def answer(asked: Asked) -> Sent:
        sent = good(asked)
        sent.headers["Content-Type"] = media_type
        return sent

    answered, rows = read(answer)
    assert (answered.complete, len(rows)) == (True, 3)


# --- a connection that does not hold ------------------------------------------------------------


@pytest.mark.parametrize("page", [0, 1])
def test_a_body_that_is_cut_off_is_not_whole(page: int) -> None:
    answer, rows = read(from_page(page, Sent(body=b"[]", promised=100)))
    assert (answer.complete, answer.evidence["pages"], len(rows)) == (False, page, 4 * page)
    assert answer.status_text.startswith("the response ended early")


def test_gzip_that_is_broken_is_not_whole() -> None:
    sent = Sent(body=b"no gzip", headers={"Content-Encoding": "gzip"})
    answer, _ = read(from_page(0, sent))
    assert answer.status_text == "the response ended early"


@pytest.mark.parametrize("page", [0, 1])
def test_silence_is_not_whole(page: int) -> None:
    over = threading.Event()
    silent = Sent(body=b"[", promised=100, then_wait=over)
    script = from_page(page, silent)
    with serving(script) as web, qido(web.url, timeout=1, options={"page_size": 4}) as asked:
        answer, rows = ask(asked)
        over.set()
    assert (answer.complete, len(rows)) == (False, 4 * page)
    assert answer.status_text.startswith("no more data within 1 s")


def test_no_answer_at_all_is_not_whole() -> None:
    over = threading.Event()

    def answer(_asked: Asked) -> Sent:
        over.wait(30)
        return Sent(status=204)

    with serving(answer) as web, qido(web.url, timeout=1) as asked:
        got, _ = ask(asked)
        over.set()
    assert not got.complete
    assert got.status_text == "no response within 1 s"


def test_a_page_without_an_end_is_cut_off() -> None:
    bomb = gzip.compress(b" " * (65 * 2**20), 9)
    answer, _ = read(from_page(0, Sent(body=bomb, headers={"Content-Encoding": "gzip"})))
    assert not answer.complete
    assert answer.status_text == "a page is larger than 64 MiB: set a smaller page_size"


def test_a_list_without_an_end_is_cut_off() -> None:
    clock = Waited()

    def answer(asked: Asked) -> Sent:
        clock.waits.append(1.0)
        first = asked.number("offset")
        return Sent([row(number) for number in range(first, first + 4)])

    options = {"page_size": 4, "total_timeout": 3}
    with serving(answer) as web, qido(web.url, clock, options) as asked:
        got, rows = ask(asked)
    assert not got.complete
    assert "not done within total_timeout" in got.status_text
    assert rows


def test_a_connection_that_was_closed_at_rest_is_opened_again() -> None:
    body = b'[{"0020000D": {"vr": "UI", "Value": ["1.2.3"]}}]'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: %d\r\n\r\n"
    query = Query(level="STUDY", match={}, max_rows=1)
    with raw_server(head % len(body) + body) as url, qido(url) as asked:
        for _ in range(3):
            asked.release()
            _, rows = ask(asked, query)
            assert len(rows) == 1


def test_nobody_there_is_an_error() -> None:
    with (
        qido(f"http://127.0.0.1:{free_port()}/dicom-web") as asked,
        pytest.raises(RemoteError, match=r"no connection \(Connection refused\): check .*proxy"),
    ):
        ask(asked, SECRET)


def test_what_is_not_http_is_an_error() -> None:
    with (
        raw_server(b"\x02\x00\x00\x00") as url,
        qido(url) as asked,
        pytest.raises(RemoteError, match="the response is not HTTP"),
    ):
        ask(asked, SECRET)


def test_a_proxy_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "")
    with (
        qido("http://pacs.invalid/dicom-web") as asked,
        pytest.raises(RemoteError, match="the proxy did not connect to the server"),
    ):
        ask(asked, SECRET)


# --- credentials ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        ({"token": "abc"}, "Bearer abc"),
        ({"username": "Jörg", "password": "süß"}, "Basic SsO2cmc6c8O8w58="),
        ({"headers": {"Authorization": "Negotiate x"}}, "Negotiate x"),
        ({}, None),
    ],
)
def test_the_credentials_are_those_of_the_configuration(
    settings: dict[str, Any], sent: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login nobody password nothing\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(listing(1)) as web, qido(web.url, **settings) as asked:
        ask(asked)
    assert {each.headers["Authorization"] for each in web.asked} == {sent}


def test_headers_of_the_configuration_are_sent() -> None:
    headers = {"X-Api-Key": "k", "accept": "application/json"}
    with serving(listing(1)) as web, qido(web.url, headers=headers) as asked:
        ask(asked)
    assert web.asked[0].headers["X-Api-Key"] == "k"
    assert web.asked[0].headers["Accept"] == "application/json"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_server_is_not_followed(status: int) -> None:
    with serving(listing(1)) as other:
        there = Sent(status=status, headers={"Location": f"{other.url}/studies?CANARY"}, body=b"")
        why = refusal(from_page(0, there), token="abc", headers={"X-Api-Key": "k"})
        assert not other.asked
    assert f"{status} " in why
    assert "to another server, which must not get the credentials" in why
    assert other.url not in why


def test_a_redirect_on_the_same_server_is_followed() -> None:
    good = listing(9)

    def answer(asked: Asked) -> Sent:
        if asked.path == "/dicom-web/studies":
            return Sent(status=308, headers={"Location": f"/new/studies?{asked.raw}"}, body=b"")
        assert asked.headers["Authorization"] == "Bearer abc"
        return good(asked)

    got, rows = read(answer, token="abc")
    assert (got.complete, len(rows)) == (True, 9)


def test_a_redirect_in_circles_is_an_error() -> None:
    loop = Sent(status=302, headers={"Location": "/dicom-web/studies"}, body=b"")
    assert "more than 5 redirects" in refusal(from_page(0, loop))


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one file."""
    require("openssl")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    name = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", path, "-out", f"{path}.crt"]
    subprocess.run([*command.split(), *name], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    with (
        serving(listing(1), certificate) as web,
        qido(web.url) as asked,
        pytest.raises(RemoteError, match=r"certificate .* refused \(self.signed .*verify"),
    ):
        ask(asked, SECRET)


@pytest.mark.parametrize("by_file", [True, False])
def test_a_certificate_is_trusted_by_its_file_or_not_looked_at(
    certificate: Path, by_file: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")  # must not replace what we say
    verify = f"{certificate}.crt" if by_file else False
    with serving(listing(9), certificate) as web, qido(web.url, verify=verify) as asked:
        answer, rows = ask(asked)
    assert (answer.complete, len(rows)) == (True, 9)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_is_none_is_an_error(
    certificate: Path, content: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    with (
        serving(listing(1), certificate) as web,
        qido(web.url, verify=str(path)) as asked,
        pytest.raises(RemoteError, match=r"net\.dicomweb.*verify"),
    ):
        ask(asked, SECRET)


def test_a_server_without_tls_is_told_from_a_bad_certificate() -> None:
    with (
        serving(listing(1)) as web,
        qido(web.url.replace("http:", "https:")) as asked,
        pytest.raises(RemoteError, match="no TLS connection"),
    ):
        ask(asked, SECRET)


# --- what must not be told ------------------------------------------------------------------------


def test_nothing_of_a_question_or_an_answer_reaches_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    name = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Canary^Bird"}]}}

    def answer(asked: Asked) -> Sent:
        return Sent([row(1) | name][asked.number("offset") :])

    with serving(answer) as web, qido(web.url, token="canary-token") as asked:
        _, rows = ask(asked, SECRET)
    with qido(web.url) as asked, pytest.raises(RemoteError) as caught:
        ask(asked, SECRET)
    assert rows[0]["PatientName"] == "Canary^Bird"
    assert "canary" not in caplog.text.lower()
    assert "canary" not in str(caught.getrepr(style="short")).lower().replace("canary^bird", "")
