import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import evt

from pacsfw.api import Clock, Net, Query, QueryProvider, QueryResult, QueryRow, RunContext
from pacsfw.errors import RemoteError
from pacsfw.testing import awkward_studies, make_studies, write_studies
from pacsfw_plugins.dimse.cfind import pacsfw_query_providers
from peers.process import free_port
from unit.dimse.scripted import net, scripted

ALL = Query(level="STUDY", match={"StudyDate": "20200101-20201231"}, returns=("PatientName",))


@contextmanager
def provider(nodes: Net, **options: Any) -> Iterator[QueryProvider]:
    (component,) = pacsfw_query_providers()
    made = component.factory(**options)
    made.open(
        RunContext(
            run_id="test",
            workdir=Path(),
            net=nodes,
            sections={},
            clock=Clock(),
            log=logging.getLogger("test"),
        )
    )
    try:
        yield made
    finally:
        made.close()


def ask(asked: QueryProvider, query: Query = ALL) -> tuple[QueryResult, list[dict[str, str]]]:
    rows: list[QueryRow] = []
    answer = asked.ask(query, rows.append)
    return answer, [dict(row.attributes) for row in rows]


def row(uid: str = "1.2.3", **attributes: str) -> Dataset:
    dataset = Dataset()
    dataset.QueryRetrieveLevel = "STUDY"
    for keyword, value in {"StudyInstanceUID": uid, **attributes}.items():
        setattr(dataset, keyword, value)
    return dataset


def answering(handler: Any) -> tuple[Any, Any]:
    return evt.EVT_C_FIND, handler


# --- real archives ----------------------------------------------------------------------


def test_every_study_of_a_real_archive_is_found(real_pacs, tmp_path: Path) -> None:
    studies = make_studies(12, start=date(2020, 1, 1))
    real_pacs.load(write_studies(tmp_path, studies))
    with provider(net(real_pacs.port, real_pacs.aetitle)) as asked:
        answer, rows = ask(asked)
    assert (answer.complete, answer.status, answer.status_text) == (True, 0, "0000: Success")
    assert {one["StudyInstanceUID"]: one["PatientName"] for one in rows} == {
        study.uid: study.patient_name for study in studies
    }


def test_series_and_images_of_a_study_are_found(real_pacs, tmp_path: Path) -> None:
    (study,) = make_studies(1, instances=3)
    real_pacs.load(write_studies(tmp_path, [study]))
    keys = {"StudyInstanceUID": study.uid}
    with provider(net(real_pacs.port, real_pacs.aetitle)) as asked:
        answer, series = ask(asked, Query(level="SERIES", match=keys, returns=("Modality",)))
        uids = set()
        for one in series:
            upper = keys | {"SeriesInstanceUID": one["SeriesInstanceUID"]}
            _, images = ask(asked, Query(level="IMAGE", match=upper))
            uids |= {image["SOPInstanceUID"] for image in images}
    assert answer.complete
    assert [one["Modality"] for one in series] == ["CT", "CT"]
    assert uids == set(study.sop_uids)


def test_a_name_in_another_script_is_matched(dcmqrscp, tmp_path: Path) -> None:
    studies = awkward_studies()
    dcmqrscp.load(write_studies(tmp_path, [studies["japanese, utf-8"], studies["slash"]]))
    query = Query(level="STUDY", match={"PatientID": "患者二"}, returns=("PatientName",))
    with provider(net(dcmqrscp.port, dcmqrscp.aetitle)) as asked:
        answer, rows = ask(asked, query)
    assert answer.complete
    assert [one["PatientName"] for one in rows] == [studies["japanese, utf-8"].patient_name]


def test_a_question_the_archive_cannot_process_is_not_whole(dcmqrscp) -> None:
    query = Query(level="STUDY", match={"QueryRetrieveLevel": "NONSENSE"})
    with provider(net(dcmqrscp.port, dcmqrscp.aetitle)) as asked:
        answer, _ = ask(asked, query)
    assert not answer.complete
    assert answer.status is not None
    assert answer.status_text.startswith(f"{answer.status:04X}: Fail")


# --- a PACS that does what it wants -------------------------------------------------------


def test_both_pending_statuses_bring_rows_and_ignored_keys_are_evidence() -> None:
    def find(event: evt.Event) -> Iterator[Any]:
        yield 0xFF00, row("1")
        yield 0xFF01, row("2")

    with scripted(answering(find)) as nodes, provider(nodes) as asked:
        answer, rows = ask(asked)
    assert [one["StudyInstanceUID"] for one in rows] == ["1", "2"]
    assert answer.complete
    assert answer.evidence == {"rows": 2, "optional_keys_ignored": True}


