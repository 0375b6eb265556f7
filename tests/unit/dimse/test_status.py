import pytest
from pynetdicom.status import QR_FIND_SERVICE_CLASS_STATUS, QR_MOVE_SERVICE_CLASS_STATUS

from pacsfw.dimse.status import Service, describe


@pytest.mark.parametrize(
    ("status", "service", "words"),
    [
        (0x0000, "C-FIND", "0000: Success"),
        (0xA801, "C-MOVE", "A801: Refused: move destination unknown"),
        (0xA700, "C-FIND", "A700: Refused: out of resources"),
        (0xA710, "C-STORE", "A710: Refused: out of resources"),
        (0xFE00, "C-FIND", "FE00: Cancelled"),
        (0xC000, "C-MOVE", "address and port"),
        (0xC123, "C-FIND", "C123: Failure: unable to process"),
        (0xC210, "C-STORE", "C210: Failure: cannot understand"),
        (0x0122, "C-ECHO", "0122: Refused: SOP class not supported"),
        (0xB123, "C-MOVE", "B123: Warning unknown to the standard"),
        (0x1234, "C-ECHO", "1234: Status unknown to the standard"),
        (None, "C-MOVE", "no final response"),
    ],
)
def test_a_status_is_said_in_words(status: int | None, service: Service, words: str) -> None:
    assert words in describe(status, service)


@pytest.mark.parametrize(
    ("service", "statuses"),
    [("C-FIND", QR_FIND_SERVICE_CLASS_STATUS), ("C-MOVE", QR_MOVE_SERVICE_CLASS_STATUS)],
)
def test_every_status_of_the_standard_has_words(service: Service, statuses) -> None:
    assert [one for one in statuses if "unknown to the standard" in describe(one, service)] == []
