"""``pacsfw verify``."""

from __future__ import annotations

from pathlib import Path

import click

from pacsfw.cli.common import config_argument, load

MANIFEST = "manifest.jsonl"


@click.command("verify")
@config_argument
@click.option(
    "--offline", is_flag=True, help="Compare ledger and disk only; do not contact the PACS."
)
@click.option(
    "-o",
    "--manifest",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Manifest to write (default: {MANIFEST} next to storage.directory).",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def command(config: Path | None, offline: bool, manifest: Path | None, as_json: bool) -> int:
    """Compare the PACS, the ledger and the disk, and write a manifest.

    Reads every file completely. Requests nothing: the next `move` fetches damaged and
    missing instances again, and those that are new at the PACS.
    """
    import json
    from dataclasses import asdict

    from rich.console import Console

    from pacsfw.api import Clock
    from pacsfw.cli.working import log_to_stderr
    from pacsfw.collection.collection import Collection
    from pacsfw.ledger import has_ledger
    from pacsfw.report.verified import render

    log_to_stderr()
    loaded = load(config)
    storage = loaded.config.need_storage()
    if not has_ledger(storage.state):
        click.echo(f"nothing has been collected yet: no ledger in {storage.state}", err=as_json)
        return 1
    target = manifest or storage.directory.parent / MANIFEST
    collection = Collection(loaded, "verify", clock=Clock())
    with collection:
        verified = collection.verify(target.absolute(), offline=offline)
    if as_json:
        click.echo(json.dumps({**asdict(verified), "good": verified.is_good}, indent=2))
    else:
        render(verified, Console())
    return 0 if verified.is_good else 1
