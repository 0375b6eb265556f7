"""The layout and the sidecars, by their contracts and in a whole collection."""

from __future__ import annotations

import json
from dataclasses import replace

import pacsfw_bids
import pytest
from pacsfw_bids.naming import Naming, label
from pacsfw_bids.sidecar import Sidecar

from pacsfw.errors import Skip
from pacsfw.testing import ConverterContract, LayoutContract, make_studies
from pacsfw.testing.contracts.converter import stored

RULES = [
    {"match": "*CHEST*", "datatype": "anat", "suffix": "T1w"},
    {"match": "*rest*", "datatype": "func", "suffix": "bold", "task": "rest"},
]


class TestLayout(LayoutContract):
    plugin = pacsfw_bids
    name = "bids"


class TestLayoutWithRules(LayoutContract):
    plugin = pacsfw_bids
    name = "bids"
    options = {"rules": RULES, "session": ""}


class TestSidecar(ConverterContract):
    plugin = pacsfw_bids
    name = "bids-sidecar"


def test_a_collection_looks_like_bids(pacsfw_run, embedded_pacs):
    scan = {"SeriesDescription": "Chest T1"}
    study = replace(make_studies(1, modalities=[["MR"]])[0], patient_id="0042", extra=scan)

    run = pacsfw_run(
        embedded_pacs([study]), storage={"sort_by": {"use": "bids", "with": {"rules": RULES}}}
    )

    assert run.code == 0, run.said
    series = "sub-0042/ses-20200101/anat/sub-0042_ses-20200101_run-1_T1w"
    assert run.files == sorted(f"{series}/{uid}.dcm" for uid in study.sop_uids)


def test_labels_are_letters_and_digits_and_differ():
    texts = ["A-1", "A1", "a 1", "Müller", "..", "x" * 200, "\udc80"]
    labels = {label(text) for text in texts}
    assert len(labels) == len(texts)
    assert all(each.isascii() and each.isalnum() for each in labels)
    assert label("") == ""


def test_an_image_of_nobody_is_left_out():
    with pytest.raises(Skip, match="no PatientID"):
        Naming()({"SOPInstanceUID": "1.2"})


def test_sidecars_have_the_units_of_bids(tmp_path):
    extra = {"SeriesDescription": "fMRI rest", "EchoTime": "30", "RepetitionTime": "2000"}
    (study,) = make_studies(1, modalities=[["MR"]])
    study = replace(study, extra={**extra, "ImageType": ["ORIGINAL", "PRIMARY"]})
    pairs = zip(study.write(tmp_path / "in"), study.datasets(), strict=True)

    (produced,) = Sidecar().convert([stored(*pair) for pair in pairs], tmp_path)

    assert produced.path.name.endswith("_task-rest_run-1_bold.json")
    found = json.loads(produced.path.read_text())
    assert (found["EchoTime"], found["RepetitionTime"]) == (0.03, 2.0)
    assert found["TaskName"] == "rest"
