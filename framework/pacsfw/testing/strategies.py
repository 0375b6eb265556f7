"""Hypothesis strategies for instances of bad senders (requires hypothesis).

`whole_files` have a valid structure and hostile values; `damaged_files` also have a broken
structure. Write the bytes to a file and read it as pacsfw does::

    @given(content=strategies.whole_files())
    def test_any_header_has_a_place(content):
        path.write_bytes(content)
        target(root, my_layout(read_header(path)))
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from hypothesis import strategies as st

from pacsfw.dicom.part10 import file_head
from pacsfw.testing.synthetic import EXPLICIT_LE, SOP_CLASSES

UIDS = {"StudyInstanceUID": 0x0020000D, "SeriesInstanceUID": 0x0020000E}
_CHARSET, _SOP_CLASS, _SOP_INSTANCE = 0x00080005, 0x00080016, 0x00080018
_SEQUENCE = 0x00400275  # RequestAttributesSequence
_LONG = frozenset({"OB", "OW", "SQ", "UN", "UT"})

ELEMENTS = {
    _CHARSET: "CS",
    0x00080020: "DA",
    0x00080030: "TM",
    0x00080050: "SH",
    0x00080060: "CS",
    0x00080070: "LO",
    0x00081030: "LO",
    0x00100010: "PN",
    0x00100020: "LO",
    0x00100030: "DA",
    0x00101010: "AS",
    0x00180050: "DS",
    0x00200011: "IS",
    0x00200013: "IS",
    0x00204000: "LT",
    0x00280010: "US",
    0x00280030: "DS",
}
"""The elements with hostile values: tag and VR."""

HOSTILE = (
    *(b"", b" ", b"\0\0", b"../../x", b"/etc/passwd", b"..", b"CON", b"a\\b", b"a/b"),
    *(b"=1+1", b"%s%n", b"\x1b$B", b"\x1b[31m", b"\xff\xfe", b"\xc3\xa9", b"\r\n", b"A" * 300),
    *(b"20209999", b"2020.01.31", b"256199", b"1,5", b"1e400", b"-0", b"^", b"===", b"\\\\\\"),
)


def values(vr: str) -> st.SearchStrategy[bytes]:
    """Return encoded values of a VR, valid and invalid, of even length."""
    some = st.one_of(st.sampled_from(HOSTILE), st.binary(max_size=70))
    return st.one_of(some, _legal(vr)).map(_padded)


def whole_files() -> st.SearchStrategy[bytes]:
    """Return Part 10 files (Explicit VR Little Endian) with a valid structure, no pixels."""
    return st.builds(_file, uids=_uids(), elements=_elements(), items=st.lists(_elements()))


def damaged_files() -> st.SearchStrategy[bytes]:
    """Return `whole_files` that were truncated, changed or enlarged somewhere."""
    return whole_files().flatmap(_damaged)


def _legal(vr: str) -> st.SearchStrategy[bytes]:
    texts = {
        "DA": st.dates().map(lambda day: f"{day:%Y%m%d}"),
        "TM": st.times().map(lambda time: f"{time:%H%M%S.%f}"),
        "AS": st.integers(0, 999).map(lambda age: f"{age:03}Y"),
        "DS": st.floats(allow_nan=False, allow_infinity=False).map(lambda number: f"{number:.8g}"),
        "IS": st.integers(-(2**31), 2**31 - 1).map(str),
        "PN": st.text(max_size=60).map(lambda name: f"{name}^X"),
    }
    if vr == "US":
        return st.integers(0, 0xFFFF).map(lambda number: struct.pack("<H", number))
    text = texts.get(vr, st.text(max_size=60))
    return text.map(lambda value: value.encode("utf-8", "replace"))


def _uids() -> st.SearchStrategy[list[str]]:
    uid = st.integers(1, 2**100).map(lambda number: f"2.25.{number}")
    return st.lists(uid, min_size=3, max_size=3, unique=True)


def _elements() -> st.SearchStrategy[dict[int, bytes]]:
    some = {tag: values(vr) for tag, vr in ELEMENTS.items()}
    # pydicom refuses data sets with a NUL in the name of their character set (ValueError).
    some[_CHARSET] = some[_CHARSET].map(lambda value: value.replace(b"\0", b" "))
    return st.fixed_dictionaries({}, optional=some)


def _file(uids: list[str], elements: dict[int, bytes], items: list[dict[int, bytes]]) -> bytes:
    study, series, instance = uids
    sop_class = SOP_CLASSES["OT"]
    encoded = {tag: _element(tag, ELEMENTS[tag], value) for tag, value in elements.items()}
    for tag, uid in (
        (_SOP_CLASS, sop_class),
        (_SOP_INSTANCE, instance),
        (UIDS["StudyInstanceUID"], study),
        (UIDS["SeriesInstanceUID"], series),
    ):
        encoded[tag] = _element(tag, "UI", _padded(uid.encode(), b"\0"))
    encoded[_SEQUENCE] = _element(_SEQUENCE, "SQ", b"".join(map(_item, items)))
    body = b"".join(encoded[tag] for tag in sorted(encoded))
    return file_head(sop_class, instance, EXPLICIT_LE, "HOSTILE") + body


def _item(elements: dict[int, bytes]) -> bytes:
    body = b"".join(_element(tag, ELEMENTS[tag], elements[tag]) for tag in sorted(elements))
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body


def _element(tag: int, vr: str, value: bytes) -> bytes:
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    if vr in _LONG:
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def _padded(value: bytes, padding: bytes = b" ") -> bytes:
    return value + padding * (len(value) % 2)


def _damaged(content: bytes) -> st.SearchStrategy[bytes]:
    where = st.integers(132, len(content) - 1)
    damages: dict[str, Callable[[int, bytes], bytes]] = {
        "cut": lambda at, _: content[:at],
        "changed": lambda at, noise: content[:at] + noise + content[at + len(noise) :],
        "enlarged": lambda at, noise: content[:at] + noise + content[at:],
    }
    noise = st.one_of(st.just(b"\xff\xff\xff\xff"), st.binary(min_size=1, max_size=8))
    return st.builds(
        lambda how, at, noise: damages[how](at, noise),
        st.sampled_from(sorted(damages)),
        where,
        noise,
    )
