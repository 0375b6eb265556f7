"""ImagingStudy resources that a FHIR library accepts, of studies collected for real."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pacsfw_fhir
import pytest

from pacsfw.api import Batch, Stored, Table, Verdict
from pacsfw.testing import make_studies
from pacsfw.testing.contracts.component import ComponentContract
from pacsfw.testing.contracts.converter import stored

TABLE = Table("instances", ())


class TestRecord(ComponentContract):
    """Not `SinkContract`: this sink takes the files of a study, not the rows of a table."""

    kind = "sink"
    plugin = pacsfw_fhir
    name = "fhir"

    def options_in(self, folder):
        return {"path": str(folder)}


def files_of(study, folder: Path) -> list[Stored]:
    return [
        stored(path, dataset)
        for path, dataset in zip(study.write(folder), study.datasets(), strict=True)
    ]


def batch(study, files, state="complete"):
    return Batch(
        table=TABLE, key=study.uid, rows=[], files=files, verdict=Verdict(state=state, stored=1)
    )


def test_collected_studies_are_valid_resources(pacsfw_run, embedded_pacs, sample_studies):
    from fhir.resources.R4B.imagingstudy import ImagingStudy

    run = pacsfw_run(
        embedded_pacs(sample_studies),
        sinks=[{"use": "fhir", "with": {"path": "fhir", "timezone": "Europe/Zurich"}}],
    )

    assert run.code == 0, run.said
    resources = {}
    for path in (run.folder / "fhir").iterdir():
        text = path.read_text()
        ImagingStudy.model_validate_json(text)
        resources[path.name] = json.loads(text)
    assert len(resources) == len(sample_studies)
    for study in sample_studies:
        found = resources[f"ImagingStudy-{study.uid}.json"]
        assert found["identifier"][0]["value"] == f"urn:oid:{study.uid}"
        assert found["status"] == "available"
        assert found["subject"]["identifier"] == {"value": study.patient_id}
        assert found["numberOfInstances"] == len(study.sop_uids)
        instances = [each for series in found["series"] for each in series["instance"]]
        assert {each["uid"] for each in instances} == set(study.sop_uids)
        day = study.study_date
        assert found["started"].startswith(f"{day[:4]}-{day[4:6]}-{day[6:]}T")


def test_a_changed_study_replaces_and_an_empty_one_disappears(tmp_path):
    (study,) = make_studies(1)
    files = files_of(study, tmp_path / "in")
    sink = pacsfw_fhir.FhirSink(str(tmp_path / "fhir"))

    sink.deliver(batch(study, files[:1], state="short"))
    (path,) = (tmp_path / "fhir").iterdir()
    assert json.loads(path.read_text())["status"] == "unknown"
    sink.deliver(batch(study, files))
    assert json.loads(path.read_text())["numberOfInstances"] == len(files)
    sink.deliver(batch(study, []))

    assert list((tmp_path / "fhir").iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "key", "value"),
    [
        ({"study_date": ""}, "started", None),
        ({"study_date": "20201399"}, "started", None),
        ({"study_time": ""}, "started", "2020-01-01"),
        ({"patient_id": ""}, "subject", {"display": "unknown"}),
        ({"description": ""}, "description", None),
    ],
)
def test_what_is_missing_or_wrong_is_not_told(tmp_path, changes, key, value):
    study = replace(make_studies(1)[0], **changes)
    pacsfw_fhir.FhirSink(str(tmp_path / "fhir"), timezone="Europe/Zurich").deliver(
        batch(study, files_of(study, tmp_path / "in"))
    )
    (path,) = (tmp_path / "fhir").iterdir()
    assert json.loads(path.read_text()).get(key) == value


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(ValueError, match="timezone: 'Nowhere'"):
        pacsfw_fhir.FhirSink("x", timezone="Nowhere")
