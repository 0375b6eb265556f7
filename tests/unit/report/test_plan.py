"""What a collection is going to take, and where each figure comes from."""

from __future__ import annotations

import io
import json
from datetime import time
from pathlib import Path

import pytest
from rich.console import Console

from pacsfw.config.window import Window
from pacsfw.report.estimate import Figure
from pacsfw.report.plan import ASSUMED_RATE, Survey, exit_code, make_plan
from pacsfw.report.plan_table import render, to_json

NIGHT = Window(start=time(20), end=time(8))
KEY = "NumberOfStudyRelatedInstances"


def study(uid="1", modalities="CT", instances="100", day="20200131"):
    found = {"StudyInstanceUID": uid, "StudyDate": day, "ModalitiesInStudy": modalities}
    return found if instances is None else {**found, KEY: instances}


def plan(*studies, **known):
    survey = {
        "studies": studies,
        "complete": set(),
        "stored": {},
        "rate": None,
        "unproven": [],
        "questions": {"STUDY": 3},
        "window": Window(),
        "directory": Path("/data"),
        "free": 10**12,
    }
    return make_plan(Survey(**(survey | known)))


def plain(made):
    out = io.StringIO()
    render(made, Console(file=out, width=80))
    return out.getvalue()


# --- instances --------------------------------------------------------------------------------


def test_instances_that_the_pacs_counted_are_added_up():
    made = plan(study("1", instances="120"), study("2", instances="80"))
    assert made.expected.studies == Figure(2, "3 queries (STUDY 3)")
    assert made.expected.instances == Figure(200, f"counted by the PACS ({KEY})")


@pytest.mark.parametrize("missing", [None, "", "0", "many", "-3", "²"])
def test_a_count_that_is_missing_is_the_mean_of_the_same_modality(missing):
    made = plan(
        study("1", instances="100"),
        study("2", instances="300"),
        study("3", instances=missing),
        study("4", "CR", instances="2"),
    )
    assert made.expected.instances == Figure(
        602,
        f"3 of 4 studies counted by the PACS ({KEY}), the others estimated by the mean of their "
        "modality, or of all",
    )


def test_a_modality_that_nobody_counted_gets_the_mean_of_all():
    made = plan(study("1", "CT", "100"), study("2", "CR", "2"), study("3", "MR", None))
    assert made.expected.instances.value == 100 + 2 + 51


def test_without_any_count_the_usual_numbers_are_assumed():
    made = plan(study("1", "CT", None), study("2", "DX", None), study("3", "", None))
    assert made.expected.instances == Figure(
        300 + 2 + 10, f"assumed by modality: the PACS returned no {KEY}"
    )


# --- bytes ------------------------------------------------------------------------------------


def test_bytes_are_those_of_instances_stored_before():
    made = plan(study("1", "CT", "100"), stored={"CT": (4, 2_000_000), "MR": (1, 7)})
    assert made.expected.bytes == Figure(50_000_000, "measured: bytes per stored instance")
    (line,) = made.by_modality
    assert line.bytes_per_instance == Figure(500_000, "measured over 4 instances stored")


def test_bytes_of_a_modality_never_stored_are_assumed():
    made = plan(study("1", "CT", "1"), study("2", "US", "2"), stored={"US": (0, 0)})
    assert made.expected.bytes == Figure(
        512 * 512 * 2 + 2_000_000,
        "assumed: usual bytes per instance of each modality, uncompressed",
    )


def test_what_is_measured_and_what_is_assumed_are_told_apart():
    made = plan(
        study("1", "CT"),
        study("2", "US"),
        study("3", ""),
        stored={"CT": (1, 1000)},
    )
    assert made.expected.bytes.source == (
        "measured: bytes per stored instance; assumed for US; unknown"
    )


@pytest.mark.parametrize(
    ("stored", "size"),
    [
        ({"CT": (1, 10), "CT\\PT": (1, 20), "PT": (1, 70)}, 10),
        ({"CT\\PT": (1, 20), "CT\\US": (3, 20), "PT": (1, 70)}, 10),
        ({"CT\\SR": (1, 4), "CT": (3, 8)}, 3),
    ],
)
def test_bytes_are_those_of_the_same_modalities_else_of_studies_with_one_of_them(stored, size):
    (line,) = plan(study("1", "CT"), stored=stored).by_modality
    assert line.bytes_per_instance.value == size


def test_a_study_with_a_report_counts_as_its_images_and_a_report_as_itself():
    made = plan(study("1", "SR\\CT\\PR"), study("2", "CT"), study("3", "SR"), study("4", "PT\\CT"))
    assert {line.modality: line.studies for line in made.by_modality} == {
        "CT": 2,
        "CT, PT": 1,
        "SR": 1,
    }


