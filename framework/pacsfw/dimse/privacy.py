"""pynetdicom kept from telling: it logs identifiers and, in tracebacks, values."""

from __future__ import annotations

import logging

from pynetdicom import _config


def silence_pynetdicom() -> None:
    """Let nothing that a peer sent reach a log through pynetdicom.

    Its records would quote names and IDs (identifiers at INFO, values in the tracebacks of
    decoding errors). What there is to say pacsfw says itself.
    """
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
