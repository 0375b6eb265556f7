"""A command, a secret and a configuration hook."""

import click

from pacsfw import hookimpl
from pacsfw.errors import ConfigError


@click.command("greet", short_help="Say hello.")
def greet():
    """Say hello."""
    click.echo("hello")


@hookimpl
def pacsfw_subcommands():
    yield greet


@hookimpl
def pacsfw_resolve_secret(scheme, reference):
    return reference[::-1] if scheme == "backwards" else None


@hookimpl
def pacsfw_config_loaded(config):
    if config.get("refuse"):
        raise ConfigError("not today")
    if config.get("break"):
        raise KeyError("secret")