def test_the_modality_of_a_series_serves_where_the_study_has_none():
    made = plan({"StudyInstanceUID": "1", "Modality": "MR"})
    assert [line.modality for line in made.by_modality] == ["MR"]


# --- what is here already ---------------------------------------------------------------------


def test_complete_studies_need_not_be_fetched():
    made = plan(
        study("1", instances="100"),
        study("2", instances="300"),
        study("3", instances=None),
        complete={"1", "other"},
        stored={"CT": (10, 1000)},
    )
    assert made.complete == Figure(1, "the ledger")
    assert made.expected.instances.value == 600
    assert made.to_fetch.studies == Figure(2, "found and not complete")
    assert made.to_fetch.instances.value == 500
    assert made.to_fetch.instances.source.startswith("1 of 2 studies counted by the PACS")
    assert made.to_fetch.bytes.value == 50_000


def test_when_all_is_complete_nothing_takes_any_time():
    made = plan(study("1"), complete={"1"}, window=NIGHT)
    assert (made.to_fetch.studies.value, made.to_fetch.bytes.value) == (0, 0)
    assert (made.seconds.value, made.nights.value) == (0, 0)
    assert "0 min" in plain(made)


# --- time -------------------------------------------------------------------------------------


def test_the_rate_is_that_of_the_studies_moved_before():
    made = plan(study("1"), rate=(72_000_000, 3600.0, 40))
    assert made.bytes_per_second == Figure(20_000, "measured over 40 studies moved")
    assert made.studies_per_hour.value == 40


@pytest.mark.parametrize("rate", [None, (0, 10.0, 1), (10, 0.0, 1)])
def test_without_a_measured_rate_one_is_assumed(rate):
    made = plan(study("1"), rate=rate)
    assert made.bytes_per_second == Figure(ASSUMED_RATE, "assumed: nothing moved yet")
    assert made.studies_per_hour == Figure(None, "nothing moved yet")
    assert made.seconds.source == "rate assumed: nothing moved yet"


HALF_A_DAY = {"stored": {"CT": (1, 43_200)}, "rate": (1000, 1.0, 1)}
"""With these, 1000 instances of CT take 12 hours."""


@pytest.mark.parametrize(
    ("window", "nights", "source"),
    [
        (NIGHT, 1, "20:00-08:00, 12 h each; rate measured over 1 study moved"),
        (
            Window(start=time(22, 30), end=time(0), days=frozenset({0, 4})),
            8,
            "22:30-00:00, 1.5 h each, on mon, fri; rate measured over 1 study moved",
        ),
        (
            Window(days=frozenset({5, 6})),
            1,
            "00:00-00:00, 24 h each, on sat, sun; rate measured over 1 study moved",
        ),
        (Window(), None, "no limit: move has no start_time and end_time"),
    ],
)
def test_nights_are_the_openings_of_the_window(window, nights, source):
    made = plan(study(instances="1000"), window=window, **HALF_A_DAY)
    assert made.seconds.value == 43_200
    assert made.nights == Figure(nights, source)


def test_a_night_that_is_not_filled_is_a_night():
    made = plan(study(instances="1001"), window=NIGHT, **HALF_A_DAY)
    assert made.nights.value == 2


@pytest.mark.parametrize(
    ("instances", "words"),
    [("1", "1 min"), ("1000", "12 h"), ("1100", "13 h 12 min"), ("9000", "4 days 12 h")],
)
def test_the_time_is_told_in_words(instances, words):
    text = plain(plan(study(instances=instances), **HALF_A_DAY))
    (line,) = (line for line in text.splitlines() if line.startswith("time"))
    assert line.split(maxsplit=1)[1].startswith(f"{words}  ")


# --- dates ------------------------------------------------------------------------------------


def test_studies_are_counted_by_month():
    days = ["20200131", "20200102", "2019.12.31", "", "20201301"]
    made = plan(*(study(str(number), day=day) for number, day in enumerate(days)))
    assert made.by_period == {"2019-12": 1, "2020-01": 2, "without a date": 2}


def test_studies_of_many_months_are_counted_by_year():
    days = [f"{year}{month:02d}01" for year in (2018, 2019, 2020) for month in range(1, 13)]
    made = plan(*(study(str(number), day=day) for number, day in enumerate([*days, ""])))
    assert made.by_period == {"2018": 12, "2019": 12, "2020": 12, "without a date": 1}


# --- what is in doubt -------------------------------------------------------------------------


