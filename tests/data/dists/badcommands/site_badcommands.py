"""Commands that are hidden, offered twice, or fail."""

import click

from pacsfw import hookimpl


@click.command("run")
def hidden():
    """Never seen."""


@click.command("greet")
def greet():
    """Say hello, as another plugin does."""


@click.command("crash")
def crash():
    """Fail."""
    raise ZeroDivisionError("by zero")


@hookimpl
def pacsfw_subcommands():
    yield from (hidden, greet, crash)
