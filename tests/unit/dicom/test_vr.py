"""The facts of value representations are those of pydicom's tables."""

from __future__ import annotations

import struct

from pydicom.valuerep import (
    ALLOW_BACKSLASH,
    BYTES_VR,
    CUSTOMIZABLE_CHARSET_VR,
    EXPLICIT_VR_LENGTH_16,
    VR,
)

from pacsfw.dicom import vr

EVERY = {str(each) for each in VR if len(each) == 2}


def test_lengths_are_those_of_explicit_vr() -> None:
    assert set(vr.SHORT.values()) == {str(each) for each in EXPLICIT_VR_LENGTH_16}
    assert set(vr.LONG.values()) == EVERY - set(vr.SHORT.values())
    assert all(code == name.encode() for code, name in (vr.SHORT | vr.LONG).items())


def test_binary_values_and_texts_are_told_apart() -> None:
    assert {str(each) for each in BYTES_VR if len(each) == 2} == vr.BINARY
    assert {str(each) for each in CUSTOMIZABLE_CHARSET_VR} == vr.TEXT
    assert {str(each) for each in ALLOW_BACKSLASH & EVERY} - vr.BINARY | {"UR"} == vr.SINGLE_VALUED


def test_numbers_have_the_size_of_their_name() -> None:
    sizes = {name: struct.calcsize(f"<{letter}") for name, letter in vr.NUMBERS.items()}

    assert sizes == {"FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}
