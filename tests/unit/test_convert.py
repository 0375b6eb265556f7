"""Every text form of PS3.5 6.2 for dates, times and ages, and data sets as dictionaries."""

import json
import typing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.tag import BaseTag

from pacsfw import convert
from pacsfw.convert import (
    agestr2years,
    datetime2str,
    dcm2dict,
    dict2dcm,
    str2datetime,
    str2timedelta,
    timedelta2str,
)
from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.part10 import file_head
from peers.fixtures import SAMPLES

OFFSETS = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES_OF_DAY = st.timedeltas(timedelta(0), timedelta(days=1) - timedelta.resolution)


def zone(hours: int, minutes: int = 0) -> timezone:
    return timezone(timedelta(hours=hours, minutes=minutes))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20200229", datetime(2020, 2, 29)),
        ("2020.02.29", datetime(2020, 2, 29)),
        ("20200229 ", datetime(2020, 2, 29)),
        ("20200229\0", datetime(2020, 2, 29)),
        ("2020", datetime(2020, 1, 1)),
        ("202011", datetime(2020, 11, 1)),
        ("2020112923", datetime(2020, 11, 29, 23)),
        ("202011292359", datetime(2020, 11, 29, 23, 59)),
        ("20201129235958", datetime(2020, 11, 29, 23, 59, 58)),
        ("20201129235958.1", datetime(2020, 11, 29, 23, 59, 58, 100000)),
        ("20201129235958.123456", datetime(2020, 11, 29, 23, 59, 58, 123456)),
        ("20201129235958.12+0100", datetime(2020, 11, 29, 23, 59, 58, 120000, zone(1))),
        ("2020+0000", datetime(2020, 1, 1, tzinfo=UTC)),
        ("202011-0330", datetime(2020, 11, 1, tzinfo=zone(-3, -30))),
        ("20201129+1400", datetime(2020, 11, 29, tzinfo=zone(14))),
        ("2020112923-1200  ", datetime(2020, 11, 29, 23, tzinfo=zone(-12))),
        ("20161231235960", datetime(2017, 1, 1)),
        ("00010101", datetime(1, 1, 1)),
    ],
)
def test_dates_and_datetimes_are_read_at_every_precision(text: str, expected: datetime) -> None:
    read = str2datetime(text)
    assert (read, read.utcoffset()) == (expected, expected.utcoffset())


@pytest.mark.parametrize(
    "text",
    [
        "", "202", "20201", "2020111", "20201301", "20200230", "20210229", "00000101", "2020-01-01",
        "2020.1.1", "2020.01", "20200101x", "20200101T12", "2020010124", "202001011260",
        "20200101125961", "20200101125959.", "20200101125959.1234567", "202001011259.5",
        "2020+1401", "2020-1201", "2020+0060", "2020-0000", "2020+01", "2020Z", " 20200101",
        "2020010\N{FULLWIDTH DIGIT ONE}", "99991231235960", "20200101\n",
    ],
)  # fmt: skip
def test_what_is_no_date_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        str2datetime(text)
    assert not text or text not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("07", timedelta(hours=7)),
        ("0709", timedelta(hours=7, minutes=9)),
        ("070905", timedelta(hours=7, minutes=9, seconds=5)),
        ("070905.7", timedelta(hours=7, minutes=9, seconds=5, microseconds=700000)),
        ("070905.000001 ", timedelta(hours=7, minutes=9, seconds=5, microseconds=1)),
        ("07:09:05", timedelta(hours=7, minutes=9, seconds=5)),
        ("07:09:05.25", timedelta(hours=7, minutes=9, seconds=5, microseconds=250000)),
        ("07:09", timedelta(hours=7, minutes=9)),
        ("235960", timedelta(days=1)),
        ("000000.000000", timedelta(0)),
    ],
)
def test_times_are_read_at_every_precision(text: str, expected: timedelta) -> None:
    assert str2timedelta(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "7", "070", "24", "0760", "070961", "070905.", "070905.1234567", "0709.5", "07:0905",
     "0709:05", " 07", "07 09", "-07", "07-09", "0\N{ARABIC-INDIC DIGIT SEVEN}"],
)  # fmt: skip
def test_what_is_no_time_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(ValueError, match="not a DICOM time") as caught:
        str2timedelta(text)
    assert not text or f"{text!r}" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "years"),
    [("018M", 1.5), ("045Y", 45.0), ("000D", 0.0), ("052W", 364 / 365.25), ("003D ", 3 / 365.25)],
)
def test_ages_are_read_in_all_four_units(text: str, years: float) -> None:
    assert agestr2years(text) == pytest.approx(years)


@pytest.mark.parametrize(
    "text", ["", "45Y", "045", "045y", "0045Y", "45.Y", "Y045", "04\N{ARABIC-INDIC DIGIT FIVE}Y"]
)
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a DICOM age"):
        agestr2years(text)


@given(st.datetimes(timezones=st.none() | OFFSETS), st.booleans())
@example(datetime(1, 1, 1), False)
@example(datetime(2020, 1, 1, tzinfo=UTC), False)
def test_a_datetime_survives_the_way_to_text_and_back(moment: datetime, use_time: bool) -> None:
    read = str2datetime(datetime2str(moment, use_time))
    assert (read, read.utcoffset()) == (moment, moment.utcoffset())


@given(TIMES_OF_DAY)
def test_a_time_survives_the_way_to_text_and_back(since_midnight: timedelta) -> None:
    assert str2timedelta(timedelta2str(since_midnight)) == since_midnight


