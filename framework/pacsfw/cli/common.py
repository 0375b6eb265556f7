"""Shared by the commands: the configuration argument, and loading the configuration."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pacsfw.config import Loaded

F = TypeVar("F", bound=Callable[..., Any])


def config_argument(function: F) -> F:
    """Accept the configuration file as an argument or with ``-f``, as keyword ``config``."""

    def pick(ctx: click.Context, _param: click.Parameter, value: Path | None) -> Path | None:
        other = ctx.params.pop("config_argument", None)
        if value is not None and other is not None:
            raise click.UsageError("give the configuration only once: as an argument or with -f")
        return value or other

    function = click.option(
        "-f",
        "--config",
        "config",
        type=click.Path(path_type=Path),
        callback=pick,
        help="The configuration file (YAML or JSON).",
    )(function)
    return click.argument(
        "config_argument",
        metavar="[CONFIG]",
        required=False,
        is_eager=True,
        type=click.Path(path_type=Path),
    )(function)


def load(config: Path | None, *, build: bool = False) -> Loaded:
    """Find, read and validate the configuration, and discover the plugins it wants.

    ``build``: also see that each component can be built.
    """
    from pacsfw.config import load as load_config
    from pacsfw.plugins import discover

    return load_config(config, discover, build=build)


class RenamedOption(click.Option):
    """An option whose last name is its former name: accepted, but hidden from ``--help``."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the line of ``--help``, without the former name."""
        names = self.opts
        self.opts = names[:-1]
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = names


retry_given_up_option = click.option(
    "--retry-given-up",
    "--again",
    cls=RenamedOption,
    is_flag=True,
    help="Retry the studies that earlier runs gave up on.",
)


@contextmanager
def handling_signals(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let SIGINT and SIGTERM call ``handle`` for a while."""
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
