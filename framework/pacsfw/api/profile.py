"""What a PACS was found to be able to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A PACS as `pacsfw probe` found it; what is empty, None or 0 is not known."""

    probed_at: str = ""
    """ISO 8601, UTC."""
    calling: str = ""
    """Our AE title then: a PACS may treat others differently."""
    called: str = ""
    """The AE title of the PACS, which was at ``ip`` and ``port``."""
    ip: str = ""
    port: int = 0
    models: frozenset[str] = frozenset()
    """Accepted of ``study-find``, ``study-move``, ``study-get``, ``patient-find``,
    ``patient-move``, ``patient-get`` and ``dicomweb``."""
    returned: frozenset[str] = frozenset()
    """Optional keywords that answers at STUDY level hold."""
    not_returned: frozenset[str] = frozenset()
    """Optional keywords that they do not hold although asked for."""
    honoured: frozenset[str] = frozenset()
    """Matching keys at STUDY level that are honoured."""
    ignored: frozenset[str] = frozenset()
    """Matching keys at STUDY level that are ignored: rows come that do not match."""
    wildcards: frozenset[str] = frozenset()
    """Of those honoured, the ones proven to be matched with ``*``."""
    ranges: frozenset[str] = frozenset()
    """Of those honoured, the ones proven to be matched by range."""
    before_limit: frozenset[str] = frozenset()
    """Of those honoured, the ones proven to be applied before any limit of rows. An optional
    key is sent for matching only if it is among these."""
    folds_case: bool | None = None
    """Whether PatientName is matched without regard to case."""
    limit: int | None = None
    """Rows after which answers are cut short; None where no limit was seen."""
    rows_seen: int = 0
    """The most rows that one answer held."""
    charset: str = ""
    """Specific Character Set of the answers, the most frequent one."""
    associations: int = 0
    """How many associations were open at the same time before one was rejected."""
