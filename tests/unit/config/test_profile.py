"""``net.called_node.profile``: what is read from it, refused, and warned of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pacsfw.api import Clock, Net, Node, Profile
from pacsfw.config import load
from pacsfw.probe import Findings, yaml_file

if TYPE_CHECKING:
    from conftest import Desk

CONF = """\
net:
  local_node: {{aetitle: MYTITLE}}
  called_node:
    aetitle: THEIRTITLE
    ip: pacs.example.org
    port: 104
    profile: {profile}
{more}"""

PROFILE = """\
format: 1
calling: MYTITLE
called: {aetitle: THEIRTITLE, ip: pacs.example.org, port: 104}
"""

NET = Net(
    local=Node(aetitle="MYTITLE"),
    called=Node(aetitle="THEIRTITLE", ip="pacs.example.org", port=104),
)


def conf(profile: str = "pacs.profile.yaml", more: str = "") -> str:
    return CONF.format(profile=profile, more=more)


def called(desk: Desk, profile: str, more: str = "") -> tuple[Node, tuple[str, ...]]:
    desk.write(profile, "pacs.profile.yaml")
    config = desk.load(conf(more=more)).config
    assert config.net is not None
    assert config.net.called is not None
    return config.net.called, config.warnings


def test_what_probe_writes_is_read_back(desk: Desk) -> None:
    book = Findings()
    for keyword in ("StudyDate", "PatientID", "StudyDescription"):
        book.note("match", keyword, True, "1 row: [it] 'is' # so")
    book.note("match", "ModalitiesInStudy", False, "x")
    book.note("match", "StudyID", None, "x")
    book.note("model", "study-find", True, "accepted")
    book.note("model", "study-move", False, "not accepted")
    book.note("returned", "PatientSex", True, "x")
    book.note("returned", "PatientBirthDate", False, "x")
    book.note("wildcard", "PatientID", True, "x")
    book.note("range", "StudyDate", True, "x")
    book.note("before_limit", "StudyDescription", True, "x")
    book.note("case", "PatientName", True, "x")
    book.note("limit", "", 500, "x")
    book.note("rows_seen", "", 500, "x")
    book.note("charset", "", "\\ISO 2022 IR 87", "x")
    book.note("associations", "", 4, "x")
    now = Clock().now()
    node, warnings = called(desk, yaml_file(book, NET, now))
    assert node.profile == book.profile(NET, now)
    assert node.profile.folds_case is True
    assert (node.profile.limit, node.profile.before_limit) == (500, {"StudyDescription"})
    assert warnings == ()


def test_an_empty_book_is_read_back_too(desk: Desk) -> None:
    now = Clock().now()
    node, _ = called(desk, yaml_file(Findings(), NET, now))
    assert node.profile == Findings().profile(NET, now)


def test_without_a_profile_nothing_is_known(desk: Desk) -> None:
    config = desk.load(conf().replace("    profile: pacs.profile.yaml\n", "")).config
    assert config.net is not None
    assert config.net.called is not None
    assert config.net.called.profile == Profile()


def test_the_path_starts_from_the_folder_of_the_configuration(desk: Desk) -> None:
    (desk.folder / "site").mkdir()
    desk.write(PROFILE + "limit: 7\n", "site/pacs.yaml")
    loaded = desk.load(conf("pacs.yaml"), "site/conf.yaml")
    assert loaded.config.net is not None
    assert loaded.config.net.called is not None
    assert loaded.config.net.called.profile.limit == 7
    assert loaded.config.raw["net"]["called_node"]["profile"] == str(
        desk.folder / "site" / "pacs.yaml"
    )


def test_it_may_be_json(desk: Desk) -> None:
    tree = {"format": 1, "called": {"aetitle": "THEIRTITLE", "ip": "x", "port": 1}, "rows_seen": 5}
    desk.write(json.dumps(tree), "pacs.json")
    net = desk.load(conf("pacs.json")).config.net
    assert net is not None
    assert net.called is not None
    assert net.called.profile.rows_seen == 5


def test_a_missing_file_is_named_where_it_is_asked_for(desk: Desk) -> None:
    assert desk.refusal(conf()) == [
        "conf.yaml:7:14: net.called_node.profile: pacs.profile.yaml: no such file"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: [study-fnd]", "4:10: models[0]: 'study-fnd' is not one of study-find"),
        ("honored: []", "4:1: honored: unknown key (did you mean 'honoured'?)"),
        ("limit: 0", "4:8: limit: 0 is less than 1"),
        ("limit: many", "4:8: limit: 'many' is not a whole number"),
        ("folds_case: 1", "4:13: folds_case: 1 is not true or false"),
        ("honoured: [ModalitesInStudy]", "4:12: honoured[0]: 'ModalitesInStudy' is not a DICOM"),
        ("honoured: [StudyID]\nignored: [StudyID]", "5:11: ignored[0]: 'StudyID' is also in"),
        ("before_limit: [StudyID]", "4:16: before_limit[0]: 'StudyID' is not in honoured"),
        ("format: 2", "4:1: format: duplicate key (first on line 1)"),
        ("limit: [", "4:9: not valid YAML"),
    ],
)
def test_a_fault_in_it_has_its_line(desk: Desk, text: str, message: str) -> None:
    desk.write(PROFILE + text, "pacs.profile.yaml")
    (line,) = desk.refusal(conf())
    where = "conf.yaml:7:14: net.called_node.profile: pacs.profile.yaml:"
    assert line.startswith(where + message)


def test_all_its_faults_are_told(desk: Desk) -> None:
    desk.write("format: 3\nlimit: -1\n", "pacs.profile.yaml")
    lines = desk.refusal(conf())
    assert len(lines) == 3
    assert "called is missing" in "\n".join(lines)


def test_a_file_that_others_may_change_is_refused(desk: Desk) -> None:
    desk.write(PROFILE, "pacs.profile.yaml").chmod(0o666)
    assert "other users can modify it" in desk.refusal(conf())[0]


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        (
            "aetitle: THEIRTITLE",
            "aetitle: OTHER",
            "the profile is of OTHER at pacs.example.org:104",
        ),
        ("pacs.example.org", "10.0.0.1", "the profile is of THEIRTITLE at 10.0.0.1:104"),
        ("port: 104", "port: 105", "THEIRTITLE at pacs.example.org:105, not of THEIRTITLE"),
        ("calling: MYTITLE", "calling: YOURS", "probed as YOURS, but we are MYTITLE"),
    ],
)
def test_the_profile_of_another_pacs_is_warned_of(
    desk: Desk, old: str, new: str, warning: str
) -> None:
    _, warnings = called(desk, PROFILE.replace(old, new))
    (found,) = warnings
    assert found.startswith("conf.yaml:7:14: net.called_node.profile: ")
    assert warning in found


@pytest.mark.parametrize(
    ("associations", "more", "used", "warned"),
    [
        (1, "", 1, False),
        (8, "", 2, False),
        (0, "", 2, False),
        (3, "    max_associations: 5\n", 3, True),
        (3, "    max_associations: 3\n", 3, False),
        (8, "    max_associations: 5\n", 5, False),
    ],
)
def test_no_more_associations_are_opened_than_the_pacs_serves(
    desk: Desk, associations: int, more: str, used: int, warned: bool
) -> None:
    node, warnings = called(desk, f"{PROFILE}associations: {associations}\n", more)
    assert node.max_associations == used
    assert bool(warnings) == warned
    if warned:
        assert "conf.yaml:8:23: net.called_node.max_associations: 5 is more" in warnings[0]
        assert warnings[0].endswith("using 3")


def test_a_profile_that_is_to_be_written_is_not_read(desk: Desk) -> None:
    path = desk.write(conf())
    config = load(path, desk.registry_for, env={}, cwd=desk.folder, with_profile=False).config
    assert config.net is not None
    assert config.net.called is not None
    assert config.net.called.profile == Profile()
    assert config.raw["net"]["called_node"]["profile"] == str(desk.folder / "pacs.profile.yaml")
