"""Bad input: each fault one line that says where, what, and what was probably meant."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from pacsfw.errors import ConfigError, PacsfwError
from support.selection import quick

if TYPE_CHECKING:
    from conftest import Desk

NET = "net: {local_node: {aetitle: ME}, "

REFUSED = [
    # keys
    ("mvoe: {}", "1:1: mvoe: unknown key (did you mean 'move'?)"),
    ("move: {strat_time: 20}", "1:8: move.strat_time: unknown key (did you mean 'start_time'?)"),
    ("move: {Workers: 2}", "1:8: move.Workers: unknown key (did you mean 'workers'?)"),
    ("find: {qqq: 1, start_date: 20200101}", "1:8: find.qqq: unknown key"),
    ("find: {}", "1:1: find: start_date is missing"),
    ("net: {called_node: {aetitle: A, port: 1, ip: x}}", "1:1: net: local_node is missing"),
    (NET + "called_node: {aetitle: A, port: 1}}", "1:34: net.called_node: ip is missing"),
    (NET + "dest_node: {aetitle: A}}", "1:34: net.dest_node: port is missing"),
    ("storage: {resources: a.csv}", "1:1: storage: directory is missing"),
    (
        "storage: {resources: a.csv, directory: d, dicom_path: short}",
        "1:55: storage.dicom_path: 'short' is not one of absolute, relative",
    ),
    ("tags: [{tag_alias: x}]", "1:8: tags[0]: tag_name is missing"),
    # shapes
    ("move: 5", "1:7: move: 5 is not a mapping"),
    ("move:", "1:6: move: is empty: fill it in or remove the key"),
    ("tags: {tag_name: X}", "1:7: tags: a mapping is not a list"),
    ("tags: [PatientID]", "1:8: tags[0]: 'PatientID' is not a mapping"),
    ("sinks: csv", "1:8: sinks: 'csv' is not a list"),
    ("sinks: [3]", "1:9: sinks[0]: 3 is not text or a mapping; put it in quotes"),
    (
        "tags: [{tag_name: 20010010}]",
        "1:19: tags[0].tag_name: 20010010 is not text or a list; put it in quotes",
    ),
    # not there yet
    (
        NET + "called_node: {aetitle: A, ip: b, port: 1, profile: x}}",
        "1:85: net.called_node.profile: x: no such file",
    ),
    ("move: {transform: []}", "1:8: move.transform: is not available in this version"),
    ("email: {}", "1:1: email: is not available in this version"),
    # times
    (
        "move: {start_time: '25:00', end_time: 8}",
        "1:20: move.start_time: '25:00' is not a time (HH, HH:MM or HH:MM:SS)",
    ),
    (
        "move: {start_time: 24, end_time: 8}",
        "1:20: move.start_time: 24 is not a time (HH, HH:MM or HH:MM:SS)",
    ),
    (
        "move: {start_time: 20:60, end_time: 8}",
        "1:20: move.start_time: '20:60' is not a time (HH, HH:MM or HH:MM:SS)",
    ),
    (
        'move: {start_time: "20:00\\n", end_time: 8}',
        "1:20: move.start_time: '20:00\\n' is not a time (HH, HH:MM or HH:MM:SS)",
    ),
    (
        "move: {start_time: true, end_time: 8}",
        "1:20: move.start_time: true is not a time (HH, HH:MM or HH:MM:SS)",
    ),
    ("move: {start_time: 20:00}", "1:8: move.start_time: requires end_time as well"),
    ("move: {end_time: 20:00}", "1:8: move.end_time: requires start_time as well"),
    (
        "move: {timezone: Europe/Zurch}",
        (
            "1:18: move.timezone: 'Europe/Zurch' is not a time zone "
            "such as Europe/Zurich (did you mean 'Europe/Zurich'?)"
        ),
    ),
    (
        "move: {timezone: ../../etc}",
        "1:18: move.timezone: '../../etc' is not a time zone such as Europe/Zurich",
    ),
    (
        "move: {days: [monday]}",
        (
            "1:15: move.days[0]: 'monday' is not one of mon, tue, wed, thu, "
            "fri, sat, sun (did you mean 'mon'?)"
        ),
    ),
    ("move: {days: []}", "1:14: move.days: is empty"),
    ("move: {workers: 0}", "1:17: move.workers: 0 is not a number from 1 to 256"),
    (
        "move: {recheck_after: 0d}",
        "1:23: move.recheck_after: '0d' is not a number of hours, days or weeks (12h, 7d, 2w)",
    ),
    ("move: {attempts: 1.5}", "1:18: move.attempts: 1.5 is not a number from 1 to 256"),
    # dates and matching
    (
        "find: {start_date: 2020}",
        "1:20: find.start_date: 2020 is not a date (YYYYMMDD or YYYY-MM-DD)",
    ),
    (
        "find: {start_date: 20200230}",
        "1:20: find.start_date: 20200230 is not a valid day",
    ),
    (
        "find: {start_date: 20200102, end_date: 2020-01-01}",
        "1:40: find.end_date: 2020-01-01 is before start_date, 2020-01-02",
    ),
    (
        "find: {start_date: 20200101, modality: [CT, MR]}",
        (
            "1:40: find.modality: a list is not one "
            "modality such as CT (capital letters, digits, '_', 16 at most)"
        ),
    ),
    (
        "find: {start_date: 20200101, modality: ct}",
        (
            "1:40: find.modality: 'ct' is not one "
            "modality such as CT (capital letters, digits, '_', 16 at most)"
        ),
    ),
    (
        "find: {start_date: 20200101, query_level: SERIES}",
        "1:43: find.query_level: 'SERIES' is not a query level (PATIENT or STUDY)",
    ),
    (
        "find: {start_date: 20200101, search_fields: [PatientNmae]}",
        (
            "1:46: find.search_fields[0]: 'PatientNmae' is not a DICOM keyword "
            "(did you mean 'PatientName'?)"
        ),
    ),
    (
        "find: {start_date: 20200101, search_fields: [PatientID, PatientID]}",
        "1:57: find.search_fields[1]: 'PatientID' is in the list twice",
    ),
    (
        "find: {start_date: 20200101, search_fields: [RequestAttributesSequence]}",
        (
            "1:46: find.search_fields[0]: 'RequestAttributesSequence' is a sequence, "
            "which cannot be a column"
        ),
    ),
    # nodes
    (
        "net: {local_node: {aetitle: SEVENTEEN_LETTERS}}",
        (
            "1:29: net.local_node.aetitle: 'SEVENTEEN_LETTERS' is not an AE title "
            "(1 to 16 ASCII characters, no backslash, not only spaces)"
        ),
    ),
    (
        "net: {local_node: {aetitle: '  '}}",
        (
            "1:29: net.local_node.aetitle: '  ' is not an AE title "
            "(1 to 16 ASCII characters, no backslash, not only spaces)"
        ),
    ),
    (
        "net: {local_node: {aetitle: 'a\\b'}}",
        (
            "1:29: net.local_node.aetitle: 'a\\\\b' is not an AE title "
            "(1 to 16 ASCII characters, no backslash, not only spaces)"
        ),
    ),
    (
        "net: {local_node: {aetitle: 1234}}",
        (
            "1:29: net.local_node.aetitle: 1234 is not an AE title "
            "(1 to 16 ASCII characters, no backslash, not only spaces); put it in quotes"
        ),
    ),
    (
        "net: {local_node: {aetitle: A, port: 70000}}",
        "1:38: net.local_node.port: 70000 is not a port (1 to 65535)",
    ),
    (
        "net: {local_node: {aetitle: A, port: '104'}}",
        "1:38: net.local_node.port: '104' is not a port (1 to 65535)",
    ),
    (
        NET + "called_node: {aetitle: A, port: 1, ip: 'http://x'}}",
        "1:73: net.called_node.ip: 'http://x' is not an address or a host name",
    ),
    (
        NET + "called_node: {aetitle: A, ip: b, port: 1, charset: ISO_IR_192}}",
        (
            "1:85: net.called_node.charset: 'ISO_IR_192' is not a DICOM Specific Character Set "
            "(did you mean 'ISO_IR 192'?)"
        ),
    ),
    # tags
    (
        "tags: [{tag_name: PatientNmae}]",
        "1:19: tags[0].tag_name: unknown DICOM keyword 'PatientNmae' (did you mean 'PatientName'?)",
    ),
    (
        "tags: [{tag_name: [PatientID, Nonsense]}]",
        "1:31: tags[0].tag_name[1]: unknown DICOM keyword 'Nonsense'",
    ),
    (
        "tags: [{tag_name: PatientID}, {tag_name: PatientID}]",
        "1:42: tags[1].tag_name: the column 'PatientID' is already used by tags[0]",
    ),
    (
        "tags: [{tag_name: PatientID}, {tag_name: PatientName, tag_alias: PatientID}]",
        "1:66: tags[1].tag_alias: the column 'PatientID' is already used by tags[0]",
    ),
    (
        "tags: [{tag_name: PatientID, tag_alias: dicom_path}]",
        "1:41: tags[0].tag_alias: the column 'dicom_path' is already used by pacsfw itself",
    ),
    (
        "tags: [{tag_name: PatientID, type: string}]",
        (
            "1:36: tags[0].type: 'string' is not one of auto, text, int, float, bool, date, "
            "time, datetime, duration, texts, ints, floats, json"
        ),
    ),
    (
        "tags: [{tag_name: PatientID, default_val: []}]",
        "1:43: tags[0].default_val: a list is not text or a number or true or false",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_fault_is_one_line(desk: Desk, text: str, message: str) -> None:
    assert desk.refusal(text + "\n") == [f"conf.yaml:{message}"]


def test_all_faults_are_told_in_the_order_of_the_file(desk: Desk) -> None:
    text = """\
