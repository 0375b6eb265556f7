"""What may stand in a matching key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacsfw.dicom.keys import normal
from pacsfw.dicom.levels import LEVEL_OF, vr_of
from pacsfw.dicom.matching import WILDCARD_VRS, matches


@pytest.mark.parametrize(
    ("vr", "text", "sent"),
    [
        ("DA", "20200131", "20200131"),
        ("DA", " 2020-01-31 ", "20200131"),
        ("DA", "20200101-20200131", "20200101-20200131"),
        ("DA", "20200101-", "20200101-"),
        ("DA", "-20200131", "-20200131"),
        ("TM", "08", "08"),
        ("TM", "08:30", "0830"),
        ("TM", "08:00-12:30:15", "0800-123015"),
        ("TM", "235960.999999", "235960.999999"),
        ("TM", "10-10", "10-10"),
        ("UI", "1.2.3", "1.2.3"),
        ("CS", "MR", "MR"),
        ("CS", "M*", "M*"),
        ("AS", "045Y", "045Y"),
        ("IS", "-7", "-7"),
        ("DS", "72.5e0", "72.5e0"),
        ("LO", " *chest* ", "*chest*"),
        ("PN", "Müller^?*", "Müller^?*"),
        ("LT", "a\\b\nc", "a\\b\nc"),
    ],
)
def test_a_good_value_is_written_as_it_is_sent(vr: str, text: str, sent: str) -> None:
    assert normal(vr, text) == sent


@pytest.mark.parametrize(
    ("vr", "text", "why"),
    [
        ("DA", "202401*", "not a date"),
        ("DA", "2024", "not a date"),
        ("DA", "-", "not a date"),
        ("DA", "2024.01.31", "not a date"),
        ("DA", "2024010120240131", "not a date"),
        ("DA", "\uff12\uff10\uff12\uff14\uff10\uff11\uff10\uff11", "not a date"),
        ("DA", "20240230", "a day that does not exist"),
        ("DA", "20240101-20240231", "a day that does not exist"),
        ("DA", "20240131-20240101", "ends before it begins"),
        ("TM", "24", "not a time"),
        ("TM", "8:30", "not a time"),
        ("TM", "08*", "not a time"),
        ("TM", "20:00-08:00", "across midnight, use two ranges"),
        ("UI", "1.2*", "not a UID"),
        ("UI", "1." * 32 + "1", "not a UID"),
        ("CS", "mr", "not in upper case"),
        ("AS", "61Y", "not an age"),
        ("IS", "1-5", "not a whole number"),
        ("DS", "7*", "not a number"),
        ("LO", "  ", "is empty"),
        ("LO", "a\\b", "backslash"),
        ("LO", "a\nb", "control character"),
        ("LO", "a\ud800", "control character"),
        ("LT", "a\0b", "control character"),
    ],
)
def test_a_bad_value_is_refused_without_repeating_it(vr: str, text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        normal(vr, text)
    assert text.strip() in ("", "-") or text not in str(caught.value)


def test_code_strings_in_other_writings_are_for_folded_comparison() -> None:
    assert normal("CS", "Chest", fold=True) == "Chest"


@pytest.mark.parametrize("vr", sorted({vr_of(keyword) for keyword in LEVEL_OF}))
@given(text=st.text(alphabet="0129-.:*?YMct^=\\ é\n", max_size=20))
def test_what_is_accepted_can_be_matched(vr: str, text: str) -> None:
    try:
        key = normal(vr, text)
    except ValueError:
        return
    assert normal(vr, key) == key
    assert matches(vr, key, []) == (vr in WILDCARD_VRS and not key.strip("*"))