def test_what_a_key_holds_is_told_from_what_is_not_there() -> None:
    def find(event: evt.Event) -> Iterator[Any]:
        yield 0xFF00, row("1", PatientName="")

    with scripted(answering(find)) as nodes, provider(nodes) as asked:
        _, rows = ask(asked)
    assert rows == [{"StudyInstanceUID": "1", "PatientName": ""}]


@pytest.mark.parametrize(
    ("status", "words"),
    [(0xFE00, "FE00: Cancelled"), (0xA700, "A700: Refused: out of resources"), (0xC001, "C001")],
)
def test_any_other_end_is_not_whole(status: int, words: str) -> None:
    def find(event: evt.Event) -> Iterator[Any]:
        yield 0xFF00, row()
        yield status, None

    with scripted(answering(find)) as nodes, provider(nodes) as asked:
        answer, rows = ask(asked)
    assert (answer.complete, answer.status, len(rows)) == (False, status, 1)
    assert words in answer.status_text


def test_a_row_without_its_unique_key_makes_the_answer_not_whole() -> None:
    def find(event: evt.Event) -> Iterator[Any]:
        yield 0xFF00, row("", PatientName="Doe^John")
        yield 0xFF00, row("1")

    with scripted(answering(find)) as nodes, provider(nodes) as asked:
        answer, rows = ask(asked)
    assert (answer.complete, len(rows)) == (False, 1)
    assert "a row had no StudyInstanceUID" in answer.status_text
    assert "Doe" not in answer.status_text


def test_an_abort_after_some_rows_is_not_whole() -> None:
    def find(event: evt.Event) -> Iterator[Any]:
        yield 0xFF00, row()
        event.assoc.abort()

    with scripted(answering(find)) as nodes, provider(nodes) as asked:
        answer, rows = ask(asked)
    assert (answer.complete, answer.status, len(rows)) == (False, None, 1)
    assert answer.status_text == "the PACS aborted the association"


def test_silence_is_not_whole() -> None:
    over = threading.Event()

    def find(event: evt.Event) -> Iterator[Any]:
        yield 0xFF00, row()
        over.wait(30)
        yield 0x0000, None

    with scripted(answering(find)) as nodes, provider(nodes, response_timeout=0.3) as asked:
        answer, _ = ask(asked)
        over.set()
    assert not answer.complete
    assert answer.status_text == "no response within 0.3 s"


def test_at_rest_the_pacs_has_its_association_back() -> None:
    released = threading.Event()

    def find(event: evt.Event) -> Iterator[Any]:
        yield 0xFF00, row()

    with (
        scripted(answering(find), (evt.EVT_RELEASED, lambda event: released.set())) as nodes,
        provider(nodes) as asked,
    ):
        ask(asked)
        asked.release()
        assert released.wait(10)
        answer, rows = ask(asked)
    assert answer.complete
    assert len(rows) == 1


def test_an_answer_without_an_end_is_cut_off() -> None:
    def find(event: evt.Event) -> Iterator[Any]:
        while not event.is_cancelled and event.assoc.is_established:
            yield 0xFF00, row()

    with scripted(answering(find)) as nodes, provider(nodes, total_timeout=0.3) as asked:
        answer, rows = ask(asked)
    assert rows
    assert not answer.complete
    assert answer.status_text == "not done after 0.3 s"


def test_one_association_serves_many_questions() -> None:
    opened = []
    with (
        scripted(answering(lambda event: iter([])), (evt.EVT_ACCEPTED, opened.append)) as nodes,
        provider(nodes) as asked,
    ):
        assert [ask(asked)[0].complete for _ in range(3)] == [True] * 3
    assert len(opened) == 1


def test_an_association_that_ended_at_rest_is_opened_again() -> None:
    associations: list[Any] = []

    def find(event: evt.Event) -> Iterator[Any]:
        if event.assoc not in associations:
            associations.append(event.assoc)
        yield 0xFF00, row()

    with scripted(answering(find)) as nodes, provider(nodes) as asked:
        assert ask(asked)[0].complete
        associations[0].abort()
        answer, rows = ask(asked)
    assert (answer.complete, len(rows), len(associations)) == (True, 1, 2)


def test_an_unreachable_pacs_is_an_error() -> None:
    with provider(net(free_port())) as asked, pytest.raises(RemoteError, match="refused"):
        ask(asked)


def test_nothing_of_an_answer_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def find(event: evt.Event) -> Iterator[Any]:
        yield 0xFF00, row("1", PatientName="Canary^Bird", StudyDate="20200101")

    query = Query(level="STUDY", match={"PatientID": "CANARY-7"}, returns=("PatientName",))
    with scripted(answering(find)) as nodes, provider(nodes) as asked:
        _, rows = ask(asked, query)
    assert rows[0]["PatientName"] == "Canary^Bird"
    assert "anary" not in caplog.text.lower()
