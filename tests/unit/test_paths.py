"""Names of layouts become paths that stay inside the archive, one for each name."""

import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pacsfw.paths import LONGEST, MISSING, escape, target

NASTY = [
    "../../x", "/etc/x", "a/b", "a\\b", "CON", "con.txt", "Nul .x", "COM1", "LPT¹", "COM", "CONX",
    "a.", "a ", " a", ".pacsfw", ".", "..", "...", " ", "%", "%2E", "%missing", "a\0b", "a:b",
    "山田", "Müller", "Mu\u0308ller", "😀", "\u202egpj.exe", "\ud800", "x" * 300, "山" * 100,
    "x" * 181, "x" * 180, "x" * 400 + ".dcm", "1.2.840.10008.1.2.dcm", "a~b", "a*b?", "\n", "é.dcm",
]  # fmt: skip
RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³])", re.IGNORECASE)
names = st.text(max_size=40) | st.sampled_from(NASTY) | st.text("conCONlpt1¹%. a/\\", max_size=8)


def decode(escaped: str) -> str:
    return unquote_to_bytes(escaped).decode("utf-8", "surrogatepass")


@given(names)
@example("".join(map(chr, range(256))))
def test_an_escaped_name_is_one_component_that_no_system_treats_specially(name: str) -> None:
    escaped = escape(name)
    assert escaped.strip(". ") == escaped != ""
    assert not set(escaped) & set('/\\:*?"<>|\0\n')
    assert all(char.isprintable() for char in escaped)
    assert not RESERVED.fullmatch(escaped.split(".")[0].rstrip())
    assert len(escaped.encode()) <= LONGEST


@given(st.text(min_size=1, max_size=15) | st.sampled_from(NASTY))
def test_a_name_that_was_not_cut_can_be_read_back(name: str) -> None:
    escaped = escape(name)
    if "%~" not in escaped:
        assert decode(escaped) == name


@given(names, names)
@example("x" * 300, "x" * 301)
@example("x" * 300 + ".dcm", "x" * 300)
@example("Müller", "Mu\u0308ller")
@example("", "%missing")
def test_two_names_never_share_a_component(one: str, other: str) -> None:
    assert (escape(one) == escape(other)) == (one == other)


def test_no_two_nasty_names_share_a_component() -> None:
    assert len({escape(name) for name in NASTY}) == len(NASTY)


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("1.2.840.10008.5.dcm", "1.2.840.10008.5.dcm"),
        ("Doe^Jane (2), x@y=z+_-", "Doe^Jane (2), x@y=z+_-"),
        ("山田 太郎", "山田 太郎"),
        ("Müller", "Müller"),
        ("Mu\u0308ller", "Mu%CC%88ller"),
        ("../../x", "%2E.%2F..%2Fx"),
        ("a/b", "a%2Fb"),
        ("100%", "100%25"),
        ("CON", "%43ON"),
        ("lpt9.tar.gz", "%6Cpt9.tar.gz"),
        ("aux .txt", "%61ux .txt"),
        ("COM²", "%43OM²"),
        ("CONTRAST", "CONTRAST"),
        (" x ", "%20x%20"),
        ("x.", "x%2E"),
        (".pacsfw", "%2Epacsfw"),
        ("\ud800", "%ED%A0%80"),
        ("", MISSING),
        (None, MISSING),
        ("%missing", "%25missing"),
    ],
)
def test_escaped_forms_stay_as_documented(name: str | None, escaped: str) -> None:
    assert escape(name) == escaped


def test_a_long_name_is_cut_between_characters_and_keeps_its_extension() -> None:
    escaped = escape("山/" * 100 + ".dcm")
    assert re.fullmatch(r"(山%2F)+山?%~[0-9a-f]{32}\.dcm", escaped)
    assert LONGEST - 3 <= len(escaped.encode()) <= LONGEST


def test_a_long_device_name_is_still_defused() -> None:
    assert escape("NUL." + "x" * 300).startswith("%4EUL.")


@given(st.lists(names | st.none(), min_size=1, max_size=4))
def test_a_target_is_inside_the_archive_however_the_names_look(layout: list[str | None]) -> None:
    root = Path("/archive/root")
    path = target(root, layout)
    assert path.parents[len(layout) - 1] == root
    assert ".." not in path.parts


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "the layout returned no names, but the file needs one"),
        ("Doe", "the layout returned str instead of a list of names"),
        (None, "the layout returned NoneType instead of a list of names"),
        (["ok", 7], "the layout returned int as name 2 of 2, every name must be text"),
    ],
)
def test_what_is_not_a_list_of_names_is_refused(names: object, message: str) -> None:
    with pytest.raises(TypeError, match=f"^{message}"):
        target(Path("root"), names)  # type: ignore[arg-type]
