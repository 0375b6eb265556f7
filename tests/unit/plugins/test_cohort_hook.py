"""A cohort of a plugin: chosen by name or suffix, guarded, and read row by row."""

from __future__ import annotations

import pytest

from pacsfw.api import Cohort, CohortHeader, CohortProblem, CohortRow, Component
from pacsfw.errors import ComponentError, ConfigError
from pacsfw.plugins.records import Offer
from pacsfw.plugins.registry import Registry
from pacsfw.steps.find.cohort import read


class Listing(Cohort):
    def __init__(self, items=()):
        self._items = items

    def rows(self):
        yield from self._items


@pytest.fixture
def registry():
    """As of a plugin with the hook pacsfw_cohorts."""
    component = Component(name="mine", factory=Listing, schema={}, accepts=(".mine",))
    return Registry([Offer("cohort", component, "mine", "house", "1.2")])


def listed(registry, *items):
    return read(registry.build("cohort", "mine", {"items": items}).rows())


def test_it_is_chosen_by_name_and_by_suffix(registry):
    assert registry.claiming("cohort", "a.mine").component.name == "mine"
    members = listed(registry, CohortRow("1", [("patientid", "P1"), ("_x", 3.5)]))
    assert [dict(member.keys) for member in members] == [{"PatientID": "P1"}]


def test_what_is_wrong_is_told_with_its_place(registry):
    with pytest.raises(ConfigError) as caught:
        listed(
            registry,
            CohortRow("row 1", [("PatientID", 1.5)]),
            CohortProblem("row 2", "is torn"),
            CohortRow("row 3", [("PatientIDs", "1")]),
        )
    assert list(caught.value.problems)[:2] == [
        "row 1: PatientID is neither a text nor a whole number",
        "row 2: is torn",
    ]
    assert caught.value.problems[2].startswith("row 3: column 1: 'PatientIDs' is not a DICOM")


def test_behind_a_wrong_header_no_row_is_read(registry):
    header = CohortHeader("line 1", ["PatientID", "Rubbish"])
    with pytest.raises(ConfigError) as caught:
        listed(registry, header, CohortProblem("line 2", "is torn"))
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("item", "wrong"),
    [
        ({"PatientID": "1"}, "yielded dict, not CohortRow"),
        (CohortRow("1", {"PatientID": "1"}), "a row whose cells are dict"),
        (CohortRow("1", [("PatientID",)]), "something that is not (column, value)"),
        (CohortRow("1", [("PatientID", "\udcff")]), "a text that UTF-8 cannot represent"),
        (CohortRow(1, [("PatientID", "1")]), "returned int, not str"),
    ],
)
def test_each_item_is_checked(registry, item, wrong):
    with pytest.raises(ComponentError) as caught:
        listed(registry, item)
    assert wrong in str(caught.value)
    assert "cohort 'mine' (from house 1.2): rows: " in str(caught.value)