@pytest.mark.parametrize(
    ("moment", "use_time", "text"),
    [
        (datetime(2020, 1, 2), False, "20200102"),
        (datetime(2020, 1, 2), True, "20200102000000.000000"),
        (datetime(2020, 1, 2, 3, 4, 5, 6), False, "20200102030405.000006"),
        (datetime(2020, 1, 2, 3, tzinfo=zone(-3, -30)), False, "20200102030000.000000-0330"),
        (datetime(2020, 1, 2, tzinfo=UTC), False, "20200102+0000"),
    ],
)
def test_datetimes_are_written_as_date_or_datetime(
    moment: datetime, use_time: bool, text: str
) -> None:
    assert datetime2str(moment, use_time) == text


@pytest.mark.parametrize("offset", [timedelta(hours=15), timedelta(seconds=90)])
def test_an_offset_that_dicom_cannot_write_is_refused(offset: timedelta) -> None:
    with pytest.raises(ValueError, match="whole minutes"):
        datetime2str(datetime(2020, 1, 1, tzinfo=timezone(offset)))


@pytest.mark.parametrize("delta", [timedelta(days=1), timedelta(microseconds=-1)])
def test_what_is_no_time_of_day_is_not_written(delta: timedelta) -> None:
    with pytest.raises(ValueError, match="less than 24 hours"):
        timedelta2str(delta)


@pytest.mark.parametrize(
    ("function", "kind"),
    [(str2datetime, datetime), (str2timedelta, timedelta), (agestr2years, float)],
)
def test_the_return_annotation_says_the_column_type(
    function: typing.Callable[[str], object], kind: type
) -> None:
    assert typing.get_type_hints(function)["return"] is kind


def a_data_set() -> Dataset:
    item = Dataset()
    item.CodeMeaning = "Chest"
    dataset = Dataset()
    dataset.PatientName = "Yamada^Tarou=山田^太郎"
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.StudyDate = "20200101"
    dataset.PixelSpacing = ["0.5", "0.5"]
    dataset.PatientID = ""
    dataset.AnatomicRegionSequence = [item]
    dataset.add_new(0x00290010, "LO", "SOMEONE")
    dataset.add_new(0x00291001, "OB", b"\1\2")
    dataset.add_new(0x60000010, "US", 5)
    dataset.PixelData = b"\0\1"
    dataset["PixelData"].VR = "OW"
    return dataset


def test_a_data_set_becomes_the_json_model_with_names() -> None:
    tree = json.loads(json.dumps(dcm2dict(a_data_set())))
    assert tree["00080020"] == {"vr": "DA", "Value": ["20200101"], "Name": "StudyDate"}
    assert tree["00100020"] == {"vr": "LO", "Name": "PatientID"}
    assert tree["60000010"]["Name"] == "OverlayRows"
    assert tree["00082218"]["Value"] == [
        {"00080104": {"vr": "LO", "Value": ["Chest"], "Name": "CodeMeaning"}}
    ]
    assert tree["00291001"] == {"vr": "OB", "InlineBinary": "AQI=", "Name": "Private tag data"}


def test_dictionaries_have_no_group_lengths_and_errors_quote_no_value() -> None:
    dataset = a_data_set()
    dataset.add_new(0x00080000, "UL", 40)
    assert "00080000" not in dcm2dict(dataset)
    dataset.add_new(0x00200013, "UN", b"")
    raw = RawDataElement(BaseTag(0x00200013), "IS", 6, b"4711x ", 0, False, True)
    dataset._dict[raw.tag] = raw
    with pytest.raises(UnreadableObject, match=r"\(0020,0013\)") as caught:
        dcm2dict(dataset)
    assert "4711" not in str(caught.value)


def test_pixel_data_come_along_only_when_asked_for() -> None:
    dataset = a_data_set()
    assert "7FE00010" not in dcm2dict(dataset)
    assert "7FE00010" in dcm2dict(dataset, include_pixels=True)
    assert "PixelData" in dataset


def test_a_data_set_survives_the_way_to_dictionaries_and_back() -> None:
    dataset = a_data_set()
    tree = dcm2dict(dataset, include_pixels=True)
    before = json.dumps(tree)
    assert dict2dcm(tree) == dataset
    assert json.dumps(tree) == before


def test_a_file_is_read_from_a_path_or_its_name(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(
        file_head("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1", "X")
        + b"\x10\x00\x20\x00LO\x04\x00A123"
    )
    expected = {"00100020": {"vr": "LO", "Value": ["A123"], "Name": "PatientID"}}
    assert dcm2dict(path) == dcm2dict(str(path)) == expected


def test_what_is_no_dicom_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_text("no")
    with pytest.raises(InvalidDicomError):
        dcm2dict(path)


def test_the_module_imports_without_pydicom() -> None:
    source = Path(convert.__file__).read_text()
    assert "\nfrom pydicom" not in source
    assert "\nimport pydicom" not in source


@pytest.mark.parametrize(
    "name",
    ["ImagingDataCommons__highdicom/data/test_files/dx_image.dcm",
     "ImagingDataCommons__highdicom/data/test_files/sr_document.dcm"],
)  # fmt: skip
def test_a_sample_file_survives_the_way_to_dictionaries_and_back(name: str) -> None:
    tree = dcm2dict(SAMPLES / name)
    assert dcm2dict(dict2dcm(json.loads(json.dumps(tree)))) == tree
