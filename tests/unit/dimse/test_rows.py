import struct
import warnings
from dataclasses import dataclass
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.charset import convert_encodings, decode_bytes, encode_string
from pydicom.datadict import DicomDictionary, dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR, STR_VR
from pynetdicom.dsutils import encode

from pacsfw.dicom.vr import NUMBERS
from pacsfw.dimse import rows
from pacsfw.testing import awkward_studies, make_studies

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
LONG = {"OB", "OD", "OF", "OL", "OW", "OV", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
UNDEFINED = 0xFFFFFFFF
BINARY = {"AT", "OB", "OD", "OF", "OL", "OW", "OV"}
CHARSETS = {
    "": "Aé ",
    "ISO_IR 100": "Müller",
    "ISO_IR 144": "Люк",
    "ISO_IR 166": "นามสกุล",
    "ISO_IR 192": "山田Äß✓",
    "GB18030": "王小东乗",
    "GBK": "王小东乗",
    "ISO_IR 13": "ﾔﾏﾀﾞ",
    "\\ISO 2022 IR 87": "山田太郎A",
    "ISO 2022 IR 13\\ISO 2022 IR 87": "ﾔﾏﾀﾞ山田",
    "\\ISO 2022 IR 149": "김희중Hong",
    "\\ISO 2022 IR 58": "王小东Wang",
    "ISO 2022 IR 100\\ISO 2022 IR 144": "MüЛюк",
}


# --- data sets, written by hand ------------------------------------------------------------


@dataclass(frozen=True)
class Element:
    """An element; a sequence has items, everything else has a value."""

    tag: int
    vr: str
    value: bytes = b""
    items: tuple[tuple["Element", ...], ...] = ()
    undefined: bool = False


def element(keyword: str, value: bytes | str) -> Element:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return Element(tag, dictionary_VR(tag), value.encode() if isinstance(value, str) else value)


def encoded(elements: tuple[Element, ...], *, implicit: bool) -> bytes:
    return b"".join(_encoded(one, implicit) for one in elements)


def _encoded(one: Element, implicit: bool) -> bytes:
    if one.vr == "SQ":
        value = b"".join(_item(item, implicit, one.undefined) for item in one.items)
        value += _delimiter(0xE0DD) if one.undefined else b""
    else:
        value = one.value + b"\0" * (len(one.value) % 2)
    length = UNDEFINED if one.undefined else len(value)
    tag = struct.pack("<HH", one.tag >> 16, one.tag & 0xFFFF)
    if implicit:
        return tag + struct.pack("<L", length) + value
    if one.vr in LONG:
        return tag + one.vr.encode() + struct.pack("<HL", 0, length) + value
    return tag + one.vr.encode() + struct.pack("<H", length) + value


def _item(elements: tuple[Element, ...], implicit: bool, undefined: bool) -> bytes:
    content = encoded(elements, implicit=implicit)
    if undefined:
        return struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED) + content + _delimiter(0xE00D)
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content


def _delimiter(element: int) -> bytes:
    return struct.pack("<HHL", 0xFFFE, element, 0)


# --- the same, read by pydicom -------------------------------------------------------------


def by_pydicom(data: bytes, *, implicit: bool) -> dict[str, str]:
    dataset = read_dataset(BytesIO(data), implicit, True, bytelength=len(data))
    raw = dataset.get_item("SpecificCharacterSet")
    declared = _text(raw, []) if isinstance(raw, RawDataElement) else None
    encodings = convert_encodings((declared or "").split("\\"))
    found = {}
    for tag in dataset.keys():  # noqa: SIM118 - iterating a data set converts its values
        raw = dataset.get_item(tag)
        if not keyword_for_tag(tag) or raw is None:
            continue
        if isinstance(raw, RawDataElement):
            text = _text(raw, encodings)
        else:  # a sequence, or without a value
            text = "" if raw.VR in STR_VR or raw.VR in NUMBERS else None
        if text is not None:
            found[keyword_for_tag(tag)] = text
    return found