def test_what_is_not_proven_makes_the_number_a_least_one_and_the_exit_code_1():
    made = plan(study("1"), unproven=[("StudyDate 20200131", "FE00: Cancel")])
    assert exit_code(made) == 1
    assert made.expected.studies.source == (
        "3 queries (STUDY 3); at least: not everything is proven"
    )
    assert "StudyDate 20200131  FE00: Cancel" in plain(made)


def test_a_plan_that_is_proven_has_the_exit_code_0():
    assert exit_code(plan(study("1"))) == 0


def test_many_slices_are_cut_short_on_the_screen_only():
    made = plan(unproven=[(f"slice {number:02d}", "why") for number in range(25)])
    text = plain(made)
    assert "slice 19" in text
    assert "slice 20" not in text
    assert "5 more" in text
    assert len(json.loads(to_json(made))["unproven"]) == 25


def test_a_disk_that_is_too_small_is_a_warning():
    made = plan(study("1", "US", "100"), free=60_000_000)
    assert made.warnings == ("the disk is too small: 40.0 MB more needed",)
    assert "warning: the disk is too small" in plain(made)
    assert exit_code(made) == 0


def test_what_is_complete_needs_no_disk():
    made = plan(study("1", "US", "100"), complete={"1"}, free=1)
    assert made.warnings == ()


def test_what_the_search_has_to_say_is_passed_on():
    made = plan(notes=["undated studies: 3\x1b[2J"])
    assert "note: undated studies: 3?[2J" in plain(made)


# --- what people and programs read ------------------------------------------------------------


FULL = {
    "complete": {"1"},
    "stored": {"CT": (100, 50_000_000)},
    "rate": (36_000_000, 3600.0, 2),
    "questions": {"STUDY": 3, "SERIES": 1},
    "window": NIGHT,
}


def test_the_whole_table_on_paper():
    made = plan(study("1"), study("2"), study("3", "MR", "10", "20200201"), **FULL)
    assert plain(made).splitlines() == [
        "studies found       3              4 queries (STUDY 3, SERIES 1)",
        "instances           210            counted by the PACS (NumberOfStudyRelatedInstances)",
        ("bytes               102.0 MB       measured: bytes per stored instance; assumed for MR"),
        "already complete    1              the ledger",
        "studies to fetch    2              found and not complete",
        "instances to fetch  110            counted by the PACS (NumberOfStudyRelatedInstances)",
        ("bytes to fetch      52.0 MB        measured: bytes per stored instance; assumed for MR"),
        "rate                10.0 kB/s      measured over 2 studies moved",
        "                    2.0 studies/h  measured over 2 studies moved",
        "time                1 h 26 min     rate measured over 2 studies moved",
        (
            "nights              1              20:00-08:00, 12 h each; rate measured over "
            "2 studies moved"
        ),
        "free on disk        1.0 TB         the disk of /data",
        "",
        "modality  studies  instances  bytes     per instance",
        "CT        2        200        100.0 MB  500.0 kB      measured over 100 instances stored",
        "MR        1        10         2.0 MB    204.8 kB      assumed",
        "",
        "date of study  studies",
        "2020-01        2",
        "2020-02        1",
    ]


def test_a_terminal_shows_the_same_within_its_width():
    out = io.StringIO()
    made = plan(study("1"), unproven=[("x\x1b[2J", "y" * 100)])
    render(made, Console(file=out, width=60, force_terminal=True))
    assert "x?[2J" in out.getvalue()
    assert "studies found" in out.getvalue()


def test_nothing_found_is_told_without_tables():
    text = plain(plan())
    assert text.startswith("studies found  0")
    assert "instances      0         none" in text
    assert "modality" not in text


def test_programs_get_every_figure_with_its_source():
    made = plan(study("1"), study("2"), unproven=[("2020", "why")], **FULL)
    read = json.loads(to_json(made))
    assert read["to_fetch"]["instances"] == {
        "value": 100,
        "source": f"counted by the PACS ({KEY})",
    }
    assert read["by_modality"][0]["bytes_per_instance"]["value"] == 500_000
    assert read["by_period"] == {"2020-01": 2}
    assert read["unproven"] == [{"slice": "2020", "reason": "why"}]
    assert read["questions"] == {"STUDY": 3, "SERIES": 1}


def test_a_plan_names_no_patient_and_no_study():
    secret = {"PatientName": "Adler^Ada", "PatientID": "SYN1", "AccessionNumber": "ACC9"}
    made = plan({**study("1.2.3.4"), **secret})
    for text in (plain(made), to_json(made), repr(made)):
        for value in ("Adler", "SYN1", "ACC9", "1.2.3.4", "20200131"):
            assert value not in text
