"""The capabilities of a PACS."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A PACS as probed by `pacsfw probe`; empty, None or 0 mean unknown."""

    probed_at: str = ""
    """ISO 8601, UTC."""
    calling: str = ""
    """Our AE title during the probe: a PACS may treat others differently."""
    called: str = ""
    """The AE title of the PACS, at ``ip`` and ``port``."""
    ip: str = ""
    port: int = 0
    models: frozenset[str] = frozenset()
    """Accepted of ``study-find``, ``study-move``, ``study-get``, ``patient-find``,
    ``patient-move``, ``patient-get`` and ``dicomweb``."""
    returned: frozenset[str] = frozenset()
    """Optional keywords that query results at STUDY level contain."""
    not_returned: frozenset[str] = frozenset()
    """Optional keywords that they lack although requested."""
    honoured: frozenset[str] = frozenset()
    """Matching keys at STUDY level that are honoured."""
    ignored: frozenset[str] = frozenset()
    """Matching keys at STUDY level that are ignored: rows are returned that do not match."""
    wildcards: frozenset[str] = frozenset()
    """Honoured keys that are proven to support ``*``."""
    ranges: frozenset[str] = frozenset()
    """Honoured keys that are proven to support ranges."""
    before_limit: frozenset[str] = frozenset()
    """Honoured keys that are proven to be applied before any limit of rows. An optional key is
    sent for matching only if it is one of these."""
    refused_keys: frozenset[str] = frozenset()
    """Return keys of STUDY queries that are refused: a query with one of them fails."""
    folds_case: bool | None = None
    """Whether PatientName matching ignores case."""
    limit: int | None = None
    """Rows after which query results are cut; None if no limit was seen."""
    rows_seen: int = 0
    """The most rows in one query result."""
    charset: str = ""
    """Most frequent Specific Character Set of the query results."""
    retrieve_aetitle: str = ""
    """The AE title from which its query results say that studies can be retrieved."""
    associations: int = 0
    """Number of associations open at the same time before one was rejected."""
