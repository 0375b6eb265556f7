"""Every value representation becomes a natural value of the column's type, or says why not."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from pacsfw.api import ColumnType
from pacsfw.dicom.charset import decoder, text
from pacsfw.dicom.elements import Leaf
from pacsfw.dicom.natural import Undecodable, is_nothing, natural
from pacsfw.steps.tags.raw import raw_text
from pacsfw.steps.tags.typed import typed


def made(vr: str, value: bytes, kind: ColumnType, charset: bytes = b"", little: bool = True) -> Any:
    values = natural(vr, value, little, decoder(charset))
    return None if is_nothing(values) else typed(values, kind, vr)


@pytest.mark.parametrize(
    ("vr", "value", "kind", "cell"),
    [
        ("LO", b" Chest \0", "text", "Chest"),
        ("LO", b"A\\ B \\", "text", "A\\B\\"),
        ("LO", b"A\\ B \\", "texts", ["A", "B", None]),
        ("LO", b"one", "texts", ["one"]),
        ("LO", b"old\0garbage", "text", "old garbage"),
        ("LO", b"  \0", "text", None),
        ("LT", b"  indented\\text \0", "text", "  indented\\text"),
        ("UC", b" x \\y", "texts", [" x", "y"]),
        ("UI", b"1.2.3\0", "text", "1.2.3"),
        ("PN", b"Doe^Jane^^ ", "text", "Doe^Jane^^"),
        ("DS", b"1.50 ", "text", "1.50"),
        ("DS", b" 1.50\0", "float", 1.5),
        ("DS", b"1.0E-3", "float", 0.001),
        ("DS", b"0.5\\0.25 ", "floats", [0.5, 0.25]),
        ("DS", b"12.0", "int", 12),
        ("IS", b"+7 ", "int", 7),
        ("IS", b"-0012", "int", -12),
        ("IS", b"1\\\\3", "ints", [1, None, 3]),
        ("IS", b"5.0", "int", 5),
        ("IS", b"7", "float", 7.0),
        ("US", b"\x00\x02", "int", 512),
        ("US", b"\x00\x02\x01\x00", "text", "512\\1"),
        ("SS", b"\xff\xff", "int", -1),
        ("SV", struct.pack("<q", -(2**40)), "int", -(2**40)),
        ("FL", struct.pack("<f", 0.5), "float", 0.5),
        ("FD", struct.pack("<2d", 0.1, 2), "floats", [0.1, 2.0]),
        ("AT", b"\x18\x00\x63\x10", "text", "(0018,1063)"),
        ("AS", b"018M", "float", 1.5),
        ("AS", b"45y ", "float", 45.0),
        ("AS", b"045Y", "int", 45),
        ("AS", b"045Y", "text", "045Y"),
        ("DA", b"20200229", "date", date(2020, 2, 29)),
        ("DA", b"2020.02.29", "date", date(2020, 2, 29)),
        ("DA", b"2020-02-29", "date", date(2020, 2, 29)),
        ("DA", b"2020/02/29 ", "datetime", datetime(2020, 2, 29)),
        ("DT", b"202002", "datetime", datetime(2020, 2, 1)),
        ("DT", b"20200229101112+0000", "datetime", datetime(2020, 2, 29, 10, 11, 12, 0, UTC)),
        ("DT", b"20200229101112.1234567", "datetime", datetime(2020, 2, 29, 10, 11, 12, 123456)),
        ("DT", b"20200229101112", "date", date(2020, 2, 29)),
        ("DT", b"20200229101112", "time", time(10, 11, 12)),
        ("TM", b"07", "time", time(7)),
        ("TM", b"0709", "time", time(7, 9)),
        ("TM", b"07:09:05.25", "time", time(7, 9, 5, 250000)),
        ("TM", b"070905.", "time", time(7, 9, 5)),
        ("TM", b"070905.1234567", "time", time(7, 9, 5, 123456)),
        ("TM", b"235960", "time", time(23, 59, 59, 999999)),
        ("TM", b"0130", "duration", timedelta(hours=1, minutes=30)),
        ("CS", b"YES ", "bool", True),
        ("CS", b"N", "bool", False),
        ("LO", b"20200102", "date", date(2020, 1, 2)),
    ],
)  # fmt: skip
def test_a_value_becomes_a_cell(vr: str, value: bytes, kind: ColumnType, cell: Any) -> None:
    found = made(vr, value, kind)
    assert found == cell
    assert type(found) is type(cell)


@pytest.mark.parametrize(
    ("vr", "value", "kind", "stage", "words"),
    [
        ("US", b"\1\2\3", "int", "decode", "3 bytes are not a multiple of the size of VR US"),
        ("OB", b"\1\2", "text", "decode", "a binary value (VR OB): type json holds it in base64"),
        ("UN", b"\1\2", "text", "decode", "a binary value (VR UN)"),
        ("DS", b"1,5", "float", "type", "is not a number"),
        ("DS", b"nan", "float", "type", "is not a number"),
        ("DS", b"1_0", "float", "type", "is not a number"),
        ("IS", b"1.5", "int", "type", "is not an integer"),
        ("IS", b"abc", "int", "type", "is not an integer"),
        ("DS", b"1\\2\\3", "float", "type", "3 values: choose one with an index, or a list type"),
        ("DA", b"20201345", "date", "type", "no such day"),
        ("DA", b"00000000", "date", "type", "no such day"),
        ("DA", b"2020", "date", "type", "not a DICOM date (DA)"),
        ("DA", b"20200102101112", "datetime", "type", "not a DICOM date (DA)"),
        ("TM", b"2561", "time", "type", "not a DICOM time (TM)"),
        ("US", b"\1\0", "date", "type", "a number is not a date or time"),
        ("AS", b"045", "float", "type", "not a DICOM age (AS)"),
        ("CS", b"PERHAPS", "bool", "type", "is neither YES nor NO"),
    ],
)
def test_what_does_not_fit_says_why_and_quotes_nothing(
    vr: str, value: bytes, kind: ColumnType, stage: str, words: str
) -> None:
    with pytest.raises(ValueError) as caught:
        made(vr, value, kind)
    assert words in str(caught.value)
    assert isinstance(caught.value, Undecodable) == (stage == "decode")
    assert value.decode("latin-1") not in str(caught.value)


def test_numbers_in_big_endian() -> None:
    assert made("US", b"\x02\x00", "int", little=False) == 512
    assert made("AT", b"\x00\x18\x10\x63", "text", little=False) == "(0018,1063)"


# The examples are those of PS3.5 annexes H to K.
@pytest.mark.parametrize(
    ("charset", "value", "text"),
    [
        (b"ISO_IR 100", b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
        (b"ISO_IR 144", "Люксембург".encode("iso8859-5"), "Люксембург"),
        (b"ISO_IR 127", b"\xe2\xc8\xc7\xe6\xea", "قباني"),
        (b"ISO_IR 13", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
        (
            b"\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
            "Yamada^Tarou=山田^太郎",
        ),
        (
            b"\\ISO 2022 IR 149",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7",
            "Hong^Gildong=洪^吉洞",
        ),
        (b"ISO_IR 192", "Wang^XiaoDong=王^小东".encode(), "Wang^XiaoDong=王^小东"),
        (b"GB18030", "Wang^XiaoDong=王^小东".encode("gb18030"), "Wang^XiaoDong=王^小东"),
        (
            b"\\ISO 2022 IR 58",
            b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
            "Zhang^XiaoDong=张^小东=",
        ),
        (
            b"ISO 2022 IR 100\\ISO 2022 IR 58",
            b"M\xfcller^\x1b$)A\xd0\xa1\xb6\xab^\xfc",
            "Müller^小东^ü",
        ),
        (b"ISO 2022 IR 6\\ISO 2022 IR 58", b"1.\x1b$)A\xb5\xda\xd2\xbb", "1.第一"),
        (b"", b"M\xfcller", "Müller"),
        (b"ISO_IR 6", b"M\xfcller", "Müller"),
    ],
)
def test_text_is_read_in_its_character_set(charset: bytes, value: bytes, text: str) -> None:
    assert made("PN", value, "text", charset) == text


def test_other_than_text_is_of_the_default_repertoire() -> None:
    with pytest.raises(Undecodable, match="bytes beyond ASCII, which VR CS must not have"):
        made("CS", b"\xc3\x9c", "text", b"ISO_IR 192")


@pytest.mark.parametrize(
    ("charset", "value", "words"),
    [
        (b"ISO_IR 192", b"M\xfcller", "bytes that are not in its character set, ISO_IR 192"),
        (
            b"\\ISO 2022 IR 149",
            b"\x1b$)C" + "홍".encode("euc_kr") + b"^" + "길동".encode("euc_kr"),
            "bytes that are not in its character set",
        ),
        (b"ISO_IR 149", b"M\xfcller", "its character set is not a DICOM character set"),
    ],
)
def test_text_that_cannot_be_read_is_no_text(charset: bytes, value: bytes, words: str) -> None:
    with pytest.raises(Undecodable, match=words):
        made("LO", value, "text", charset)
    assert made("LO", b"Mueller", "text", charset) == "Mueller"


def test_a_character_set_for_objects_that_declare_none() -> None:
    cyrillic = "Иванов".encode("iso8859-5")
    assert decoder(b"", "ISO_IR 144")(cyrillic) == "Иванов"
    assert decoder(b"ISO_IR 6", "ISO_IR 144")(cyrillic) == "Иванов"
    assert decoder(b"ISO_IR 100", "ISO_IR 144")(b"\xfc") == "ü"
    with pytest.raises(ValueError, match="not in its character set, ISO_IR 192"):
        decoder(b"", "ISO_IR 192")(cyrillic)


@pytest.mark.parametrize(
    ("vr", "value", "charset", "raw"),
    [
        ("LO", b" Chest \0", b"", " Chest \\x00"),
        ("PN", b"M\xfcller ", b"ISO_IR 100", "Müller "),
        ("PN", b"M\xfcller", b"ISO_IR 192", "M\\xfcller"),
        ("LO", b"a\x1b[31mb\nc", b"", "a\\x1b[31mb\nc"),
        ("DS", b"1,5 ", b"", "1,5 "),
        ("US", b"\1\2\3", b"", "010203"),
    ],
)
def test_the_raw_value_is_what_is_in_the_object(
    vr: str, value: bytes, charset: bytes, raw: str
) -> None:
    assert raw_text([Leaf(vr, value, charset, True)], "") == raw


def test_raw_values_of_several_items() -> None:
    leaf = Leaf("LO", b"a ", b"", True)
    assert raw_text([leaf, None, leaf], "") == "a \\\\a "
    assert raw_text([], "") is None


@pytest.mark.parametrize("declared", ["ISO\0_IR 100", "ISO_IR 100\0\\ISO_IR 192", "\0"])
def test_a_nul_in_the_name_of_a_character_set_stops_nothing(declared: str) -> None:
    assert text(b"M\xfcller", declared) == "M\xfcller"
    assert decoder(declared.encode())(b"Mueller") == "Mueller"
