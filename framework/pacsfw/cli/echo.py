"""``pacsfw echo``: check that the PACS responds."""

from __future__ import annotations

from pathlib import Path

import click

from pacsfw.cli.common import config_argument, load


@click.command("echo")
@config_argument
def command(config: Path | None) -> None:
    """Check that the PACS responds (C-ECHO)."""
    loaded = load(config).config
    net, called = loaded.need_net(), loaded.need_pacs()
    from pacsfw.dimse.client import echo  # imports pynetdicom

    echo(net)
    click.echo(f"{called.aetitle} at {called.ip}:{called.port} responds to {net.local.aetitle}")
