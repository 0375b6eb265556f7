"""Find against Orthanc, with and without a limit of its own, and dcmqrscp."""

from __future__ import annotations

import unicodedata
from datetime import date

import pytest

from pacsfw.testing import population, write_studies
from peers.fixtures import AETITLE
from peers.orthanc import Orthanc
from support.finding import assert_honest, between, listed, look

MONTH = date(2020, 1, 1), date(2020, 1, 31)
PART = date(2020, 1, 5), date(2020, 1, 25)


@pytest.fixture(scope="module")
def studies():
    return population(60, days=31)


@pytest.fixture(scope="module")
def files(studies, tmp_path_factory):
    return write_studies(tmp_path_factory.mktemp("files"), studies)


@pytest.fixture(scope="module", params=[3, 10])
def limited(request, files, tmp_path_factory, destinations):
    """An Orthanc that answers with a few studies at most, before it looks at modalities."""
    folder = tmp_path_factory.mktemp("limited")
    limits = {"LimitFindResults": request.param}
    server = Orthanc(folder, AETITLE, destinations, **limits)
    server.start()
    try:
        server.load(files)
        yield server
    finally:
        server.stop()


@pytest.fixture
def unlimited(orthanc, files):
    orthanc.load(files)
    return orthanc


@pytest.fixture
def find(collection, capsys):
    def find(pacs, days, *lines, **changes):
        collected = collection(pacs, changes=between(*days, *lines) | changes)
        return look(collected, lambda: capsys.readouterr().out)

    return find


def truth_of(orthanc, days, modality="", *, undated=False):
    """What Orthanc's own REST interface says that it has."""
    first, last = (f"{day:%Y%m%d}" for day in days)
    found = {
        uid
        for uid, (day, modalities) in orthanc.studies().items()
        if (first <= day <= last or (undated and not day))
        and (not modality or modality in modalities)
    }
    assert found
    return found


@pytest.mark.parametrize("modality", ["", "MR"])
def test_orthanc_with_a_limit_loses_nothing_or_says_where(modality, limited, studies, find):
    assert set(limited.studies()) == {study.uid for study in studies}
    lines = [f"modality: {modality}"] if modality else []

    come = find(limited, PART, *lines)

    truth = truth_of(limited, PART, modality)
    assert_honest(come, truth)
    assert come.listed == truth


def test_orthanc_without_a_limit_is_proven(unlimited, find):
    come = find(unlimited, PART, "modality: CT")

    assert (come.code, come.proven) == (0, True)
    assert come.listed == truth_of(unlimited, PART, "CT")


def test_orthanc_lists_studies_without_date_if_asked_for(unlimited, find):
    come = find(unlimited, PART, "undated: true")

    truth = truth_of(unlimited, PART, undated=True)
    assert truth > truth_of(unlimited, PART)
    assert_honest(come, truth)
    assert come.listed == truth


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("modality: MR",),
        ('filters: {PatientName: "*a*", StudyDescription: ["CHEST", "HEAD"]}',),
    ],
    ids=["all", "modality", "filters"],
)
def test_qido_and_cfind_find_the_same(lines, unlimited, find):
    if not unlimited.has_dicomweb:
        pytest.skip("not installed: the DICOMweb plugin of Orthanc")
    web = {"net:\n": f"net:\n    dicomweb: {{url: {unlimited.dicomweb_url}}}\n"}

    by_cfind = find(unlimited, PART, *lines)
    by_qido = find(unlimited, PART, *lines, "use: qido", **web)

    assert by_cfind.listed == by_qido.listed
    assert by_cfind.listed
    assert (by_cfind.code, by_qido.code) == (0, 0)
    assert by_qido.proven


def test_qido_sees_through_the_limit_too(limited, find):
    if not limited.has_dicomweb:
        pytest.skip("not installed: the DICOMweb plugin of Orthanc")
    web = {"net:\n": f"net:\n    dicomweb: {{url: {limited.dicomweb_url}}}\n"}

    come = find(limited, PART, "use: qido", **web)

    assert_honest(come, truth_of(limited, PART))
    assert come.listed == truth_of(limited, PART)


def test_dcmqrscp_loses_no_name_whatever_its_case(dcmqrscp, studies, files, find):
    dcmqrscp.load(files)
    dated = [study for study in studies if study.study_date]

    come = find(dcmqrscp, MONTH)

    assert (come.code, come.proven) == (0, True)
    assert come.listed == {study.uid for study in dated}
    # It compares names by case; the criterion is applied here.
    for begin in ("adler", "ARMEL", "zeman", "DE LA CRUZ", "4711", "^", "鈴木"):
        truth = {each.uid for each in dated if plain(each.patient_name).startswith(plain(begin))}
        assert truth, begin
        come = find(dcmqrscp, MONTH, f'filters: {{PatientName: "{begin}*"}}')
        assert (come.code, come.listed) == (0, truth), begin


def plain(name):
    """A name without case and accents."""
    letters = unicodedata.normalize("NFKD", name)
    return "".join(char for char in letters if not unicodedata.combining(char)).casefold()


@pytest.mark.full
@pytest.mark.parametrize("modality", ["", "MR"])
@pytest.mark.timeout(600)
def test_orthanc_with_a_limit_of_a_hundred(modality, tmp_path, destinations, collection, capsys):
    many = population(1000, days=60)
    server = Orthanc(tmp_path / "orthanc", AETITLE, destinations, LimitFindResults=100)
    server.start()
    try:
        server.load(write_studies(tmp_path / "files", many))
        days = date(2020, 1, 1), date(2020, 2, 29)
        lines = [f"modality: {modality}"] if modality else []
        collected = collection(server, changes=between(*days, *lines))
        come = look(collected, lambda: capsys.readouterr().out)
        assert_honest(come, truth_of(server, days, modality))
        assert come.listed == truth_of(server, days, modality) == listed(collected)
    finally:
        server.stop()
