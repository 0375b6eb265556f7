"""All exceptions that pacsfw raises or handles.

* PacsfwError              base; the command line prints it without a traceback
  + ConfigError            the configuration is wrong; carries every problem found (exit 2)
  + PluginError            names the plugin and its distribution (exit 3)
    - UnknownComponent     nothing installed offers the name; suggests similar ones
    - ComponentConflict    several plugins offer the name, the configuration does not choose
    - ComponentError       a component raised an exception while processing an item
      . TookTooLong        it exceeded its time limit
  + RemoteError            the PACS refused, disconnected or returned an error (exit 4)
  + StateError             the state folder is in use, damaged or of another set-up (exit 2)
    - Refused              a sink cannot store a value of these rows; others it can
* Skip                     raised by a component: skip this item on purpose
* Retry                    raised by a component: transient failure, retry this item
* OwnSignal                pacsfw interrupts a component; not an Exception
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

INTERRUPTED = 130
"""Exit code of an interrupted run, as in shells."""


class PacsfwError(Exception):
    """Base of all errors that the command line prints without a traceback."""

    exit_code: ClassVar[int] = 1


class ConfigError(PacsfwError):
    """The configuration cannot be used.

    Parameters
    ----------
    problems
        One complete message per problem, with place, fault and owner.
    """

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: Sequence[str] = problems


class StateError(PacsfwError):
    """The state folder (ledger, spool) cannot be used."""

    exit_code = 2


class Refused(StateError):
    """A sink cannot store some value of a batch: pacsfw finds the row, and delivers the others.

    Raised only because of the data. A target that is full, damaged, unreachable or changed by
    somebody else is another `StateError`, or `Retry`.

    Parameters
    ----------
    why
        What is refused, without any value: ``column 'x': OverflowError``.
    where
        The target, for messages.
    """

    def __init__(self, why: str, where: str = "") -> None:
        super().__init__(f"{where}: cannot store a row: {why}" if where else why)
        self.why = why


class PluginError(PacsfwError):
    """A plugin is missing, broken or misbehaves."""

    exit_code = 3


class UnknownComponent(PluginError):
    """Nothing installed offers the selected name."""


class ComponentConflict(PluginError):
    """Several plugins offer the selected name, and the configuration does not choose one."""


class ComponentError(PluginError):
    """A component raised an unexpected exception while processing one item.

    Parameters
    ----------
    fault
        The `pacsfw.plugins.boundary.Fault`: the component, its method and the reason.
    """

    def __init__(self, message: str = "", *, fault: Any = None) -> None:
        super().__init__(message)
        self.fault = fault

    @property
    def why(self) -> str:
        """The method and the reason, for messages that name the component themselves."""
        return str(self) if self.fault is None else f"{self.fault.method}: {self.fault.reason}"


class TookTooLong(ComponentError):
    """A component exceeded its time limit; the text contains no values."""


class RemoteError(PacsfwError):
    """The PACS was unreachable, refused the request or returned an error.

    Parameters
    ----------
    comment
        What the PACS itself said, as `pacsfw.words.said` returns it. It may name a patient:
        the terminal shows it, mails, metrics and logs do not.
    """

    exit_code = 4

    def __init__(self, message: str = "", *, comment: str = "") -> None:
        super().__init__(message)
        self.comment = comment


class Skip(Exception):
    """Leave this item out on purpose; raised by layouts and converters.

    An instance that a layout leaves out is not expected, so its study is complete without it. The
    text is shown to users; it must not quote a value of the instance.
    """


class Retry(Exception):
    """A transient failure: the item is retried within its limit of attempts."""


class OwnSignal(BaseException):
    """Raised by pacsfw to interrupt the code of a component: it is no fault of the component.

    Not an Exception, so that no ``except Exception`` of a plugin swallows it.
    """
