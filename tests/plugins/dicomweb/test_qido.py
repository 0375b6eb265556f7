"""QIDO-RS asks the same Orthanc that C-FIND asks, and finds the same."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pacsfw.api import DicomWeb, Query, QueryProvider, QueryResult
from pacsfw.errors import ConfigError, PluginError
from pacsfw.plugins import PluginPlan, discover
from pacsfw.plugins.records import Offer
from pacsfw.plugins.registry import Registry
from pacsfw.testing import awkward_studies, make_studies, write_studies
from pacsfw_plugins.dicomweb import qido
from pacsfw_plugins.dimse import cfind
from peers.orthanc import Orthanc
from plugins.dicomweb.scripted_web import ask, context
from unit.dimse.scripted import net

STUDY_KEYS = (
    "PatientID",
    "PatientName",
    "StudyDate",
    "StudyTime",
    "StudyDescription",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedInstances",
)
SERIES_KEYS = ("Modality", "SeriesNumber", "SeriesDescription")
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
EVERYTHING = Query(level="STUDY", match={}, returns=STUDY_KEYS)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc that answers in UTF-8: the one of the session loses Japanese names."""
    folder = tmp_path_factory.mktemp("qido")
    server = Orthanc(
        folder / "orthanc", "WEB", {"PACSFW": ("127.0.0.1", 1)}, DefaultEncoding="Utf8"
    )
    if not server.has_dicomweb:
        pytest.skip("Orthanc has no DICOMweb plugin")
    awkward = [study for name, study in awkward_studies().items() if "300" not in name]
    plain = make_studies(9, modalities=(("CT", "SR"), ("MR",)))
    server.start()
    server.load(write_studies(folder / "files", [*plain, *awkward]))
    yield server
    server.stop()


def opened(module: object, server: Orthanc, **options: int) -> QueryProvider:
    (component,) = module.pacsfw_query_providers()  # type: ignore[attr-defined]
    provider: QueryProvider = component.factory(**options)
    web = DicomWeb(url=server.dicomweb_url.rstrip("/"))
    provider.open(context(replace(net(server.port, server.aetitle), dicomweb=web)))
    return provider


def everything(provider: QueryProvider) -> tuple[list[QueryResult], list[dict[str, str]]]:
    """Ask for every study, every series of each, and every image of each series."""
    answers, found = [], []

    def add(query: Query) -> list[dict[str, str]]:
        answer, rows = ask(provider, query)
        # For a study without PatientID Orthanc answers C-FIND with an empty one, QIDO without.
        here = [{key: row.get(key, "") for key in (*UIDS, *query.returns)} for row in rows]
        answers.append(answer)
        found.extend(here)
        return here

    for study in add(EVERYTHING):
        keys = {"StudyInstanceUID": study["StudyInstanceUID"]}
        for series in add(Query(level="SERIES", match=keys, returns=SERIES_KEYS)):
            upper = keys | {"SeriesInstanceUID": series["SeriesInstanceUID"]}
            add(Query(level="IMAGE", match=upper, returns=("InstanceNumber",)))
    provider.close()
    return answers, sorted(found, key=lambda row: sorted(row.items()))


@pytest.mark.parametrize("page_size", [2, 3, 1000])
def test_it_finds_what_cfind_finds(archive: Orthanc, page_size: int) -> None:
    _, by_cfind = everything(opened(cfind, archive))
    answers, by_qido = everything(opened(qido, archive, page_size=page_size))
    assert all(answer.complete for answer in answers)
    assert by_qido == by_cfind
    assert len(by_qido) == 23 + 28 + 56
    names = {row.get("PatientName") for row in by_qido}
    assert {"Görgün^Georg", "Suzuki^Hanako=鈴木^花子=すずき^はなこ", ""} <= names


@pytest.mark.parametrize(
    ("match", "count"),
    [
        ({"StudyDate": "20200615"}, 13),
        ({"StudyDate": "20200101-20200201"}, 5),
        ({"PatientName": "suz*"}, 1),
        ({"PatientName": "A*", "ModalitiesInStudy": "MR"}, 0),
        ({"PatientID": "a/b"}, 1),
        ({"PatientID": "../../x"}, 1),
        ({"StudyInstanceUID": "\\".join(study.uid for study in make_studies(3))}, 3),
    ],
)
def test_keys_are_matched(archive: Orthanc, match: dict[str, str], count: int) -> None:
    provider = opened(qido, archive)
    answer, rows = ask(provider, Query(level="STUDY", match=match))
    provider.close()
    assert (answer.complete, len(rows)) == (True, count)
    assert "keys_not_sent" not in answer.evidence


def test_a_key_that_this_orthanc_would_misread_is_not_sent(archive: Orthanc) -> None:
    match = {"PatientName": "Görgün^*", "StudyDate": "20200615"}
    provider = opened(qido, archive)
    answer, rows = ask(provider, Query(level="STUDY", match=match))
    provider.close()
    assert (answer.complete, len(rows)) == (True, 13)
    assert answer.evidence["keys_not_sent"] == ["PatientName"]


def test_it_says_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    (component,) = qido.pacsfw_query_providers()
    registry = Registry([Offer("query", component, "query-qido", "pacsfw", "0.1")])
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(PluginError, match=r"pip install 'pacsfw\[dicomweb\]'"):
        registry.select("query", "qido")


def test_it_is_among_the_bundled_components() -> None:
    offer = discover(PluginPlan()).select("query", "qido")
    assert offer.component.schema["properties"]["page_size"]["default"] == 200


def test_without_an_address_it_cannot_be_opened() -> None:
    (component,) = qido.pacsfw_query_providers()
    with pytest.raises(ConfigError, match=r"net\.dicomweb is not configured"):
        component.factory().open(context(net(104)))
