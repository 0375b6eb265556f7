"""Values as pydicom gives them become plain text, numbers and truth values, or an error."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID
from pydicom.valuerep import IS, DSfloat, PersonName

from pacsfw.dicom.values import Misfit, bool_of, float_of, int_of, is_empty, text_of

ITEM = Dataset()
ITEM.Rows = 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("A", "A"),
        ("A \0", "A"),
        (" A", " A"),
        (DSfloat("1.50"), "1.50"),
        (IS("007"), "007"),
        (PersonName("Yamada^Tarou=山田^太郎"), "Yamada^Tarou=山田^太郎"),
        (UID("1.2.3"), "1.2.3"),
        (Tag(0x00100020), "(0010,0020)"),
        (MultiValue(str, ["A", "B"]), "A\\B"),
        (MultiValue(DSfloat, ["0.50", "", "1e1"]), "0.50\\\\1e1"),
        (512, "512"),
        (None, ""),
    ],
)
def test_text_is_as_written_in_the_object(value: Any, text: str) -> None:
    assert text_of(value) == text
    assert type(text_of(value)) is str


@pytest.mark.parametrize("value", [Sequence([ITEM]), ITEM, b"x", {"a": 1}, [[ITEM]]])
def test_sequences_and_bytes_have_no_text(value: Any) -> None:
    with pytest.raises(Misfit, match="cannot be written as text"):
        text_of(value)


@pytest.mark.parametrize(
    "value",
    [None, "", " ", "\0", b"", [], MultiValue(str, ["", ""]), Sequence(), Dataset(),
     PersonName("")],
)  # fmt: skip
def test_values_that_say_nothing_are_empty(value: Any) -> None:
    assert is_empty(value)


@pytest.mark.parametrize(
    "value", ["0", 0, 0.0, False, DSfloat("0"), b"\0", Sequence([ITEM]), ITEM, ["", "A"]]
)
def test_zero_is_not_empty(value: Any) -> None:
    assert not is_empty(value)


@pytest.mark.parametrize(
    ("value", "number"),
    [(7, 7), (IS("007"), 7), (DSfloat("7.0"), 7), ("7", 7), (" -7 ", -7), ("+7", 7), (7.0, 7)],
)
def test_whole_numbers_are_read(value: Any, number: int) -> None:
    assert int_of(value) == number
    assert type(int_of(value)) is int


@pytest.mark.parametrize(
    "value",
    [DSfloat("1.5"), "1.5", "1_0", "", "x", True, float("nan"), float("inf"), None, ["1"],
     MultiValue(IS, ["1", "2"]), "\N{ARABIC-INDIC DIGIT SEVEN}"],
)  # fmt: skip
def test_what_is_no_whole_number_is_not_cut_off(value: Any) -> None:
    with pytest.raises(ValueError, match="not an integer"):
        int_of(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_decimal_numbers_survive_as_text(number: float) -> None:
    assert float_of(repr(number)) == float_of(number) == number


@pytest.mark.parametrize("value", ["1,5", "1_0", "", ".", "nan", "0x1", False, None, ITEM])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        float_of(value)


@pytest.mark.parametrize(
    ("value", "truth"),
    [("YES", True), ("no", False), ("Y", True), ("N ", False), ("true", True), (IS("1"), True),
     (0, False), (True, True)],
)  # fmt: skip
def test_truth_values_are_read(value: Any, truth: bool) -> None:
    assert bool_of(value) is truth


@pytest.mark.parametrize("value", ["U", "", "2", None, ITEM, Sequence([ITEM]), ["YES", "NO"]])
def test_what_is_neither_yes_nor_no_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="neither YES nor NO"):
        bool_of(value)
