"""``${...}`` in values: variables, files, secret stores, and that secrets stay secret."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pacsfw.config import shown

if TYPE_CHECKING:
    from conftest import Desk

COLUMN = "tags: [{{tag_name: PatientID, default_val: '{}'}}]\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${NAME}", "value"),
        ("a ${NAME} ${NAME} b", "a value value b"),
        ("${NAME:-other}", "value"),
        ("${GONE:-other}", "other"),
        ("${GONE:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-other}", "other"),
        ("${GONE:-a:-b}", "a:-b"),
        ("$$", "$"),
        ("$${NAME}", "${NAME}"),
        ("$NAME", "$NAME"),
        ("100 $", "100 $"),
        ("{NAME}", "{NAME}"),
        ("${NESTED}", "${NAME}"),
        ("${NUMBER}", "00012"),
        ("${file:token}", "sesame"),
        ("x-${file:token}", "x-sesame"),
        ("${file:~/token}", "from home\nin two lines"),
        ("${vault:a:b}", "sesame-a:b"),
    ],
)
def test_a_reference_is_replaced(desk: Desk, text: str, value: str) -> None:
    desk.write("sesame\r\n", "token")
    desk.write("from home\nin two lines\n", "home/token")
    env = {"NAME": "value", "EMPTY": "", "NESTED": "${NAME}", "NUMBER": "00012"}
    config = desk.load(COLUMN.format(text), env=env).config
    assert config.raw["tags"][0]["default_val"] == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${GONE}", "the environment variable GONE is not set"),
        ("${NAME", "'${' without '}' (write a dollar sign as '$$')"),
        ("${A:-${B}}", "'${' without '}' (write a dollar sign as '$$')"),
        (
            "${}",
            "'${}' is not ${NAME}, ${NAME:-default} or ${file:path} (write a dollar sign as '$$')",
        ),
        (
            "${A B}",
            (
                "'${A B}' is not ${NAME}, ${NAME:-default} or ${file:path} "
                "(write a dollar sign as '$$')"
            ),
        ),
        ("${file:gone}", "the file {cwd}/gone cannot be read: No such file or directory"),
        ("${file:pipe}", "the file {cwd}/pipe cannot be read: not a regular file"),
        ("${file:home}", "the file {cwd}/home cannot be read: Is a directory"),
        ("${file:long}", "the file {cwd}/long is longer than 65536 bytes"),
        ("${file:latin}", "the file {cwd}/latin is not UTF-8 text"),
        ("${safe:x}", "no plugin resolves '${safe:...}'"),
        ("${vault:down}", "the plugin for '${vault:...}' failed: OSError"),
    ],
)
def test_a_reference_that_leads_nowhere_is_a_problem(desk: Desk, text: str, message: str) -> None:
    desk.write("x" * 65_537, "long")
    desk.write(b"sesam\xe9", "latin")
    os.mkfifo(desk.folder / "pipe")
    message = message.replace("{cwd}", str(desk.folder))
    assert desk.refusal(COLUMN.format(text)) == [f"conf.yaml:1:43: tags[0].default_val: {message}"]


def test_half_a_character_is_refused(desk: Desk) -> None:
    text = '{"tags": [{"tag_name": "PatientID", "default_val": "\\ud800"}]}'
    assert desk.refusal(text, "conf.json") == [
        "conf.json:1:52: tags[0].default_val: contains a NUL character or half of a surrogate pair"
    ]


def test_a_value_that_could_not_be_replaced_is_told_once(desk: Desk) -> None:
    (line,) = desk.refusal("net: {local_node: {aetitle: A, port: '${PORT}'}}\n")
    assert line.endswith("the environment variable PORT is not set")


def test_a_replaced_text_becomes_the_number_that_the_schema_asks_for(desk: Desk) -> None:
    text = (
        "net: {local_node: {aetitle: '${AET}', port: '${PORT}'}}\nmove: {with: {speed: '${S}'}}\n"
    )
    config = desk.load(text, env={"AET": "12", "PORT": "104", "S": "7"}).config
    assert config.net is not None
    assert (config.net.local.aetitle, config.net.local.port) == ("12", 104)
    assert config.move is not None
    assert config.move.use.options == {"speed": 7}


def test_a_replaced_text_that_is_no_number_is_refused(desk: Desk) -> None:
    text = "net: {local_node: {aetitle: A, port: '${PORT}'}}\n"
    assert desk.refusal(text, env={"PORT": "1O4"}) == [
        "conf.yaml:1:38: net.local_node.port: '1O4' is not a port (1 to 65535)"
    ]


def test_keys_are_never_replaced(desk: Desk) -> None:
    (line,) = desk.refusal("'${KEY}': {}\n", env={"KEY": "move"})
    assert line.startswith("conf.yaml:1:1: ${KEY}: unknown key")


def test_a_variable_cannot_add_keys(desk: Desk) -> None:
    config = desk.load(COLUMN.format("${X}"), env={"X": "a\n  tag_alias: b"}).config
    assert config.tags[0].alias == "PatientID"


@pytest.mark.parametrize("reference", ["${file:token}", "${vault:1}", "x${vault:1}"])
def test_a_secret_is_not_shown(desk: Desk, reference: str) -> None:
    desk.write("sesame-1", "token")
    config = desk.load(f"observers: [{{use: bell, with: {{password: '{reference}'}}}}]\n").config
    assert "sesame-1" in config.observers[0].options["password"]
    assert "sesame" not in repr(config)
    assert "sesame" not in shown(config)
    assert "password: '***'" in shown(config)


def test_passwords_written_out_are_not_shown_either(desk: Desk) -> None:
    config = desk.load(
        "observers: [{use: bell, with: {password: open-sesame}}]\n"
        "storage: {resources: 'sqlite://me:sesame@host/db', resources_meta: m.csv, directory: d}\n"
    ).config
    assert "sesame" not in shown(config)
    assert "sqlite://me:***@host/db" in shown(config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "observers: [{use: bell, with: {speed: '${file:token}'}}]",
            (
                "1:39: observers[0].with.speed: *** is not a whole number "
                "(observer 'bell' of house 1.2)"
            ),
        ),
        (
            "observers: [{use: bell, with: {password: '${file:token}'}}]",
            "1:42: observers[0].with.password: *** is too short (observer 'bell' of house 1.2)",
        ),
        (
            "net: {local_node: {aetitle: 'much-too-long-${file:token}'}}",
            (
                "1:29: net.local_node.aetitle: *** is not an AE title "
                "(1 to 16 ASCII characters, no backslash, not only spaces)"
            ),
        ),
        (
            "tags: [{tag_name: '${file:token}'}]",
            "1:19: tags[0].tag_name: is rejected; the reason is hidden: it may quote a secret",
        ),
        (
            "tags: [{tag_name: PatientID, callback: '${file:token}'}]",
            "1:40: tags[0].callback: is rejected; the reason is hidden: it may quote a secret",
        ),
        (
            "storage: {resources: a.csv, directory: d, sort_by: 'PatientNmae{${file:token}}'}",
            "1:52: storage.sort_by: is rejected; the reason is hidden: it may quote a secret",
        ),
        (
            (
                "net: {local_node: {aetitle: A}, called_node: {aetitle: A, ip: b, port: 1, "
                "charset: '${file:token}'}}"
            ),
            "1:84: net.called_node.charset: *** is not a DICOM Specific Character Set",
        ),
    ],
)
def test_a_secret_is_not_quoted_in_a_message(desk: Desk, text: str, message: str) -> None:
    desk.write("Qx7-Qx7", "token")
    assert desk.refusal(text + "\n", build=True) == [f"conf.yaml:{message}"]


def test_plugins_to_load_cannot_come_from_plugins(desk: Desk) -> None:
    (line,) = desk.refusal("plugins: {disable: ['${vault:x}']}\n")
    assert line.endswith("'${vault:...}' is not available here: plugins are not loaded yet")


def test_a_shown_dollar_stays_a_dollar(desk: Desk) -> None:
    config = desk.load(COLUMN.format("$${X}")).config
    assert desk.load(shown(config)).config.raw == config.raw
