"""Silence pynetdicom: it logs identifiers and, in tracebacks, values."""

from __future__ import annotations

import logging

from pynetdicom import _config


def silence_pynetdicom() -> None:
    """Keep the data of peers out of pynetdicom's logs.

    Its records would quote names and IDs (identifiers at INFO, values in the tracebacks of
    decoding errors). pacsfw reports what is relevant itself.
    """
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
