"""A name that pacsfw itself offers means the bundled component, whatever is installed."""

from __future__ import annotations

import json

import pytest

from pacsfw.config import schema
from pacsfw.errors import ComponentConflict
from pacsfw.plugins import registry_of
from pacsfw.plugins.discovery import Candidate
from support.dists import LAYOUT

SAME = """
from pacsfw import Component, hookimpl
from pacsfw.api import Sink

class Mine(Sink):
    def __init__(self, path="x"):
        pass
    def deliver(self, batch):
        pass

@hookimpl
def pacsfw_layouts():
    yield Component(name="PATIENT", factory=lambda: lambda header: [header.SOPInstanceUID])

@hookimpl
def pacsfw_sinks():
    yield Component(name="csv", factory=Mine, accepts=(".csv", ".mine"))

@hookimpl
def pacsfw_query_providers():
    yield Component(name="cfind", factory=list)
"""
OTHER = SAME.replace('name="csv"', 'name="other"')


def registry(**codes):
    found = []
    for distribution, code in codes.items():
        module = type(distribution, (), {})()
        exec(code, vars(module))
        found.append(Candidate("p", distribution, "1.0", lambda module=module: module))
    return registry_of(*found)


@pytest.mark.parametrize("order", [("pacsfw", "another"), ("another", "pacsfw")])
def test_the_bundled_one_is_meant(order):
    offered = registry(**dict.fromkeys(order, SAME))

    assert offered.select("layout", "PATIENT").distribution == "pacsfw"
    assert offered.select("layout", "another/PATIENT").distribution == "another"
    assert offered.sink_for("table.csv").distribution == "pacsfw"


def test_the_bundled_sink_writes_what_both_claim():
    assert registry(pacsfw=SAME, another=OTHER).sink_for("x.csv").component.name == "csv"


def test_two_packages_of_others_are_still_a_conflict():
    offered = registry(one=SAME, another=SAME)

    with pytest.raises(ComponentConflict, match="use 'another/PATIENT' or 'one/PATIENT'"):
        offered.select("layout", "PATIENT")
    with pytest.raises(ComponentConflict, match="is claimed by the sinks"):
        offered.sink_for("x.mine")


def test_defaults_and_plain_names_do_not_change(dists):
    dists.install("site_same", SAME)
    text = "storage: {resources: r.csv, directory: d, sort_by: PATIENT}\n"
    text += "find: {start_date: '20200101'}\n"

    ran = dists.run("config", "check", dists.configure(text))

    assert ran.returncode == 0, ran.stderr
    named = text.replace("PATIENT", "site-same/PATIENT")
    dists.imports()
    assert dists.run("config", "check", dists.configure(named)).returncode == 0
    assert len(dists.imports()) == 1


def test_they_are_listed_with_the_name_to_write_and_noted_by_the_doctor(dists):
    dists.install("site_same", SAME)

    entries = json.loads(dists.run("plugins", "list", "--json").stdout)
    states = {each["distribution"]: each["state"] for each in entries if each["name"] == "PATIENT"}
    assert states == {"pacsfw": "ok", "site-same": "ok as site-same/PATIENT"}
    doctor = dists.run("plugins", "doctor")
    assert doctor.returncode == 0
    assert "note: layout 'PATIENT' is bundled, and also offered by site-same 1.2" in doctor.stdout
    assert "the other is 'site-same/PATIENT'" in doctor.stdout


def test_the_schema_for_editors_has_the_options_of_the_bundled_one():
    bundled = SAME.replace(
        'name="PATIENT"', 'name="PATIENT", schema={"type": "object", "title": "ours"}'
    )

    composed = schema(registry(zzz=SAME, pacsfw=bundled, aaa=SAME))

    (rule,) = composed["$defs"]["layout"]["allOf"]
    assert rule["then"]["properties"]["with"]["title"] == "ours"


def test_layouts_of_others_with_other_names_are_not_touched(dists):
    dists.install("site_one", LAYOUT.format(name="one"))

    assert dists.run("plugins", "doctor").stdout.endswith("no problems found\n")
