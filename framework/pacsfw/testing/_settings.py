"""The data exchanged between an `EmbeddedPACS` and its child process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pacsfw.testing.pacs_faults import Faults
from pacsfw.testing.synthetic import Study


@dataclass(frozen=True, slots=True)
class Logged:
    """One request that the PACS received."""

    service: str
    """``C-ECHO``, ``C-FIND``, ``C-MOVE`` or ``C-GET``."""
    level: str
    """Query/Retrieve level."""
    keys: Mapping[str, str]
    """The identifier: keyword to value, several values joined by a backslash."""
    status: int | None = None
    """The final status; None until it is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings at the start of the child process."""

    aetitle: str
    port: int
    folder: Path | None
    studies: tuple[Study, ...]
    destinations: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    delay: float
    fold_names: bool
    fold_titles: bool = False
    max_associations: int
    faults: Faults = field(default_factory=Faults)
