"""A real Orthanc cuts lists of instances and reports success: such lists are not believed."""

from __future__ import annotations

import sqlite3

import pytest

from pacsfw.testing import make_studies, write_studies
from peers.orthanc import Orthanc

LIMIT = 5
BY_WEB = {
    "find:\n": "find:\n    use: qido\n",
    "    query_level: STUDY\nnet:": "    query_level: STUDY\n    use: wado\nnet:",
}


@pytest.fixture(scope="module")
def limited(tmp_path_factory, destinations):
    folder = tmp_path_factory.mktemp("limited")
    pacs = Orthanc(folder, "THEIRTITLE", destinations, LimitFindInstances=LIMIT)
    if not pacs.has_dicomweb:
        pytest.skip("not installed: the DICOMweb plugin of Orthanc")
    pacs.start()
    studies = make_studies(2, days=30, modalities=(("CT",),), instances=8)
    pacs.load(write_studies(folder / "source", studies))
    yield pacs
    pacs.stop()


def verdicts(collected):
    with sqlite3.connect(collected.state / "ledger.sqlite") as ledger:
        return dict(ledger.execute("SELECT verdict, count(*) FROM studies GROUP BY 1"))


def test_a_study_is_complete_only_with_what_its_list_leaves_out(limited, collection):
    web = {"net:\n": f"net:\n    dicomweb: {{url: {limited.dicomweb_url!r}}}\n"}
    collected = collection(limited, changes=BY_WEB | web)

    assert collected.run() == 0
    assert len(collected.files()) == 16
    assert verdicts(collected) == {"complete-by-count": 2}

    # Those that the list names are still there.
    first = collected.files()[0].rpartition("/")[0]
    for name in [each for each in collected.files() if each.startswith(first)][-3:]:
        (collected.archive / name).unlink()
    assert collected.run("verify") == 1
    assert verdicts(collected) == {"complete-by-count": 1, "short": 1}

    assert collected.run() == 0
    assert len(collected.files()) == 16
