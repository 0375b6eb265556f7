"""What is sent to a DICOMweb server, and what its JSON becomes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pacsfw.api import Query
from plugins.dicomweb.scripted_web import Asked, Sent, Web, ask, listing, qido, row, serving


def asked_for(query: Query) -> Web:
    with serving(listing(0)) as web, qido(web.url) as asked:
        assert ask(asked, query)[0].complete
    return web


def read(elements: dict[str, Any]) -> tuple[Any, list[dict[str, str]]]:
    """Read one study with these elements beside its UID."""
    everything = [row(1) | elements]

    def answer(asked: Asked) -> Sent:
        return Sent(everything[asked.number("offset") :])

    with serving(answer) as web, qido(web.url) as asked:
        return ask(asked)


# --- the question ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "upper", "path"),
    [
        ("STUDY", {}, "/dicom-web/studies"),
        ("SERIES", {"StudyInstanceUID": "1.2"}, "/dicom-web/studies/1.2/series"),
        (
            "IMAGE",
            {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "3.4"},
            "/dicom-web/studies/1.2/series/3.4/instances",
        ),
    ],
)
def test_each_level_has_its_resource(level: Any, upper: dict[str, str], path: str) -> None:
    (request,) = asked_for(Query(level=level, match=upper | {"Modality": "CT"})).asked
    assert request.path == path
    assert request.query == {"Modality": ["CT"], "limit": ["200"], "offset": ["0"]}
    assert request.headers["Accept"] == "application/dicom+json, application/json;q=0.9"


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (Query(level="PATIENT", match={}), "no search at level PATIENT"),
        (Query(level="SERIES", match={}), "needs a value for StudyInstanceUID"),
        (
            Query(level="IMAGE", match={"StudyInstanceUID": "1.2", "SeriesInstanceUID": "*"}),
            "needs a value for SeriesInstanceUID",
        ),
        (Query(level="SERIES", match={"StudyInstanceUID": "1/../../x"}), "needs a value"),
        (Query(level="STUDY", match={"PatientNmae": "x"}), "'PatientNmae' is not a DICOM keyword"),
        (
            Query(level="STUDY", match={}, returns=("Nonsense",)),
            "'Nonsense' is not a DICOM keyword",
        ),
    ],
)
def test_what_cannot_be_asked_is_an_error(query: Query, why: str) -> None:
    with serving(listing(3)) as web, qido(web.url) as asked:
        with pytest.raises(ValueError, match=why):
            ask(asked, query)
        assert not web.asked


def test_keys_and_fields_stand_in_the_address() -> None:
    match = {
        "StudyDate": "20200101-20200131",
        "PatientID": "A?*",
        "StudyInstanceUID": "1.2\\1.3",
        "AccessionNumber": "",
    }
    query = Query(level="STUDY", match=match, returns=("PatientName", "StudyDate"))
    (request,) = asked_for(query).asked
    assert request.raw == (
        "StudyDate=20200101-20200131&PatientID=A?*&StudyInstanceUID=1.2,1.3"
        "&includefield=PatientName&includefield=StudyDate&includefield=AccessionNumber"
        "&limit=200&offset=0"
    )


def test_other_characters_are_utf8_percent_encoded() -> None:
    name = "Müller & Söhne^山田=+#%"
    *_, request = asked_for(Query(level="STUDY", match={"PatientName": name})).asked
    assert request.raw.startswith("PatientName=M%C3%BCller%20%26%20S%C3%B6hne%5E%E5%B1%B1")
    assert request.query["PatientName"] == [name]


def test_a_server_that_does_not_decode_is_not_asked_what_it_would_misread() -> None:
    def answer(asked: Asked) -> Sent:
        refused = "%" in asked.raw
        return Sent(status=400) if refused else Sent([row(1)][asked.number("offset") :])

    match = {"PatientID": "A B", "StudyDate": "20200101"}
    with serving(answer) as web, qido(web.url) as asked:
        for _ in range(2):
            got, rows = ask(asked, Query(level="STUDY", match=match))
            assert (got.complete, len(rows)) == (True, 1)
            assert got.evidence["keys_not_sent"] == ["PatientID"]
    assert [each.raw.partition("&")[0] for each in web.asked[:3]] == [
        "PatientName=*",
        "PatientName=%2A",
        "StudyDate=20200101",
    ]
    assert len(web.asked) == 2 + 2 * 2


def test_a_server_without_wildcards_is_sent_what_the_standard_says() -> None:
    def answer(asked: Asked) -> Sent:
        return Sent(status=400) if "PatientName" in asked.query else Sent([])

    with serving(answer) as web, qido(web.url) as asked:
        got, _ = ask(asked, Query(level="STUDY", match={"PatientID": "A B"}))
    assert got.complete
    assert got.evidence == {"pages": 1, "rows": 0}
    assert web.asked[-1].query["PatientID"] == ["A B"]


# --- the answer -----------------------------------------------------------------------------

PN = "00100010"


def test_every_kind_of_value_becomes_text() -> None:
    elements = {
        "00080020": {"vr": "DA", "Value": ["20200131"]},
        "00080061": {"vr": "CS", "Value": ["CT", "SR"]},
        "00080090": {"vr": "PN"},
        "00080050": {"vr": "SH", "Value": []},
        "00081030": {"vr": "LO", "Value": [None]},
        "00101030": {"vr": "DS", "Value": [72.50]},
        "00201208": {"vr": "IS", "Value": [12]},
        "00280010": {"vr": "US", "Value": [512]},
        "00200010": {"vr": "SH", "Value": [" 7 \0"]},
        "00104000": {"vr": "LT", "Value": [" as written "]},
        "00081048": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}, {"Alphabetic": "C^D"}]},
        "0020000e": {"vr": "UI", "Value": ["9.9"]},
        "00101010": {"Value": ["050Y"]},
        "00080018": {"vr": "UN", "Value": ["1.1"]},
    }
    answer, (got,) = read(elements)
    assert answer.complete
    assert got == {
        "StudyInstanceUID": "1.2.1",
        "StudyDate": "20200131",
        "ModalitiesInStudy": "CT\\SR",
        "ReferringPhysicianName": "",
        "AccessionNumber": "",
        "StudyDescription": "",
        "PatientWeight": "72.5",
        "NumberOfStudyRelatedInstances": "12",
        "Rows": "512",
        "StudyID": "7",
        "PatientComments": " as written",
        "PhysiciansOfRecord": "A^B\\C^D",
        "SeriesInstanceUID": "9.9",
        "PatientAge": "050Y",
        "SOPInstanceUID": "1.1",
    }


def test_sequences_bulk_data_and_private_elements_are_left_out() -> None:
    elements = {
        "00400275": {"vr": "SQ", "Value": [{}]},
        "00104000": {"vr": "LT", "BulkDataURI": "http://127.0.0.1:1/bulk"},
        "00091001": {"vr": "LO", "Value": ["private"]},
        "00282000": {"vr": "OB", "InlineBinary": "AAAA"},
        "FFFFFFFFF": {"vr": "LO", "Value": ["no tag"]},
    }
    answer, rows = read(elements)
    assert answer.complete
    assert rows == [{"StudyInstanceUID": "1.2.1"}]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ"}, None),
        ({"Alphabetic": "A^B"}, "A^B"),
        ({"Ideographic": "山田"}, "=山田"),
        ({"Alphabetic": "A", "Phonetic": "P"}, "A==P"),
        ({"Alphabetic": "", "Ideographic": None}, ""),
        ({}, ""),
        ("Broken^Server", "Broken^Server"),
        (None, ""),
    ],
)
def test_names_have_their_groups(value: Any, text: str | None) -> None:
    _, (got,) = read({PN: {"vr": "PN", "Value": [value]}})
    assert got["PatientName"] == (text if text is not None else "Yamada^Tarou=山田^太郎=やまだ")


def test_half_a_surrogate_pair_becomes_something_that_can_be_written() -> None:
    _, (got,) = read({PN: {"vr": "PN", "Value": [{"Alphabetic": "A\ud800B"}]}})
    assert got["PatientName"] == "A?B"


@pytest.mark.parametrize(
    "broken",
    [
        5,
        None,
        {PN: "Doe"},
        {PN: {"vr": ["PN"], "Value": ["Doe"]}},
        {PN: {"vr": "PN", "Value": [["Doe"]]}},
        {PN: {"vr": "PN", "Value": [{"Alphabetic": {"Doe": 1}}]}},
        {"00080020": {"vr": "DA", "Value": [{"Doe": 1}]}},
        {"00080020": {"vr": "DA", "Value": [True]}},
    ],
)
def test_a_malformed_row_makes_the_answer_not_whole(broken: Any) -> None:
    rows = [row(1), row(2) | broken if isinstance(broken, dict) else broken, row(3)]

    def answer(asked: Asked) -> Sent:
        return Sent(rows[asked.number("offset") :])

    with serving(answer) as web, qido(web.url) as asked:
        got, found = ask(asked)
    assert not got.complete
    assert got.status_text == "a row could not be decoded"
    assert [each["StudyInstanceUID"] for each in found] == ["1.2.1", "1.2.3"]


@pytest.mark.parametrize("uid", [{}, {"vr": "UI"}, {"vr": "UI", "Value": [""]}])
def test_a_row_without_its_unique_key_makes_the_answer_not_whole(uid: Any) -> None:
    rows = [{"0020000D": uid, PN: {"vr": "PN", "Value": ["Doe"]}}, row(2)]

    def answer(asked: Asked) -> Sent:
        return Sent(rows[asked.number("offset") :])

    with serving(answer) as web, qido(web.url) as asked:
        got, found = ask(asked)
    assert (got.complete, len(found)) == (False, 1)
    assert got.status_text == "a row had no StudyInstanceUID"


def test_rows_below_study_have_the_keys_of_their_resource() -> None:
    series = [{"0020000E": {"vr": "UI", "Value": [f"3.{n}"]}} for n in range(3)]

    def answer(asked: Asked) -> Sent:
        return Sent(series[asked.number("offset") :])

    query = Query(level="SERIES", match={"StudyInstanceUID": "1.2"})
    with serving(answer) as web, qido(web.url) as asked:
        got, rows = ask(asked, query)
    assert got.complete
    assert rows == [{"StudyInstanceUID": "1.2", "SeriesInstanceUID": f"3.{n}"} for n in range(3)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_in_any_unicode_is_read(encoding: str) -> None:
    rows = [row(1) | {PN: {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jörg"}]}}]

    def answer(asked: Asked) -> Sent:
        page = rows[asked.number("offset") :]
        return Sent(body=json.dumps(page, ensure_ascii=False).encode(encoding))

    with serving(answer) as web, qido(web.url) as asked:
        got, found = ask(asked)
    assert got.complete
    assert found[0]["PatientName"] == "Müller^Jörg"
