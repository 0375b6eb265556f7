"""``net.dicomweb``: what it becomes, what is refused, and what is never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pacsfw.api import DicomWeb
from pacsfw.config import shown

if TYPE_CHECKING:
    from conftest import Desk

LOCAL = "net:\n  local_node: {aetitle: ME}\n"


def conf(inner: str) -> str:
    return f"{LOCAL}  dicomweb: {{{inner}}}\n"


def loaded(desk: Desk, inner: str) -> DicomWeb:
    net = desk.load(conf(inner)).config.net
    assert net is not None
    assert net.dicomweb is not None
    return net.dicomweb


def test_without_it_there_is_none(desk: Desk) -> None:
    net = desk.load(LOCAL).config.net
    assert net is not None
    assert net.dicomweb is None


def test_an_address_is_enough(desk: Desk) -> None:
    assert loaded(desk, "url: https://pacs.example/dicom-web/") == DicomWeb(
        url="https://pacs.example/dicom-web", verify=True, timeout=60
    )


def test_everything_that_can_be_said(desk: Desk) -> None:
    (desk.folder / "ca.pem").touch()
    inner = (
        "url: https://pacs.example:8443/a/b, headers: {X-Tenant: '7'}, username: me, "
        "password: '${PASSWORD}', verify: ca.pem, timeout: 2.5"
    )
    config = desk.load(conf(inner), env={"PASSWORD": "sésame"}).config
    assert config.net is not None
    assert config.net.dicomweb == DicomWeb(
        url="https://pacs.example:8443/a/b",
        headers={"X-Tenant": "7"},
        username="me",
        password="sésame",
        verify=str(desk.folder / "ca.pem"),
        timeout=2.5,
    )
    assert config.warnings == ()


NO_ADDRESS = "is not a URL such as https://pacs.example/dicom-web"
REFUSED = [
    ("{}", ": url is missing"),
    ("{url: 5}", ".url: 5 is not text; put it in quotes"),
    ("{url: pacs.example}", f".url: {NO_ADDRESS}"),
    ("{url: 'ftp://pacs.example'}", f".url: {NO_ADDRESS}"),
    ("{url: 'http://'}", f".url: {NO_ADDRESS}"),
    ("{url: 'http://pacs:99999/'}", f".url: {NO_ADDRESS}"),
    ("{url: 'http://[pacs/'}", f".url: {NO_ADDRESS}"),
    ("{url: 'http://pa cs/'}", f".url: {NO_ADDRESS}"),
    ('{url: "http://pacs/\\n"}', f".url: {NO_ADDRESS}"),
    (
        "{url: 'http://pacs/x?y=1'}",
        ".url: must end with the path of the service, without '?' or '#'",
    ),
    (
        "{url: 'http://me:sesame@pacs/x'}",
        ".url: contains credentials: use username and password instead",
    ),
    ("{url: 'http://x', username: me}", ".username: requires password as well"),
    ("{url: 'http://x', password: sesame}", ".password: requires username as well"),
    (
        "{url: 'http://x', username: 'a:b', password: x}",
        ".username: 'a:b' is not a user name (text without ':')",
    ),
    ("{url: 'http://x', password: 1, username: me}", ".password: *** is not text"),
    ("{url: 'http://x', token: 'ses ame'}", ".token: *** is not a token"),
    (
        "{url: 'http://x', headers: {Authorization: 'ses\u00e4me'}}",
        ".headers.Authorization: *** is not a header value",
    ),
    (
        "{url: 'http://x', headers: {'X Y': sesame}}",
        ".headers: 'X Y' is not a header name",
    ),
    (
        "{url: 'http://x', token: sesame, username: me, password: sesame}",
        ": username and token are mutually exclusive: keep one",
    ),
    (
        "{url: 'http://x', token: sesame, headers: {authorization: sesame}}",
        ": token and headers.authorization are mutually exclusive: keep one",
    ),
    ("{url: 'http://x', timeout: 0}", ".timeout: 0 is not more than 0"),
    ("{url: 'http://x', verify: 5}", ".verify: 5 is not true or false or text"),
    ("{url: 'http://x', pasword: sesame}", ".pasword: unknown key (did you mean 'password'?)"),
]


@pytest.mark.parametrize(("inner", "message"), REFUSED)
def test_a_fault_is_one_line_and_quotes_no_secret(desk: Desk, inner: str, message: str) -> None:
    (line,) = desk.refusal(f"{LOCAL}  dicomweb: {inner}\n")
    assert line.startswith("conf.yaml:3:")
    assert f": net.dicomweb{message}" in line
    assert "ses" not in line


def test_a_ca_file_has_to_be_there(desk: Desk) -> None:
    (line,) = desk.refusal(conf("url: 'https://x', verify: certs/ca.pem"))
    path = desk.folder / "certs" / "ca.pem"
    assert line == (
        f"conf.yaml:3:40: net.dicomweb.verify: {path}: no such file (true and false are not paths)"
    )


@pytest.mark.parametrize(
    ("inner", "warned"),
    [
        ("url: 'http://pacs/x', token: sesame", "url: the credentials are sent without"),
        ("url: 'http://10.0.0.7/x', username: me, password: sesame", "url: the credentials"),
        ("url: 'http://pacs/x', headers: {authorization: sesame}", "url: the credentials"),
        ("url: 'https://pacs/x', verify: false", "verify: any certificate is accepted"),
        ("url: 'http://pacs/x'", ""),
        ("url: 'http://pacs/x', headers: {X-Tenant: '7'}", ""),
        ("url: 'http://localhost/x', token: sesame", ""),
        ("url: 'http://127.0.0.9:8042/x', token: sesame", ""),
        ("url: 'http://[::1]/x', token: sesame", ""),
        ("url: 'https://pacs/x', token: sesame", ""),
        ("url: 'http://pacs/x', verify: false", ""),
    ],
)
def test_what_lets_others_listen_is_warned_of(desk: Desk, inner: str, warned: str) -> None:
    warnings = desk.load(conf(inner)).config.warnings
    assert len(warnings) == bool(warned)
    for text in warnings:
        assert text.startswith("conf.yaml:3:")
        assert f": net.dicomweb.{warned}" in text
        assert "sesame" not in text


@pytest.mark.parametrize(
    "credentials",
    [
        "username: me, password: sesame",
        "username: me, password: '${PASSWORD}'",
        "token: sesame",
        "headers: {Authorization: Basic sesame, X-Key: sesame}",
    ],
)
def test_credentials_are_never_shown(desk: Desk, credentials: str) -> None:
    inner = f"url: 'https://pacs/x', {credentials}"
    config = desk.load(conf(inner), env={"PASSWORD": "sesame"}).config
    assert "sesame" not in shown(config)
    assert "sesame" not in repr(config)
    assert "***" in shown(config)
    assert "https://pacs/x" in shown(config)
