"""Which layout placed each instance, which callbacks read its row, which converter made files."""

from __future__ import annotations

import pytest

from pacsfw.ledger import Ledger
from pacsfw.ledger.cells import encode
from pacsfw.ledger.conversions import Conversion
from unit.ledger.records import NOW, instance


def component(kind: str, version: str = "1.0", **facts: str) -> dict[str, str]:
    usual = {"name": "mine", "distribution": "site", "code": "", "fingerprint": "", "options": "o"}
    return {"kind": kind, "version": version, **usual, **facts}


@pytest.fixture
def sets(ledger: Ledger) -> dict[str, int]:
    ledger.studies.add("1.2", {}, "find")
    return {
        f"{kind} {version}": ledger.provenance.id_of([component(kind, version)])
        for kind in ("layout", "callback")
        for version in ("1.0", "2.0")
    }


def stored(ledger: Ledger, uid: str = "1.2.3"):
    [found] = [each for each in ledger.instances.of_study("1.2") if each.sop_uid == uid]
    return found


def test_the_same_components_are_kept_once_in_any_order(ledger):
    one, other = component("callback"), component("callback", name="other")
    first = ledger.provenance.id_of([one, other])
    assert ledger.provenance.id_of([other, one, one]) == first
    assert ledger.provenance.id_of([one]) != first
    assert ledger.provenance.id_of([]) == ledger.provenance.id_of([])


def test_rows_that_are_read_again_keep_the_layout_that_placed_them(ledger, sets):
    old, new = ({"read_by": sets[f"callback {v}"]} for v in ("1.0", "2.0"))
    ledger.instances.record(instance(placed_by=sets["layout 1.0"], **old), NOW)
    version = ledger.studies.get("1.2").version

    # The same cells: nothing is to be delivered, but other callbacks have read them.
    assert not ledger.instances.record(instance(placed_by=sets["layout 2.0"], **new), NOW)

    assert ledger.studies.get("1.2").version == version
    assert ledger.provenance.of_instance(stored(ledger)) == {
        "layout": ["'mine' (from site 1.0)"],
        "callback": ["'mine' (from site 2.0)"],
    }
    changed = instance(placed_by=sets["layout 2.0"], row=encode(["b"]), **old)
    assert ledger.instances.record(changed, NOW)
    assert stored(ledger).placed_by == sets["layout 1.0"]


def test_an_instance_at_another_path_was_placed_by_the_present_layout(ledger, sets):
    ledger.instances.record(instance(placed_by=sets["layout 1.0"]), NOW)
    ledger.instances.record(instance(placed_by=sets["layout 2.0"], path="q/1.dcm"), NOW)
    assert stored(ledger).placed_by == sets["layout 2.0"]


def test_a_study_has_all_components_of_its_instances(ledger, sets):
    ledger.instances.record(instance("1", placed_by=sets["layout 1.0"]), NOW)
    ledger.instances.record(instance("2", placed_by=sets["layout 2.0"]), NOW)
    ledger.instances.record(instance("3"), NOW)

    both = ["'mine' (from site 1.0)", "'mine' (from site 2.0)"]
    assert ledger.provenance.of_study("1.2") == {"layout": both}
    assert sorted(ledger.provenance.layouts()) == both
    assert ledger.provenance.of_instance(stored(ledger, "3")) == {}, "an older pacsfw stored it"


def test_a_conversion_names_the_code_that_made_it(ledger, sets):
    made_by = ledger.provenance.id_of([component("converter", code="abcdef0123456789")])
    for item, number in (("new", made_by), ("old", None)):
        conversion = Conversion(
            converter="c",
            item=item,
            study_uid="1.2",
            fingerprint="f",
            state="done",
            reason="",
            component="'mine' (from site 0.9)",
            made_by=number,
        )
        ledger.conversions.record(conversion, (), NOW)

    assert ledger.provenance.converters("1.2") == [
        "'mine' (from site 0.9)",
        "'mine' (from site 1.0, code abcdef012345)",
    ]
