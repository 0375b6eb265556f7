"""Each part by its contract, and all of them in one collection."""

from __future__ import annotations

import csv
import json
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest
import site_example
from site_example.layout import pseudonym
from site_example.registry import RegistrySink

from pacsfw.errors import ConfigError
from pacsfw.testing import LayoutContract, SinkContract, TagCallbackContract, make_studies

KEY = "not so secret, for tests"


class TestByProject(LayoutContract):
    plugin = site_example
    name = "by-project"
    options = {"key": KEY}
    sections = {"site": {"project": "chest-ct", "database": "unused"}}


class TestBValue(TagCallbackContract):
    plugin = site_example
    name = "b-value"
    examples = [([1000, 8, 0], 1000), (["1000000800", "8"], 800), (b"50\\8 ", 50), ("0", 0)]
    refused = ["", [], "many", -1, b"\xff"]


class TestRegistry(SinkContract):
    plugin = site_example
    name = "registry"

    @pytest.fixture(autouse=True)
    def _section(self, tmp_path):
        self.sections = {"site": {"project": "p", "database": str(tmp_path / "registry.sqlite")}}

    def rows(self, folder):
        with sqlite3.connect(folder / "registry.sqlite") as database:
            found = database.execute("SELECT tags FROM images").fetchall()
        database.close()
        return [json.loads(tags) for (tags,) in found]


def test_a_project_is_collected_counted_and_names_nobody(pacsfw_run, embedded_pacs, sample_studies):
    run = pacsfw_run(
        embedded_pacs(sample_studies),
        site={"project": "chest-ct", "database": "registry.sqlite"},
        storage={"sort_by": {"use": "by-project", "with": {"key": KEY}}},
        sinks=["registry"],
    )

    assert run.code == 0, run.said
    folders = {tuple(path.split("/")[:2]) for path in run.files}
    patients = {study.patient_id for study in sample_studies}
    assert folders == {("chest-ct", pseudonym(each, KEY)) for each in patients}
    words = [sys.executable, "-m", "pacsfw", "site-report", str(run.folder / "registry.sqlite")]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert said == f"chest-ct: {len(sample_studies)} studies, {len(run.files)} instances\n"


def test_instances_without_a_pseudonym_are_left_out_and_their_study_is_complete(
    pacsfw_run, embedded_pacs, sample_studies
):
    nameless = replace(make_studies(1, seed=7, modalities=[["CT"]])[0], patient_id="")
    run = pacsfw_run(
        embedded_pacs([*sample_studies, nameless]),
        site={"project": "chest-ct", "database": "registry.sqlite"},
        storage={"sort_by": {"use": "by-project", "with": {"key": KEY}}},
    )

    assert run.code == 0, run.said
    assert len(run.files) == sum(len(study.sop_uids) for study in sample_studies)
    with (run.folder / "resources_studies.csv").open(newline="") as table:
        found = {row["study_uid"]: row for row in csv.DictReader(table)}
    assert {row["verdict"] for row in found.values()} == {"complete"}
    assert found[nameless.uid]["left_out"] == str(len(nameless.sop_uids))
    assert "the instance has no PatientID, so there is no pseudonym" in run.said


def test_a_misspelt_section_is_refused(pacsfw_run, embedded_pacs):
    run = pacsfw_run(embedded_pacs(), site={"projekt": "x", "database": "y"})

    assert run.code == 2
    assert "projekt" in run.said
    assert "pacsfw-site-example" in run.said


def test_the_layout_says_which_section_it_needs(pacsfw_run, embedded_pacs, sample_studies):
    run = pacsfw_run(
        embedded_pacs(sample_studies),
        storage={"sort_by": {"use": "by-project", "with": {"key": KEY}}},
    )

    assert run.code == 2, run.said
    assert "the layout 'by-project' needs the section 'site'" in run.said


def test_the_sink_says_which_section_it_needs(tmp_path):
    context = TestRegistry().context(tmp_path)
    with pytest.raises(ConfigError, match="section 'site'"):
        RegistrySink().open(context)