def _text(raw: RawDataElement, encodings: list[str]) -> str | None:
    vr = str(raw.VR or "UN")
    if vr == "UN":
        vr = str(dictionary_VR(raw.tag))
    value = raw.value or b""
    if vr in NUMBERS:
        size = struct.calcsize("<" + NUMBERS[vr])
        numbers = struct.iter_unpack("<" + NUMBERS[vr], value[: len(value) // size * size])
        return "\\".join(str(number) for (number,) in numbers)
    if vr not in STR_VR:
        return None
    if vr in CUSTOMIZABLE_CHARSET_VR:
        text = decode_bytes(value, encodings, set(b"\t\n\f\r^=\\"))
    else:
        text = value.decode("latin-1")
    if vr in {"ST", "LT", "UT", "UR"}:
        return text.rstrip(" \0")
    return "\\".join(part.strip(" \0") for part in text.split("\\"))


# --- and made at random --------------------------------------------------------------------

PUBLIC = sorted(
    tag
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items()
    if keyword and len(vr) == 2 and 0x00080000 < tag < 0xFFFE0000 and tag != 0x00080005
)


def values(vr: str, charset: str) -> st.SearchStrategy[bytes]:
    if vr in NUMBERS or vr in BINARY:
        return st.binary(max_size=20)
    letters = CHARSETS[charset] if vr in CUSTOMIZABLE_CHARSET_VR else ""
    texts = st.text(st.sampled_from(letters + "Ab9^=\\ \0."), max_size=12)
    encodings = convert_encodings(charset.split("\\"))
    return texts.map(lambda text: encode_string(text, encodings)) | st.binary(max_size=12)


def without_gb2312(texts: dict[str, str]) -> dict[str, str]:
    parts = {key: text.replace("\x1b$)A", "").split("\\") for key, text in texts.items()}
    return {key: "\\".join(each.strip(" \0") for each in parts[key]) for key in parts}


@st.composite
def elements(draw: st.DrawFn, charset: str, depth: int = 0) -> tuple[Element, ...]:
    tags = draw(st.sets(st.sampled_from(PUBLIC), max_size=8 if not depth else 3))
    tags |= {tag | 0x10000 for tag in draw(st.sets(st.sampled_from(PUBLIC), max_size=1))}
    made = []
    for tag in sorted(tags):
        vr = "LO" if tag & 0x10000 else dictionary_VR(tag)
        if vr == "SQ":
            inner = elements(charset, depth + 1)
            items = draw(st.lists(inner, max_size=2)) if depth < 3 else []
            made.append(Element(tag, vr, b"", tuple(items), draw(st.booleans())))
        else:
            made.append(Element(tag, vr, draw(values(vr, charset))))
    if charset and not depth:
        made.append(element("SpecificCharacterSet", charset))
    return tuple(sorted(made, key=lambda one: one.tag))


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("implicit", [True, False])
def test_data_sets_read_as_pydicom_reads_them(implicit: bool, charset: str) -> None:
    @settings(max_examples=25, deadline=None)
    @given(elements(charset))
    def check(made: tuple[Element, ...]) -> None:
        data = encoded(made, implicit=implicit)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = by_pydicom(data, implicit=implicit)
        found = rows.read(data, IMPLICIT if implicit else EXPLICIT)
        if "IR 58" in charset:  # pydicom leaves its escape sequence in the text
            found, expected = without_gb2312(found), without_gb2312(expected)
        assert found == expected

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_are_read_or_refused_without_a_word_of_them(data: bytes, implicit: bool) -> None:
    found, refusal = outcome(data, IMPLICIT if implicit else EXPLICIT)
    assert all(isinstance(text, str) for text in found.values())
    assert not refusal or refusal.startswith("malformed data set: ")


def outcome(data: bytes, syntax: str) -> tuple[dict[str, str], str]:
    """What was read, or how it was refused."""
    try:
        return rows.read(data, syntax), ""
    except ValueError as error:
        return {}, str(error)


# --- what may come -------------------------------------------------------------------------

NESTED = Element(
    tag_for_keyword("ProcedureCodeSequence") or 0,
    "SQ",
    b"",
    (
        (
            element("CodeValue", "X"),
            Element(
                tag_for_keyword("PurposeOfReferenceCodeSequence") or 0,
                "SQ",
                b"",
                ((element("CodeValue", "Y"),), ()),
                undefined=True,
            ),
        ),
    ),
    undefined=True,
)


@pytest.mark.parametrize("implicit", [True, False])
def test_a_data_set_that_is_cut_short_is_refused_unless_it_ends_between_elements(
    implicit: bool,
) -> None:
    made = (element("PatientID", "CANARY"), NESTED, element("StudyInstanceUID", "1.22"))
    data = encoded(made, implicit=implicit)
    syntax = IMPLICIT if implicit else EXPLICIT
    whole = {"PatientID": "CANARY", "StudyInstanceUID": "1.22"}
    outcomes = [outcome(data[:end], syntax) for end in range(len(data) + 1)]
    assert outcomes[-1] == (whole, "")
    assert sum(not refusal for _, refusal in outcomes) == len(made) + 1
    assert all(found.items() <= whole.items() for found, _ in outcomes)
    assert not any("CANARY" in refusal for _, refusal in outcomes)


def test_an_unknown_sequence_is_implicit_inside() -> None:
    inner = encoded((NESTED, element("PatientID", "9")), implicit=True)
    item = struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED) + inner + _delimiter(0xE00D)
    unknown = struct.pack("<HH2sHL", 0x0009, 0x1001, b"UN", 0, UNDEFINED)
    data = (
        unknown + item + _delimiter(0xE0DD) + encoded((element("Modality", "CT"),), implicit=False)
    )
    assert rows.read(data, EXPLICIT) == {"Modality": "CT"}


def test_unknown_value_representations_are_taken_from_the_dictionary() -> None:
    tag = tag_for_keyword("PatientID")
    data = encoded((Element(tag or 0, "UN", b"A "),), implicit=False)
    assert rows.read(data, EXPLICIT) == {"PatientID": "A"}


def test_the_first_of_two_equal_elements_counts() -> None:
    data = encoded((element("PatientID", "A"), element("PatientID", "B")), implicit=True)

    assert rows.read(data, IMPLICIT) == {"PatientID": "A"}


@pytest.mark.parametrize("implicit", [True, False])
def test_a_row_in_the_other_transfer_syntax_is_read(implicit: bool) -> None:
    data = encoded(
        (element("PatientID", "A"), element("StudyInstanceUID", "1.2")), implicit=implicit
    )

    agreed = EXPLICIT if implicit else IMPLICIT
    assert rows.read_as_sent(data, agreed) == ({"PatientID": "A", "StudyInstanceUID": "1.2"}, True)
    other = IMPLICIT if implicit else EXPLICIT
    assert rows.read_as_sent(data, other)[1] is False


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (_delimiter(0xE00D), "an item outside a sequence"),
        (
            struct.pack("<HHL", 0x0008, 0x1032, UNDEFINED) + bytes(8),
            "a sequence contains an element that is not an item",
        ),
        (
            b"".join(
                struct.pack("<HHLHHL", 0x0008, 0x1032, UNDEFINED, 0xFFFE, 0xE000, UNDEFINED)
                for _ in range(100_000)
            ),
            "nested too deeply",
        ),
    ],
)
def test_malformed_data_sets_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rows.read(data, IMPLICIT)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (encoded((element("PatientID", "A"),), implicit=True), "without a value representation"),
        (
            struct.pack("<HH2sHL", 0x0010, 0x4000, b"UT", 0, UNDEFINED) + _delimiter(0xE0DD),
            "undefined length that is not a sequence",
        ),
    ],
)
def test_malformed_explicit_data_sets_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rows.read(data, EXPLICIT)


