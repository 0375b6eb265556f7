from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pynetdicom.dsutils import decode, encode

from pacsfw.dimse import identifier, rows
from pacsfw.errors import ConfigError

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"


def received(dataset: Dataset, *, implicit: bool = False) -> Dataset:
    """The data set as the other side reads it."""
    data = encode(dataset, implicit, True)
    assert data is not None
    return decode(BytesIO(data), implicit, True)


@pytest.mark.parametrize("implicit", [True, False])
def test_what_is_built_arrives(implicit: bool) -> None:
    match = {"StudyDate": "20200101-20201212", "PatientID": "A*", "ModalitiesInStudy": "CT"}
    built = identifier.build("STUDY", match, ["PatientName", "NumberOfStudyRelatedInstances"])
    syntax = IMPLICIT if implicit else EXPLICIT
    data = identifier.encode(built, syntax)
    assert data == encode(built, implicit, True)
    assert rows.read(data, syntax) == {
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
    assert received(identifier.build("IMAGE", match)).Rows == 512


@pytest.mark.parametrize(
    ("level", "match", "words"),
    [
        ("SERIES", {}, "StudyInstanceUID"),
        ("IMAGE", {"StudyInstanceUID": "1.2"}, "SeriesInstanceUID"),
        ("STUDY", {"PatientNmae": "x"}, "'PatientNmae' is not a DICOM keyword"),
        ("PATIENT", {}, "Study Root"),
    ],
)
def test_a_query_that_cannot_be_right_is_refused(level, match, words) -> None:
    with pytest.raises(ValueError, match=words):
        identifier.build(level, match)


@pytest.mark.parametrize(
    ("level", "keys"),
    [
        ("PATIENT", ["PatientID"]),
        ("STUDY", ["PatientID", "StudyInstanceUID"]),
        ("SERIES", ["PatientID", "StudyInstanceUID", "SeriesInstanceUID"]),
        ("IMAGE", ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]),
    ],
)
def test_in_the_patient_root_every_level_names_its_patient(level, keys) -> None:
    assert list(identifier.unique_keys(level, "PATIENT")) == keys
    above = dict.fromkeys(keys[:-1], "1.2")
    built = identifier.build(level, above, root="PATIENT")
    assert {key: str(built[key].value or "") for key in keys} == above | {keys[-1]: ""}
    for missing in above:
        for incomplete in (above | {missing: ""}, {key: "1" for key in above if key != missing}):
            with pytest.raises(ValueError, match=f"level {level} needs a value for {missing}"):
                identifier.build(level, incomplete, root="PATIENT")


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
    assert received(built).PatientName == value


@pytest.mark.filterwarnings("ignore:Failed to encode")
def test_a_value_beyond_the_character_set_is_refused_without_naming_it() -> None:
    with pytest.raises(ConfigError, match=r"net\.called_node\.charset: ISO_IR 100") as raised:
        identifier.build("STUDY", {"PatientName": "山田"}, (), "ISO_IR 100")
    assert "山" not in str(raised.value)
