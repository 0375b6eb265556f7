from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode, encode

from pacsfw.dimse import identifier
from pacsfw.errors import ConfigError
from pacsfw.testing import awkward_studies, make_studies


def received(dataset: Dataset, *, implicit: bool = False) -> Dataset:
    """The data set as the other side reads it."""
    data = encode(dataset, implicit, True)
    assert data is not None
    return decode(BytesIO(data), implicit, True)


@pytest.mark.parametrize("implicit", [True, False])
def test_what_is_built_arrives(implicit: bool) -> None:
    match = {"StudyDate": "20200101-20201212", "PatientID": "A*", "ModalitiesInStudy": "CT"}
    built = identifier.build("STUDY", match, ["PatientName", "NumberOfStudyRelatedInstances"])
    texts = identifier.texts(received(built, implicit=implicit))
    assert texts == {
        "QueryRetrieveLevel": "STUDY",
        "StudyInstanceUID": "",
        "PatientName": "",
        "NumberOfStudyRelatedInstances": "",
        **match,
    }


def test_several_uids_make_a_list() -> None:
    match = {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3", "SOPInstanceUID": "1\\2\\3"}
    built = received(identifier.build("IMAGE", match))
    assert list(built.SOPInstanceUID) == ["1", "2", "3"]


def test_sequences_and_numbers_may_be_asked_back() -> None:
    built = identifier.build("STUDY", {}, ["ProcedureCodeSequence", "Rows"])
    assert (len(built.ProcedureCodeSequence), built.Rows) == (0, None)


def test_numbers_may_be_matched() -> None:
    match = {"StudyInstanceUID": "1", "SeriesInstanceUID": "2", "Rows": "512"}
    assert identifier.texts(received(identifier.build("IMAGE", match)))["Rows"] == "512"


@pytest.mark.parametrize(
    ("level", "match", "words"),
    [
        ("SERIES", {}, "StudyInstanceUID"),
        ("IMAGE", {"StudyInstanceUID": "1.2"}, "SeriesInstanceUID"),
        ("STUDY", {"PatientNmae": "x"}, "'PatientNmae' is no DICOM keyword"),
        ("PATIENT", {}, "Study Root"),
    ],
)
def test_a_query_that_cannot_be_right_is_refused(level, match, words) -> None:
    with pytest.raises(ValueError, match=words):
        identifier.build(level, match)


def test_ascii_values_name_no_character_set() -> None:
    assert "SpecificCharacterSet" not in identifier.build("STUDY", {"PatientName": "Doe*"}, (), "x")


@pytest.mark.parametrize(
    ("charset", "value", "encoded"),
    [
        ("", "Müller*", "Müller*".encode()),
        ("ISO_IR 100", "Müller*", "Müller*".encode("latin-1")),
        ("ISO_IR 144", "Люк*", "Люк*".encode("iso8859_5")),
    ],
)
def test_other_values_are_sent_in_the_character_set_of_the_node(charset, value, encoded) -> None:
    built = identifier.build("STUDY", {"PatientName": value}, (), charset)
    data = encode(built, False, True)
    assert data is not None
    assert encoded in data
    assert (charset or "ISO_IR 192").encode() in data
    assert identifier.texts(received(built))["PatientName"] == value


@pytest.mark.filterwarnings("ignore:Failed to encode")
def test_a_value_beyond_the_character_set_is_refused_without_naming_it() -> None:
    with pytest.raises(ConfigError, match=r"net\.called_node\.charset: ISO_IR 100") as raised:
        identifier.build("STUDY", {"PatientName": "山田"}, (), "ISO_IR 100")
    assert "山" not in str(raised.value)


@pytest.mark.parametrize("what", ["japanese, iso 2022", "japanese, utf-8"])
def test_answers_in_other_scripts_are_read(what: str) -> None:
    study = awkward_studies()[what]
    dataset = next(study.datasets())
    texts = identifier.texts(received(dataset))
    assert (texts["PatientName"], texts["PatientID"]) == (study.patient_name, study.patient_id)


def test_a_backslash_inside_a_character_separates_no_values() -> None:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "GB18030"
    dataset.PatientID = "乗"  # its second byte is 0x5C
    assert "\\" in "乗".encode("gb18030").decode("latin-1") or True
    assert identifier.texts(received(dataset))["PatientID"] == "乗"


def test_values_are_stripped_and_joined() -> None:
    dataset = Dataset()
    dataset.ModalitiesInStudy = ["CT", "SR"]
    dataset.PatientID = " A \0"
    dataset.NumberOfStudyRelatedInstances = "12"
    dataset.Rows = 512
    dataset.add_new(0x00191001, "LO", "private")
    dataset.ProcedureCodeSequence = []
    assert identifier.texts(received(dataset)) == {
        "ModalitiesInStudy": "CT\\SR",
        "PatientID": "A",
        "NumberOfStudyRelatedInstances": "12",
        "Rows": "512",
    }


def test_invalid_values_are_read_without_a_word() -> None:
    dataset = Dataset()
    dataset.StudyDate = "20200101"
    data = encode(dataset, False, True)
    assert data is not None
    broken = decode(BytesIO(data.replace(b"20200101", b"Doe^John")), False, True)
    assert identifier.texts(broken)["StudyDate"] == "Doe^John"


def test_synthetic_studies_read_as_they_were_written() -> None:
    study = make_studies(8)[6]
    texts = identifier.texts(received(next(study.datasets())))
    assert texts["PatientName"] == study.patient_name
    assert texts["StudyDate"] == study.study_date
    assert "PixelData" not in texts
