"""Matching of queries, PS3.4 C.2.2.2."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacsfw.dicom.matching import folded, has_wildcard, is_nameable, matches


@pytest.mark.parametrize("vr", ["LO", "DA", "TM", "UI", "PN", "IS"])
@pytest.mark.parametrize("values", [[], [""], ["20240101"]])
def test_an_empty_key_matches_everything(vr: str, values: list[str]) -> None:
    assert matches(vr, "", values)


def test_an_asterisk_matches_an_absent_attribute() -> None:
    assert matches("LO", "*", [])


def test_a_key_does_not_match_an_absent_attribute() -> None:
    assert not matches("LO", "?*", [])
    assert not matches("UI", "1.2", [])
    assert not matches("DA", "20240101", [])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("abc", "abc"),
        ("a*", "abc"),
        ("a?c", "abc"),
        ("*c", "abc"),
        ("a*c*", "abc"),
        ("abc ", "abc"),
    ],
)
def test_wildcards_and_single_values_match(key: str, value: str) -> None:
    assert matches("LO", key, [value])


@pytest.mark.parametrize("key", ["ABC", "a", "ab?d", "[a]bc", "a.c", "abc?"])
def test_text_is_compared_exactly(key: str) -> None:
    assert not matches("LO", key, ["abc"])


def test_wildcards_mean_nothing_in_a_uid() -> None:
    assert not matches("UI", "1.2*", ["1.2.3"])


def test_one_uid_of_a_list_is_enough() -> None:
    assert matches("UI", "1.2.3\\1.2.4", ["1.2.4\0"])
    assert not matches("UI", "1.2.3\\1.2.4", ["1.2.5"])


def test_one_value_of_several_is_enough() -> None:
    assert matches("CS", "MR", ["CT", "MR"])
    assert matches("CS", "PT\\MR", ["CT", "MR"])


def test_a_backslash_is_text_in_the_long_texts() -> None:
    assert matches("LT", "a\\b", ["a\\b"])
    assert not matches("LT", "a\\b", ["b"])


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("20240115", True),
        ("2024.01.15", True),
        ("20240101-20240131", True),
        ("20240115-20240115", True),
        ("-20240115", True),
        ("20240115-", True),
        ("20240116-", False),
        ("-20240114", False),
        ("20240131-20240101", False),
    ],
)
def test_dates_match_by_range_with_open_ends(key: str, expected: bool) -> None:
    assert matches("DA", key, ["20240115"]) is expected


@pytest.mark.parametrize("key", ["-20991231", "19000101-", "19000101-20991231"])
def test_a_range_never_matches_an_undated_study(key: str) -> None:
    assert not matches("DA", key, [])


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("10", True),
        ("1030", True),
        ("10:30", True),
        ("103015.5", True),
        ("1030-1030", True),
        ("-1029", False),
        ("103016-", False),
        ("09-10", True),
        ("200000-080000", False),
    ],
)
def test_times_match_by_what_their_precision_covers(key: str, expected: bool) -> None:
    assert matches("TM", key, ["103015.5"]) is expected


@pytest.mark.parametrize(
    ("vr", "key"),
    [
        ("DA", "2024"),
        ("DA", "202401*"),
        ("DA", "-"),
        ("DA", "today"),
        ("TM", "1-2"),
        ("DT", "2024-"),
    ],
)
def test_a_malformed_key_is_an_error_that_does_not_repeat_it(vr: str, key: str) -> None:
    with pytest.raises(ValueError, match=vr) as caught:
        matches(vr, key, ["20240101"])
    assert key == "-" or key not in str(caught.value)


def test_a_malformed_stored_date_matches_nothing_but_a_range_key_stays_usable() -> None:
    assert not matches("DA", "20240101-20241231", ["around 2024"])


def test_names_are_exact_unless_folded() -> None:
    assert not matches("PN", "doe*", ["DOE^JOHN"])
    assert matches("PN", "doe*", ["DOE^JOHN"], fold=True)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Müller", "MULLER"),
        ("MULLER", "Müller"),
        ("muller", "Mu\u0308ller"),
        ("müller", "Mu\u0308ller"),
        ("STRASSE", "Straße"),
        ("Stra?e", "STRASSE"),
        ("stra?e", "Straße"),
        ("dvorak*", "DVOŘÁK^ANTONÍN"),
        ("Σίσυφος", "ΣΙΣΥΦΟΣ"),
        ("ёлкин", "ЕЛКИН"),
        ("istanbul", "İSTANBUL"),
        ("한?", "한글"),
    ],
)
@pytest.mark.parametrize("vr", ["PN", "LO"])
def test_folded_text_knows_neither_case_nor_accents(vr: str, key: str, value: str) -> None:
    assert matches(vr, key, [value], fold=True)
    assert not matches(vr, key, [value]) or key == "한?"


@pytest.mark.parametrize(
    ("key", "value"),
    [("Muller", "Mueller"), ("Soren", "Søren"), ("は", "ば"), ("कि", "कु"), ("a.c", "abc")],
)
def test_what_is_another_letter_stays_one(key: str, value: str) -> None:
    assert not matches("LO", key, [value], fold=True)


@pytest.mark.parametrize(
    ("vr", "key", "value"), [("UI", "1.2", "1.3"), ("AS", "045y", "045Y"), ("DA", "20240101", "")]
)
def test_what_is_no_text_is_not_folded(vr: str, key: str, value: str) -> None:
    assert not matches(vr, key, [value], fold=True)


def test_any_writing_of_a_name_is_folded() -> None:
    name = "YAMADA^TAROU=山田^太郎=やまだ^たろう"
    assert matches("PN", "yamada^tarou", [name], fold=True)
    assert matches("PN", "Yamada^Tarou=山田^太郎=やまだ^たろう", [name], fold=True)


@given(st.text(max_size=12))
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(st.text(max_size=12))
def test_text_and_its_other_unicode_form_fold_to_the_same(text: str) -> None:
    assert folded(unicodedata.normalize("NFD", text)) == folded(text)


def test_trailing_delimiters_of_a_name_mean_nothing() -> None:
    assert matches("PN", "DOE^JOHN", ["DOE^JOHN^^^"])


def test_a_name_is_found_by_any_of_its_writings() -> None:
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    assert matches("PN", "山田*", [name])
    assert matches("PN", "Yamada^Tarou", [name])
    assert matches("PN", name, [name])
    assert not matches("PN", "太郎", [name])


def test_numbers_are_compared_by_value() -> None:
    assert matches("IS", "1", ["+01"])
    assert not matches("DS", "1.5", ["1.25"])


@given(st.text(alphabet="ab.^=[]()*?+ ", max_size=12))
def test_any_text_matches_itself(text: str) -> None:
    assert matches("LO", text, [text])


@given(st.text(alphabet="abc", max_size=8), st.text(alphabet="abc", max_size=8))
def test_a_prefix_with_an_asterisk_matches_what_begins_so(prefix: str, rest: str) -> None:
    assert matches("SH", prefix + "*", [prefix + rest])


def test_only_text_has_wildcards() -> None:
    assert has_wildcard("LO", "a*")
    assert has_wildcard("PN", "a?")
    assert not has_wildcard("LO", "a")
    assert not has_wildcard("UI", "1.*")


@pytest.mark.parametrize("text", ["", "*", "a*b", "a?", "a\\b"])
def test_what_has_a_meaning_in_a_key_cannot_be_named(text: str) -> None:
    assert not is_nameable(text)
    assert is_nameable(f"x{text}y".translate(str.maketrans("", "", "*?\\")))