@pytest.mark.parametrize(
    ("value", "undeclared", "text"),
    [
        ("Müller".encode("latin-1"), "", "Müller"),
        ("Müller".encode(), "ISO_IR 192", "Müller"),
        ("Müller".encode("latin-1"), "ISO_IR 192", "Müller"),
        ("Люк".encode("iso8859_5"), "ISO_IR 144", "Люк"),
        (b"\x1b$B;3ED\x1b(B", "\\ISO 2022 IR 87", "山田"),
        ("Müller".encode("latin-1"), "no such set", "Müller"),
    ],
)
@pytest.mark.parametrize("declared", [None, "", "ISO_IR 6"])
def test_text_of_an_undeclared_character_set(value, undeclared, text, declared) -> None:
    made = (element("PatientName", value),)
    if declared is not None:
        made = (element("SpecificCharacterSet", declared), *made)
    data = encoded(made, implicit=True)
    assert rows.read(data, IMPLICIT, undeclared)["PatientName"] == text


@pytest.mark.parametrize("declared", ["ISO_IR 999", "rot13", "idna", "UTF-8", "ISO-IR 100"])
def test_a_character_set_that_is_misspelt_or_unknown_is_no_error(declared: str) -> None:
    value = "Müller".encode("utf-8" if declared == "UTF-8" else "latin-1")
    made = (element("SpecificCharacterSet", declared), element("PatientName", value))
    found = rows.read(encoded(made, implicit=True), IMPLICIT, "ISO_IR 144")
    assert found["PatientName"] == "Müller"


