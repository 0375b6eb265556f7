"""The boundary of a component: whatever its code raises becomes a fault of that component.

Every call into a component goes through a `Boundary`, and nothing else catches its exceptions.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from pacsfw.errors import ComponentError, OwnSignal, PacsfwError, Retry, Skip

R = TypeVar("R")

DEBUG_VARIABLE = "PACSFW_DEBUG"
"""The file to which the tracebacks of components are appended, set by ``--debug-plugins``.

They contain the texts of exceptions, which may name patients: the file is private.
"""
DEBUG_FILE = "plugin-debug.log"
"""Its name in the state folder of a collection; otherwise in the working directory."""
_FRAMEWORK = str(Path(__file__).parent.parent)


class Fault(NamedTuple):
    """One failure of a component.

    ``component`` is its name, distribution and version; ``reason`` contains no value of an
    instance; ``item`` is the UID of what was being worked on.
    """

    kind: str
    component: str
    method: str
    reason: str
    item: str = ""

    def __str__(self) -> str:
        """Return component, method and reason."""
        return f"{self.kind} {self.component}: {self.method}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a component that has not returned; ``since`` is a time of `time.monotonic`."""

    kind: str
    component: str
    method: str
    item: str
    since: float


class FaultLog:
    """The faults of the components of one process, and the calls; used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Fault] = Counter()
        self._calls: dict[int, Call] = {}
        self._numbers = itertools.count()

    @contextmanager
    def calling(self, kind: str, component: str, method: str, item: str) -> Iterator[None]:
        """Note a call while it lasts."""
        number = next(self._numbers)
        self._calls[number] = Call(kind, component, method, item, time.monotonic())
        try:
            yield
        finally:
            del self._calls[number]

    def calls(self) -> list[Call]:
        """Return the calls that have not returned."""
        return list(self._calls.copy().values())

    def add(self, fault: Fault) -> None:
        """Count a fault: once for an item, as it may be tried several times."""
        with self._lock:
            self._counts[fault] = 1 if fault.item else self._counts[fault] + 1

    def counts(self) -> dict[Fault, int]:
        """Return each fault and how often it occurred, in order of their first occurrence."""
        with self._lock:
            return dict(self._counts)


class Boundary:
    """Calls the code of one component.

    Parameters
    ----------
    passing
        The exceptions that the contract of its kind allows: they are not faults.
    log
        Counts the faults.
    """

    def __init__(
        self,
        kind: str,
        component: str,
        passing: tuple[type[BaseException], ...] = (),
        log: FaultLog | None = None,
    ) -> None:
        self.kind, self.component, self.passing = kind, component, passing
        self.log = log or FaultLog()

    def call(self, method: str, function: Callable[..., R], *args: Any) -> R:
        """Call a method of the component.

        Raises
        ------
        ComponentError
            It raised something that the contract of its kind does not allow.
        """
        return self.call_for("", method, function, *args)

    def call_for(
        self,
        item: str,
        method: str,
        function: Callable[..., R],
        *args: Any,
        also: tuple[type[BaseException], ...] = (),
        **kwargs: Any,
    ) -> R:
        """Call a method as `call` does, for the item with this UID.

        Parameters
        ----------
        also
            Exceptions that this method may raise as well.
        """
        try:
            return function(*args, **kwargs)
        except BaseException as err:
            if isinstance(err, (*self.passing, *also)) or is_own_signal(err):
                raise
            if isinstance(err, ComponentError) and err.fault is not None:
                raise  # found by a check of our own, within the call
            write_traceback(self.kind, self.component, method, err)
            raise self.fault(method, reason_of(err), item) from None

    def fault(self, method: str, reason: str, item: str = "") -> ComponentError:
        """Count a fault, and return it as an exception."""
        fault = Fault(self.kind, self.component, method, reason, item)
        self.log.add(fault)
        return ComponentError(str(fault), fault=fault)


def is_own_signal(err: BaseException) -> bool:
    """Return whether pacsfw itself or the user ended a call, and not its code."""
    if isinstance(err, OwnSignal):
        return True
    return (
        isinstance(err, KeyboardInterrupt)
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )


def reason_of(err: BaseException) -> str:
    """Return what an exception is and where it was raised, without its text.

    The text may quote a value of an instance; only pacsfw's own exceptions never do.
    """
    name = type(err).__name__
    if isinstance(err, PacsfwError):
        return str(err)
    if isinstance(err, SystemExit):
        return "tried to exit the program (SystemExit)"
    where = _location_of(err.__traceback__)
    if isinstance(err, Skip | Retry):
        return f"raised {name}, which its kind cannot{where}"
    return f"{name}{where}"


def _location_of(tb: TracebackType | None) -> str:
    """Return the last line of a traceback that is not in pacsfw itself, empty if there is none."""
    frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(tb)]
    outside = [each for each in frames if not each[0].startswith(_FRAMEWORK)]
    if not outside:
        return ""
    file, line = outside[-1]
    return f" at {Path(file).name}:{line}"


def write_traceback(kind: str, component: str, method: str, err: BaseException) -> None:
    """Append a traceback to the file of `DEBUG_VARIABLE`, if that is set."""
    target = os.environ.get(DEBUG_VARIABLE, "")
    if target in ("", "0"):
        return
    if target == "1":
        target = DEBUG_FILE
    head = f"{datetime.now(UTC).isoformat()} {kind} {component}: {method}\n"
    text = head + "".join(traceback.format_exception(err)) + "\n"
    opened = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        os.write(opened, text.encode("utf-8", "backslashreplace"))
    finally:
        os.close(opened)
