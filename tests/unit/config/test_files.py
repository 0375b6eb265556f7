"""Where the configuration is looked for, and which files are not taken."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pacsfw.config import load
from pacsfw.config.files import Located, locate
from pacsfw.errors import ConfigError

if TYPE_CHECKING:
    from conftest import Desk

posix_only = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")

CANDIDATES = [
    "$PACSFW_CONFIG",
    "$PACSANINI_CONFIG",
    "pacsfw.yaml",
    "pacsaninirc.yaml",
    "home/pacsfw.yaml",
    "home/pacsaninirc.yaml",
]


@pytest.mark.parametrize("first", range(len(CANDIDATES)))
def test_the_first_of_the_usual_places_wins(desk: Desk, first: int) -> None:
    present = CANDIDATES[first:]
    env = {}
    for candidate in present:
        if candidate.startswith("$"):
            env[candidate[1:]] = f"by{candidate[1:]}.yaml"
        else:
            desk.write("tags: []\n", candidate)
    found = locate(None, env, desk.folder, desk.folder / "home")
    assert found.path == desk.folder / env.get(present[0][1:], present[0])


def test_a_given_file_wins_over_everything(desk: Desk) -> None:
    desk.write("tags: []\n", "pacsfw.yaml")
    found = locate(Path("sub/x.yaml"), {"PACSFW_CONFIG": "y.yaml"}, desk.folder, None)
    assert found == Located(desk.folder / "sub/x.yaml", "sub/x.yaml", desk.folder / "sub", None)


def test_an_empty_variable_counts_as_none(desk: Desk) -> None:
    desk.write("tags: []\n", "pacsfw.yaml")
    found = locate(None, {"PACSFW_CONFIG": ""}, desk.folder, None)
    assert (found.name, found.base) == ("pacsfw.yaml", desk.folder)


def test_nothing_found_says_where_it_was_looked_for(desk: Desk) -> None:
    with pytest.raises(ConfigError) as caught:
        locate(None, {}, desk.folder, desk.folder / "home")
    assert str(caught.value) == (
        "no configuration: name a file, set $PACSFW_CONFIG, or create one of "
        f"{desk.folder}/pacsfw.yaml, {desk.folder}/pacsaninirc.yaml, "
        f"{desk.folder}/home/pacsfw.yaml, {desk.folder}/home/pacsaninirc.yaml; "
        "`pacsfw config init` writes a template"
    )


def test_a_home_that_does_not_exist_makes_the_tilde_an_error(desk: Desk) -> None:
    located = locate(Path("x.yaml"), {}, desk.folder, None)
    with pytest.raises(ValueError, match="there is no home folder"):
        located.resolve("~/x")
    with pytest.raises(ValueError, match="no such user"):
        located.resolve("~nobody-of-this-name/x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: \xff\n", "conf.yaml:1:4: not UTF-8; save the file as UTF-8"),
        (
            "ä: ü\nb: ".encode() + b"\xe4",
            "conf.yaml:2:4: not UTF-8; save the file as UTF-8",
        ),
        (
            "tags: []\n".encode("utf-16"),
            "conf.yaml:1:1: not UTF-8; save the file as UTF-8",
        ),
        (b"", "conf.yaml:1:1: the configuration is empty"),
        (b"- a\n", "conf.yaml:1:3: tags[0]: 'a' is not a mapping"),
        (b"text", "conf.yaml:1:1: a configuration must be a mapping of sections"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(
    desk: Desk, content: bytes, message: str
) -> None:
    assert desk.refusal(content) == [message]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(desk: Desk) -> None:
    text = b"\xef\xbb\xbftags:\r\n  - tag_name: Patient\r\n"
    (line,) = desk.refusal(text)
    assert line.startswith("conf.yaml:2:15: tags[0].tag_name: ")
    assert desk.load(b'\xef\xbb\xbf{"tags": []}', "conf.json").config.tags == ()


def test_a_missing_file_is_named(desk: Desk) -> None:
    with pytest.raises(ConfigError, match=r"^gone\.yaml: no such file$"):
        load(Path("gone.yaml"), desk.registry_for, cwd=desk.folder)


def test_a_folder_is_no_file(desk: Desk) -> None:
    with pytest.raises(ConfigError, match=r"^home: a folder, not a file$"):
        load(Path("home"), desk.registry_for, cwd=desk.folder)


@posix_only
def test_a_device_is_no_file(desk: Desk) -> None:
    with pytest.raises(ConfigError, match=r"^/dev/null: not a regular file$"):
        load(Path("/dev/null"), desk.registry_for, cwd=desk.folder)


@posix_only
def test_a_pipe_is_no_file_and_nobody_waits_for_its_writer(desk: Desk) -> None:
    os.mkfifo(desk.folder / "conf.yaml")
    with pytest.raises(ConfigError, match=r"^conf\.yaml: not a regular file$"):
        load(Path("conf.yaml"), desk.registry_for, cwd=desk.folder)


@posix_only
def test_a_pipe_is_no_plugin(desk: Desk) -> None:
    os.mkfifo(desk.folder / "mine.py")
    (line,) = desk.refusal("plugins:\n  load: [mine.py]\n")
    assert line.endswith("mine.py: not a regular file")


@posix_only
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_change_is_refused(desk: Desk, mode: int) -> None:
    path = desk.write("tags: []\n")
    path.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        load(Path("conf.yaml"), desk.registry_for, cwd=desk.folder)
    assert str(caught.value) == f"conf.yaml: other users can modify it; run: chmod go-w {path}"


@posix_only
def test_a_file_that_others_may_read_is_taken(desk: Desk) -> None:
    desk.write("tags: []\n").chmod(0o644)
    load(Path("conf.yaml"), desk.registry_for, cwd=desk.folder)


@posix_only
def test_a_file_in_a_folder_open_to_everybody_is_refused(desk: Desk) -> None:
    path = desk.write("tags: []\n", "home/conf.yaml")
    path.parent.chmod(0o777)
    with pytest.raises(ConfigError, match="anyone can replace it in its folder; run: chmod o-"):
        load(path, desk.registry_for)
    path.parent.chmod(0o1777)
    load(path, desk.registry_for)
