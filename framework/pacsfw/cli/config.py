"""``pacsfw config``: check, show or create a configuration."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import click

from pacsfw.cli.common import config_argument, load
from pacsfw.config import Window, schema, shown
from pacsfw.config.template import SCHEMA_FILE, TEMPLATE
from pacsfw.errors import ConfigError
from pacsfw.plugins import PluginPlan, discover


@click.group("config")
def command() -> None:
    """Check, show or create a configuration."""


@command.command()
@config_argument
def check(config: Path | None) -> None:
    """Validate a configuration and every plugin it uses. All problems are named at once."""
    checked = load(config, build=True).config
    click.echo(f"{config or checked.path}: ok")
    warnings = list(checked.warnings)
    if checked.move is not None and (notice := window_notice(checked.move.window, _now())):
        warnings.append(f"{config or checked.path}: move: {notice}")
    for warning in warnings:
        click.echo(f"warning: {warning}")


@command.command()
@config_argument
def show(config: Path | None) -> None:
    """Print the effective configuration. Defaults are filled in and secrets are masked."""
    click.echo(shown(load(config).config), nl=False)


@command.command("schema")
def print_schema() -> None:
    """Print the JSON Schema, including every installed component."""
    click.echo(_schema_text(), nl=False)


@command.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("pacsfw.yaml"))
def init(path: Path) -> None:
    """Write a commented configuration to PATH. Also writes its schema for editors."""
    if path.suffix not in {".yaml", ".yml"}:
        raise ConfigError(f"{path}: init writes YAML; use a name that ends in .yaml")
    schema_path = path.with_name(SCHEMA_FILE)
    try:
        # 0600: it will contain hosts and perhaps secrets; O_EXCL: never overwrite a file.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(TEMPLATE)
        schema_path.write_text(_schema_text(), encoding="utf-8")
    except FileExistsError as err:
        raise ConfigError(f"{path}: already exists and was not changed") from err
    except FileNotFoundError as err:
        raise ConfigError(f"{path}: the folder {path.parent} does not exist") from err
    except OSError as err:
        raise ConfigError(f"{err.filename}: cannot be written: {err.strerror}") from err
    click.echo(f"{path}: written, with {schema_path} for your editor")
    click.echo(f"edit it, then run: pacsfw config check {path}")


def window_notice(window: Window, now: datetime) -> str:
    """Say whether the window is open and until when; empty if it never changes."""
    change = window.next_change(now)
    if change is None:
        return ""
    wall = change.astimezone(window.timezone).strftime("%Y-%m-%d %H:%M:%S %Z")
    if window.is_open(now):
        return f"the window is open until {wall}"
    return f"the window is closed; it opens at {wall}"


def _now() -> datetime:
    return datetime.now(UTC)


def _schema_text() -> str:
    composed = schema(discover(PluginPlan()))
    return json.dumps(composed, indent=2, ensure_ascii=False) + "\n"
