"""The information about the run that components receive."""

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
    """The clocks of a run; tests use their own."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the seconds of a clock that never goes backwards."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait at most ``seconds`` for the event; return whether it is set."""
        return event.wait(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A DICOM application entity.

    ``ip`` is empty for a node that only listens; ``port`` is 0 if none was given.
    """

    aetitle: str
    ip: str = ""
    port: int = 0
    bind: str = ""
    """Address to listen on; empty: all addresses."""
    charset: str = ""
    """Specific Character Set (PS3.3 C.12.1.1.2) of queries with non-ASCII values."""
    max_associations: int = 2
    profile: Profile = field(default_factory=Profile)
    """The profile from `pacsfw probe`, if the configuration names one."""
    tls: Tls | None = None
    """Encryption of connections; None: not encrypted."""
    accept: Accept = field(default_factory=Accept)
    """What it accepts, if it listens."""
    limits: Limits = field(default_factory=Limits)
    """Limits for senders, if it listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomWeb:
    """A DICOMweb server (PS3.18). Its ``repr`` does not show headers or credentials."""

    url: str
    """Base URL of the services, such as ``https://pacs.example/dicom-web``."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    """Sent as ``Authorization: Bearer``."""
    verify: bool | str = True
    """False accepts any certificate; a path contains the certificates to trust."""
    timeout: float = 60.0
    """Timeout in seconds of a connection attempt, and of each read of a response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """The ``net`` section: our node, the PACS, and the destination of the instances."""

    local: Node
    called: Node | None = None
    retrieve: Node | None = None
    """From where instances are retrieved, if that is not ``called``."""
    dest: Node | None = None
    dicomweb: DicomWeb | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentInfo:
    """A component that the configuration uses: its package, its code and its data."""

    kind: str
    name: str
    distribution: str
    """That of its plugin; the path of a one-file plugin."""
    version: str
    code: str = ""
    """SHA-256 of its source code; empty if it is compiled, or part of pacsfw."""
    fingerprint: str = ""
    """What it says of the data that it reads, see `Closing.fingerprint`."""

    @property
    def described(self) -> str:
        """Name, distribution and version, the beginning of the digest, and the fingerprint."""
        facts = [f"from {self.distribution} {self.version}".strip()]
        facts += [f"code {self.code[:12]}"] if self.code else []
        facts += [f"data {self.fingerprint}"] if self.fingerprint else []
        return f"{self.name!r} ({', '.join(facts)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The run, for every component. Only gains attributes; picklable."""

    run_id: str
    workdir: Path
    """A folder for this run, inside ``storage.state``."""
    net: Net | None
    sections: Mapping[str, Any]
    """The sections of plugins in the configuration, by key."""
    clock: Clock
    log: logging.Logger
    components: tuple[ComponentInfo, ...] = ()
    """All components of the run."""


class Closing:
    """Opened once in the process that uses it, closed at the end; both may do nothing."""

    def fingerprint(self) -> str:
        """Return a text that changes with the data that the results depend on.

        For example `pacsfw.durable.digest_of` a file that an option names. Called before `open`,
        at the start of each run. At most 200 printable ASCII characters, without values of
        patients: the ledger and manifests show it.
        """
        return ""

    def open(self, context: RunContext) -> None:
        """Acquire resources such as connections and files."""

    def close(self) -> None:
        """Release them. Called once, also after a failure."""

    def check(self, context: RunContext) -> str | None:
        """Try whether it could work now, for ``pacsfw plugins doctor -f``.

        Called on an object that is not opened, for at most 30 seconds. It changes nothing, at
        the peer either, and releases what it uses.

        Returns
        -------
        str or None
            What does not work and what to do, without patient values; None if all is well. A
            `pacsfw.errors.PacsfwError` or `pacsfw.errors.Retry` means the same.
        """
        return None