def test_the_character_set_may_come_last() -> None:
    made = (element("PatientName", "山田"), element("SpecificCharacterSet", "ISO_IR 192"))
    assert rows.read(encoded(made, implicit=True), IMPLICIT)["PatientName"] == "山田"


def test_text_that_is_not_of_its_character_set_shows_it() -> None:
    made = (element("SpecificCharacterSet", "ISO_IR 192"), element("PatientName", b"M\xfcller"))
    assert rows.read(encoded(made, implicit=True), IMPLICIT)["PatientName"] == "M\ufffdller"


def test_a_backslash_inside_a_character_separates_no_values() -> None:
    value = " 乗\\B ".encode("gb18030")
    assert value.count(b"\\") == 2
    made = (element("SpecificCharacterSet", "GB18030"), element("PatientID", value))
    assert rows.read(encoded(made, implicit=True), IMPLICIT)["PatientID"] == "乗\\B"


def test_values_are_stripped_and_joined() -> None:
    dataset = Dataset()
    dataset.ModalitiesInStudy = ["CT", "SR"]
    dataset.PatientID = " A \0"
    dataset.NumberOfStudyRelatedInstances = "12"
    dataset.Rows = 512
    dataset.add_new(0x00191001, "LO", "private")
    dataset.add_new(0x60020022, "LO", "of a repeating group")
    dataset.ProcedureCodeSequence = []
    data = encode(dataset, False, True)
    assert data is not None
    assert rows.read(data, EXPLICIT) == {
        "ModalitiesInStudy": "CT\\SR",
        "PatientID": "A",
        "NumberOfStudyRelatedInstances": "12",
        "Rows": "512",
    }


def test_invalid_values_are_read_without_a_word() -> None:
    assert rows.read(encoded((element("StudyDate", "Doe^John"),), implicit=True), IMPLICIT) == {
        "StudyDate": "Doe^John"
    }


@pytest.mark.parametrize("what", ["japanese, iso 2022", "japanese, utf-8"])
def test_answers_in_other_scripts_are_read(what: str) -> None:
    study = awkward_studies()[what]
    data = encode(next(study.datasets()), True, True)
    assert data is not None
    found = rows.read(data, IMPLICIT)
    assert (found["PatientName"], found["PatientID"]) == (study.patient_name, study.patient_id)


def test_synthetic_studies_read_as_they_were_written() -> None:
    study = make_studies(8)[6]
    data = encode(next(study.datasets()), False, True)
    assert data is not None
    found = rows.read(data, EXPLICIT)
    assert found["PatientName"] == study.patient_name
    assert found["StudyDate"] == study.study_date
    assert "PixelData" not in found
