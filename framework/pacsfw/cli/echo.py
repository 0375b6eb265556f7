"""``pacsfw echo``: ask the PACS whether it answers."""

from __future__ import annotations

from pathlib import Path

import click

from pacsfw.cli.common import config_argument, load


@click.command("echo")
@config_argument
def command(config: Path | None) -> None:
    """Check that the PACS answers (C-ECHO)."""
    loaded = load(config).config
    loaded.require("net.called_node")
    assert loaded.net is not None  # noqa: S101 - just required
    assert loaded.net.called is not None  # noqa: S101
    from pacsfw.dimse.client import echo  # imports pynetdicom

    echo(loaded.net)
    called = loaded.net.called
    click.echo(f"{called.aetitle} at {called.ip}:{called.port} answers {loaded.net.local.aetitle}")
