"""Records that the tests of the ledger put into it."""

from __future__ import annotations

from datetime import UTC, datetime

from pacsfw.api import Verdict
from pacsfw.ledger import Ledger
from pacsfw.ledger.cells import encode
from pacsfw.ledger.instances import Instance

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COMPLETE = Verdict(state="complete", expected=1, stored=1, source="image-uids")


def instance(uid: str = "1.2.3", **changes: object) -> Instance:
    values = {
        "sop_uid": uid,
        "digest": "d" + uid,
        "study_uid": "1.2",
        "series_uid": "1.2.1",
        "sop_class": "1.2.840",
        "syntax": "1.2.840.10008.1.2.1",
        "size": 10,
        "path": f"p/{uid}.dcm",
        "state": "stored",
        "row": encode(["a", 1, None]),
    }
    return Instance(**(values | changes))


def settle(ledger: Ledger, uid: str, verdict: Verdict = COMPLETE) -> None:
    ledger.studies.settle(uid, verdict, NOW, {"transfer": "cmove"})
