"""Every exception pacsfw raises or understands.

* PacsfwError              base; the command line prints it without a traceback
  + ConfigError            the configuration is wrong; carries every problem found (exit 2)
  + PluginError            names the plugin and its distribution (exit 3)
    - UnknownComponent     nothing installed offers that name; suggests close ones
    - ComponentConflict    two plugins offer that name and the configuration did not choose
    - ComponentError       a component raised while it was working on an item
      . TookTooLong        it did not return within its time
  + RemoteError            the PACS refused, went away or answered with an error (exit 4)
  + StateError             the state directory is in use, damaged or of another set-up (exit 2)
* Skip                     raised by a component: leave this item out, on purpose
* Retry                    raised by a component: transient, try this item again
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

INTERRUPTED = 130
"""Exit code of a run that somebody stopped, as shells have it."""


class PacsfwError(Exception):
    """Base of everything the command line turns into a message without a traceback."""

    exit_code: ClassVar[int] = 1


class ConfigError(PacsfwError):
    """The configuration cannot be used.

    Parameters
    ----------
    problems
        One complete message per problem, each already saying where, what and whose.
    """

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: Sequence[str] = problems


class StateError(PacsfwError):
    """The state directory (ledger, spool) cannot be used as it is."""

    exit_code = 2


class PluginError(PacsfwError):
    """A plugin is missing, broken or misbehaved."""

    exit_code = 3


class UnknownComponent(PluginError):
    """Nothing installed offers the selected name."""


class ComponentConflict(PluginError):
    """Several plugins offer the selected name and nothing says which is meant."""


class ComponentError(PluginError):
    """A component raised something it should not have while working on one item."""


class TookTooLong(ComponentError):
    """A component did not return within its time; the text holds no values."""


class RemoteError(PacsfwError):
    """The PACS could not be reached, refused the request or answered with an error."""

    exit_code = 4


class Skip(Exception):
    """Leave this item out on purpose; it is counted as skipped, not failed."""


class Retry(Exception):
    """A transient failure: the item is tried again within its budget of attempts."""