sinks: [xlsx]
move: {start_time: "25:00", end_time: 26, use: wado}
find: {start_date: 20201212, end_date: 20200101, search_fields: [PatientNmae, PatientId]}
mvoe: {}
"""
    assert [line.split(" ")[0] for line in desk.refusal(text)] == [
        "conf.yaml:1:9:",
        "conf.yaml:2:20:",
        "conf.yaml:2:39:",
        "conf.yaml:2:48:",
        "conf.yaml:3:40:",
        "conf.yaml:3:66:",
        "conf.yaml:3:79:",
        "conf.yaml:4:1:",
    ]


def test_a_wrong_key_does_not_hide_what_is_wrong_beside_it(desk: Desk) -> None:
    text = """\
move: {timezone: Nowhere, x: 1}
storage: {resources: a.csv, directory: d, sort_by: nothing, x: 1}
tags: [{tag_name: Nonsense, callback: nothing, x: 1}]
sinks: [{use: csv, with: {path: 5}, x: 1}]
"""
    assert [" ".join(line.split(" ")[:2]) for line in desk.refusal(text)] == [
        "conf.yaml:1:18: move.timezone:",
        "conf.yaml:1:27: move.x:",
        "conf.yaml:2:52: storage.sort_by:",
        "conf.yaml:2:61: storage.x:",
        "conf.yaml:3:19: tags[0].tag_name:",
        "conf.yaml:3:39: tags[0].callback:",
        "conf.yaml:3:48: tags[0].x:",
        "conf.yaml:4:33: sinks[0].with.path:",
        "conf.yaml:4:37: sinks[0].x:",
    ]


SHAPES = ["", "5", "x", "[]", "{}", "[5]", "[{}]", "{x: 1}", "[[]]", "[x]", "true", "'${X}'"]
SECTIONS = ["net", "find", "move", "storage", "tags", "sinks", "observers", "plugins", "lamp"]


@pytest.mark.parametrize("shape", quick(SHAPES, "", "x", "[{}]", "{x: 1}"))
@pytest.mark.parametrize("section", SECTIONS)
def test_no_shape_of_a_section_ends_in_a_traceback(desk: Desk, section: str, shape: str) -> None:
    for key in (
        "",
        "use",
        "with",
        "local_node",
        "called_node",
        "search_fields",
        "callback",
        "load",
    ):
        inner = f"{{{key}: {shape}}}" if key else shape
        for text in (f"{section}: {inner}\n", f"{section}: [{inner}]\n"):
            with suppress(PacsfwError):
                desk.load(text)


def test_faults_of_the_file_outweigh_missing_plugins(desk: Desk) -> None:
    with pytest.raises(ConfigError) as caught:
        desk.load("sinks: [xlsx]\nmvoe: {}\n")
    assert len(caught.value.problems) == 2
    assert caught.value.exit_code == 2


def test_the_text_of_a_json_file_is_located_as_well(desk: Desk) -> None:
    text = '{\n  "find": {"start_date": "2020"}\n}'
    assert desk.refusal(text, "conf.json") == [
        "conf.json:2:26: find.start_date: '2020' is not a date (YYYYMMDD or YYYY-MM-DD)"
    ]
