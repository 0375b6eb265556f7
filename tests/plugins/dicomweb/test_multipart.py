import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacsfw_plugins.dicomweb._multipart import Malformed, Truncated, content_type, parts

LENGTHS = st.integers(min_value=1, max_value=40)


def body(*contents: bytes, length: bool = True, boundary: bytes = b"b") -> bytes:
    made = b""
    for content in contents:
        made += b"--" + boundary + b"\r\nContent-Type: application/dicom\r\n"
        made += b"Content-Length: %d\r\n" % len(content) if length else b""
        made += b"\r\n" + content + b"\r\n"
    return made + b"--" + boundary + b"--\r\n"


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def read(data: bytes, size: int = 7, boundary: bytes = b"b", proven: bool = False) -> list[bytes]:
    reading = parts(cut(data, size), boundary, end_is_proven=proven)
    return [b"".join(part.body) for part in reading]


@given(
    st.lists(st.lists(st.sampled_from([b"\r\n--b", b"-", b"\r", b"\n", b"b", b"x"])).map(b"".join)),
    LENGTHS,
)
def test_with_lengths_parts_may_hold_anything(contents: list[bytes], size: int) -> None:
    if contents:
        assert read(body(*contents), size) == contents


@given(st.lists(st.binary(max_size=50), min_size=1), LENGTHS)
def test_without_lengths_parts_reach_to_the_delimiter(contents: list[bytes], size: int) -> None:
    contents = [each.replace(b"\r\n--BOUND", b"") for each in contents]
    assert read(body(*contents, length=False, boundary=b"BOUND"), size, b"BOUND") == contents


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    "data",
    [
        b"\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--",
        b"nothing\r\n--b \t \r\n\r\none\r\n--b\r\nX: y\r\n\r\ntwo\r\n--b--and more",
        b"--b\r\nCONTENT-LENGTH: 3\r\n\r\none\r\n--b\r\ncontent-length: x\r\n\r\ntwo\r\n--b--",
    ],
)
def test_bodies_as_servers_make_them(data: bytes, size: int) -> None:
    assert read(data, size) == [b"one", b"two"]


def test_what_only_begins_like_a_delimiter_is_content() -> None:
    content = b"1\r\n--boundary\r\n--bo\r\n--b-2"
    assert read(body(content, length=False)) == [content]


def test_every_cut_of_a_body_is_noticed_and_keeps_what_is_whole() -> None:
    contents = [b"first", b"second", b"third"]
    for length in (True, False):
        whole = body(*contents, length=length)
        end = whole.rindex(b"--") + 2
        for at in range(end):
            got: list[bytes] = []
            with pytest.raises(Truncated):
                got.extend(b"".join(part.body) for part in parts(cut(whole[:at], 5), b"b"))
            assert got == contents[: len(got)]


@pytest.mark.parametrize("length", [True, False])
def test_the_end_of_a_whole_body_ends_its_last_part(length: bool) -> None:
    whole = body(b"first", b"second", length=length)
    for at in range(whole.rindex(b"second") + 6, len(whole) + 1):
        assert read(whole[:at], 5, proven=True) == [b"first", b"second"]


def test_a_part_that_is_shorter_than_its_content_length_is_cut_even_so() -> None:
    whole = body(b"first", b"second")
    with pytest.raises(Truncated):
        read(whole[: whole.rindex(b"d")], proven=True)


def test_a_whole_body_without_parts_is_malformed() -> None:
    with pytest.raises(Malformed, match="has no parts"):
        read(b"", proven=True)


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("data", "boundary"),
    [
        (b"\n--b\nX: y\n\none\n--b\nX: y\n\ntwo\n--b--\n", b"b"),
        (b"--b\nContent-Length: 3\n\none\n--b\n\ntwo\n--b--", b"b"),
        (b"--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--", b"--b"),
        (b"----b\r\n\r\none\r\n----b\r\n\r\ntwo\r\n----b--", b"--b"),
        (b"\r\n--b:1\r\n\r\none\r\n--b:1\r\n\r\ntwo\r\n--b:1--", b""),
        (b"--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b\r\n", b"b"),
    ],
    ids=["lf", "lf, length", "dashes", "dashes of its own", "no boundary", "closed without dashes"],
)
def test_the_first_delimiter_shows_how_a_server_writes_the_others(
    data: bytes, boundary: bytes, size: int
) -> None:
    assert read(data, size, boundary, proven=True) == [b"one", b"two"]


def test_a_line_end_of_another_kind_is_content() -> None:
    assert read(b"--b\r\n\r\none\n--b\ntwo\r\n--b--") == [b"one\n--b\ntwo"]


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 200_000,
        b"--b\r\n" + b"Header: x\r\n" * 5000 + b"\r\n",
        b"--b\r\nContent-Length: 2\r\n\r\none\r\n--b--",
    ],
)
def test_what_is_not_as_it_should_be_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed, match=r"(begin|headers|Content-Length)"):
        read(data, 1000)


def test_a_part_that_is_not_read_is_skipped() -> None:
    reading = parts([body(b"one", b"two")], b"b")
    next(reading)
    assert b"".join(next(reading).body) == b"two"


@pytest.mark.parametrize(
    ("text", "boundary"),
    [
        ('multipart/related; type="application/dicom"; boundary=a-b', b"a-b"),
        ('Multipart/Related; boundary="a b:c"; type="application/dicom"', b"a b:c"),
        ("multipart/related;boundary=x;type=application/dicom", b"x"),
        ("application/dicom; transfer-syntax=1.2.840.10008.1.2", b""),
    ],
)
def test_the_boundary_may_be_quoted_or_not(text: str, boundary: bytes) -> None:
    assert content_type(text).boundary == boundary


def test_a_boundary_may_be_missing_but_not_endless() -> None:
    kind = content_type("multipart/related; type=application/dicom")
    assert (kind.is_multipart, kind.boundary) == (True, b"")
    with pytest.raises(Malformed):
        content_type(f"multipart/related; boundary={'b' * 300}")
