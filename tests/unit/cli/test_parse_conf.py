"""``pacsfw parse-conf``: what it writes can be used, gives nothing away and replaces nothing."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from pacsfw.cli import cli, main
from pacsfw.config import load
from pacsfw.dicom.identifying import concern
from pacsfw.plugins import discover
from pacsfw.steps.tags.proposal import alias_of
from pacsfw.testing import make_studies


@pytest.fixture
def sample(tmp_path):
    [study] = make_studies(1, modalities=[["CT"]], instances=1)
    code = Dataset()
    code.CodeMeaning = "Chest"
    extra = {
        "KVP": "120", "PatientAge": "042Y", "Laterality": "", "ImageType": ["ORIGINAL", "PRIMARY"],
        "AnatomicRegionSequence": Sequence([code]),
    }  # fmt: skip
    dataset = next(iter(study.datasets()))
    for keyword, value in extra.items():
        setattr(dataset, keyword, value)
    path = tmp_path / "sample"
    dataset.save_as(path, enforce_file_format=True)
    return path


def tags_of(path):
    return {tag.alias: tag for tag in load(path, discover).config.tags}


def test_a_sample_proposes_its_filled_tags_with_names_and_types(sample, tmp_path, capsys):
    path = tmp_path / "tags.yaml"

    assert main(["parse-conf", "--from", str(sample), "-o", str(path)]) == 0

    tags = tags_of(path)
    types = {alias: tags[alias].type for alias in ("study_date", "kvp", "image_type", "modality")}
    assert types == {
        "study_date": "date", "kvp": "float", "image_type": "texts", "modality": "text"
    }  # fmt: skip
    assert "laterality" not in tags
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert "- tag_name: PatientName  # identifies a person or place\n" in text
    assert "- tag_name: StudyInstanceUID  # date or UID: can be linked\n" in text
    assert "- tag_name: Modality\n" in text
    assert "  # - tag_name: AnatomicRegionSequence.CodeMeaning\n" in text
    for value in ("Adler", "SYN1", "042Y", "Chest"):
        assert value not in text + capsys.readouterr().out


def test_what_it_writes_is_what_parse_reads(sample, tmp_path):
    path = tmp_path / "tags.json"
    assert main(["parse-conf", "--from", str(sample), "-o", str(path)]) == 0

    assert main(["parse", "-i", str(sample), "-f", str(path), "-o", str(tmp_path / "t.jsonl")]) == 0

    row = json.loads((tmp_path / "t.jsonl").read_text())
    assert row["kvp"] == 120.0
    assert row["image_type"] == ["ORIGINAL", "PRIMARY"]
    assert not (tmp_path / "t_errors.jsonl").read_text()


def test_what_gives_something_away_can_be_left_out(sample, tmp_path):
    path = tmp_path / "tags.yaml"

    main(["parse-conf", "--from", str(sample), "-o", str(path), "--without-identifying"])

    kept = tags_of(path)
    assert "modality" in kept
    assert not {"patient_name", "study_date", "sop_instance_uid", "accession_number"} & set(kept)


def test_nothing_is_replaced_but_by_force(sample, tmp_path, capsys):
    path = tmp_path / "tags.yaml"
    path.write_text("mine")
    command = ["parse-conf", "--from", str(sample), "-o", str(path)]

    assert main(command) == 2
    assert "already exists and was not changed" in capsys.readouterr().err
    assert path.read_text() == "mine"

    assert main([*command, "--force"]) == 0
    assert tags_of(path)


def answer(path, *lines):
    return CliRunner().invoke(cli, ["parse-conf", "-o", str(path)], input="\n".join(lines) + "\n")


def test_it_asks_for_tags_until_one_is_left_blank(tmp_path):
    path = tmp_path / "tags.yaml"

    done = answer(
        path,
        "Lateralty", "Laterality", "ImageLaterality", "", "side", "U",
        "StudyDate", "", "side", "", "",
        "",
    )  # fmt: skip

    assert done.exit_code == 0, done.output
    assert "did you mean 'Laterality'" in done.output
    assert "column 'side' already exists" in done.output
    tags = tags_of(path)
    assert list(tags) == ["side", "study_date"]
    assert tags["side"].names == ("Laterality", "ImageLaterality")
    assert (tags["side"].default, tags["study_date"].type) == ("U", "date")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("tags.txt", None, "use a name that ends in .yaml or .json"),
        ("tags.yaml", b"no DICOM", "not a DICOM Part 10 file"),
        ("nowhere/tags.yaml", None, "does not exist"),
    ],
)
def test_what_cannot_be_is_refused(sample, tmp_path, capsys, name, content, why):
    if content is not None:
        sample.write_bytes(content)

    assert main(["parse-conf", "--from", str(sample), "-o", str(tmp_path / name)]) == 2

    assert why in capsys.readouterr().err


def test_without_an_answer_nothing_is_written(tmp_path):
    assert answer(tmp_path / "tags.yaml", "").exit_code != 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("SOPInstanceUID", "sop_instance_uid"),
        ("KVP", "kvp"),
        ("ViewCodeSequence[1].CodeMeaning", "view_code_sequence_1_code_meaning"),
        ('(0029,"SIEMENS CSA",10)', "0029_siemens_csa_10"),
    ],
)
def test_columns_get_names_in_small_letters(name, alias):
    assert alias_of(name) == alias


def test_every_name_of_a_person_identifies_and_the_class_of_an_object_does_not():
    assert concern("OperatorsName", "PN") == "identifies"
    assert concern("SOPClassUID", "UI") == ""
    assert concern("FrameOfReferenceUID", "UI") == "links"
