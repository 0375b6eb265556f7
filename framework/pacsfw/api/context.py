"""What components are told about the run."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pacsfw.api.listener import Accept, Limits, Tls
from pacsfw.api.profile import Profile


class Clock:
    """The clocks of a run; tests inject their own."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds of a clock that is never set back."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until the event is set, ``seconds`` at most; True when it is set."""
        return event.wait(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A DICOM application entity.

    ``ip`` is empty for a node that only listens; ``port`` is 0 where none was given.
    """

    aetitle: str
    ip: str = ""
    port: int = 0
    bind: str = ""
    """Address to listen on; empty means every address."""
    charset: str = ""
    """Specific Character Set (PS3.3 C.12.1.1.2) of queries with non-ASCII values."""
    max_associations: int = 2
    profile: Profile = field(default_factory=Profile)
    """What `pacsfw probe` found, if the configuration names such a file."""
    tls: Tls | None = None
    """How connections are encrypted; None: not at all."""
    accept: Accept = field(default_factory=Accept)
    """Whom and what it lets in, where it listens."""
    limits: Limits = field(default_factory=Limits)
    """How much senders may take, where it listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomWeb:
    """A DICOMweb server (PS3.18). No ``repr`` shows headers or credentials."""

    url: str
    """Base of the services, such as ``https://pacs.example/dicom-web``."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    """Sent as ``Authorization: Bearer``."""
    verify: bool | str = True
    """False accepts any certificate; a path names the certificates to trust."""
    timeout: float = 60.0
    """Seconds to wait for a connection, and for each piece of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """The ``net`` section: who we are, whom we ask, and where the objects shall go."""

    local: Node
    called: Node | None = None
    dest: Node | None = None
    dicomweb: DicomWeb | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentInfo:
    """A component that the configuration uses, and whose it is."""

    kind: str
    name: str
    distribution: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What every component may know about the run. Grows by attribute; picklable."""

    run_id: str
    workdir: Path
    """A folder of the run's own, inside ``storage.state``."""
    net: Net | None
    sections: Mapping[str, Any]
    """The plugin-owned top-level keys of the configuration, by key."""
    clock: Clock
    log: logging.Logger
    components: tuple[ComponentInfo, ...] = ()
    """Everything that has a part in the run."""


class Closing:
    """Opened once where the object will work, closed at the end; both may do nothing."""

    def open(self, context: RunContext) -> None:
        """Acquire what the work needs: connections, files."""

    def close(self) -> None:
        """Give it back. Called once, also after a failure."""
