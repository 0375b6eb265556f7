import struct
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacsfw.dicom.part10 import MAX_FILE_META, file_head, read_file_meta

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
PATIENT_ID = struct.pack("<HH2sH", 0x10, 0x20, b"LO", 4) + b"ANON"


def written(folder: Path, data: bytes) -> Path:
    path = folder / "a.dcm"
    path.write_bytes(data)
    return path


def test_what_file_head_writes_read_file_meta_reads(tmp_path: Path) -> None:
    head = file_head(CT, "1.2.3", EXPLICIT, "SENDER")
    meta = read_file_meta(written(tmp_path, head + PATIENT_ID))
    assert (meta.sop_class, meta.sop_uid, meta.syntax) == (CT, "1.2.3", EXPLICIT)
    assert meta.source_aet == "SENDER"
    assert meta.offset_of_dataset == len(head)


def test_the_preamble_is_zero_and_the_head_has_even_length() -> None:
    head = file_head(CT, "1.2.3", EXPLICIT, "ODD")
    assert head[:132] == b"\0" * 128 + b"DICM"
    assert len(head) % 2 == 0


@given(
    st.text("0123456789.", max_size=70),
    st.text(st.characters(max_codepoint=255, exclude_characters=" \0"), max_size=16),
)
def test_any_latin1_text_comes_back(uid: str, aet: str) -> None:
    head = file_head(CT, uid, EXPLICIT, aet)
    with tempfile.TemporaryFile() as file:
        file.write(head)
        file.flush()
        meta = read_file_meta(file.fileno())
    assert (meta.sop_uid, meta.source_aet) == (uid, aet)


def test_text_beyond_latin1_is_refused() -> None:
    with pytest.raises(ValueError, match="0002,0016"):
        file_head(CT, "1.2.3", EXPLICIT, "山")


def test_a_descriptor_is_read_without_moving_it(tmp_path: Path) -> None:
    path = written(tmp_path, file_head(CT, "1.2.3", EXPLICIT, "") + PATIENT_ID)
    with path.open("rb") as file:
        assert read_file_meta(file.fileno()).sop_uid == "1.2.3"
        assert file.tell() == 0


def test_every_cut_inside_the_head_is_an_error(tmp_path: Path) -> None:
    head = file_head(CT, "1.2.3", EXPLICIT, "SENDER")
    for length in range(len(head)):
        with pytest.raises(ValueError):
            read_file_meta(written(tmp_path, head[:length]))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no DICM prefix"),
        (b"<html>" * 50, "no DICM prefix"),
        (b"\0" * 128 + b"DICM", "no transfer syntax"),
        (b"\0" * 128 + b"DICM" + b"\2\0\x02\0ZZ\x04\0abcd", "impossible VR"),
        (
            b"\0" * 128 + b"DICM" + b"\2\0\x02\0OB\0\0" + struct.pack("<L", 0xFFFFFFFE),
            "too long",
        ),
        (b"\0" * 128 + b"DICM" + b"\2\0\x02\0UI\x02\x0012" * 2, "occurs twice"),
    ],
)
def test_damage_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_file_meta(written(tmp_path, data))


def test_a_wrong_group_length_is_an_error(tmp_path: Path) -> None:
    head = bytearray(file_head(CT, "1.2.3", EXPLICIT, ""))
    head[140] ^= 2
    with pytest.raises(ValueError, match="group length"):
        read_file_meta(written(tmp_path, bytes(head) + PATIENT_ID))


def test_a_long_file_meta_is_read_and_an_endless_one_refused(tmp_path: Path) -> None:
    def with_private(length: int) -> bytes:
        private = struct.pack("<HH2sHL", 2, 0x0102, b"OB", 0, length) + bytes(length)
        body = b"\2\0\x10\0UI\x14\0" + EXPLICIT.encode() + b"\0" + private
        return b"\0" * 128 + b"DICM" + body

    data = with_private(100_000)
    assert read_file_meta(written(tmp_path, data + PATIENT_ID)).offset_of_dataset == len(data)
    with pytest.raises(ValueError, match="too long"):
        read_file_meta(written(tmp_path, with_private(MAX_FILE_META)))


def test_dcmtk_reads_what_we_write(tmp_path: Path) -> None:
    path = written(tmp_path, file_head(CT, "1.2.3", EXPLICIT, "SENDER") + PATIENT_ID)
    dump = subprocess.run(
        ["dcmdump", "+L", str(path)], capture_output=True, text=True, check=True
    ).stdout
    assert "(0002,0003) UI [1.2.3]" in dump
    assert "(0002,0016) AE [SENDER]" in dump
    assert "(0010,0020) LO [ANON]" in dump


@pytest.mark.parametrize("data", [b"\2\0\x85\x92ZZ\4\0abcd", b"\2\0\x10\0UI\2\x001\0", b"\2\0"])
def test_a_data_set_that_begins_like_file_meta_is_not_taken_for_it(tmp_path, data):
    path = tmp_path / "a.dcm"
    head = file_head("1.2", "1.3", "1.2.840.10008.1.2.1", "SENDER")
    path.write_bytes(head + data)
    assert read_file_meta(path).offset_of_dataset == len(head)
    assert read_file_meta(path).syntax == "1.2.840.10008.1.2.1"
