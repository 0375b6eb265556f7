"""``pacsfw probe``: find out what the PACS supports, and write its profile."""

from __future__ import annotations

import json
import logging
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pacsfw.api import Clock, QueryProvider, RunContext
from pacsfw.cli.common import config_argument
from pacsfw.cli.new_file import see_that_it_can_be_written, write
from pacsfw.errors import ConfigError

if TYPE_CHECKING:
    from pacsfw.api import Net
    from pacsfw.config import Config, Loaded
    from pacsfw.probe import Findings

FILE = "pacs.profile.yaml"
RESPONSE_SECONDS = 60
"""Timeout of a response if the configuration sets none."""


@click.command("probe")
@config_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help=f"Profile to write (default: net.called_node.profile, otherwise {FILE}).",
)
@click.option("--force", is_flag=True, help="Replace the profile if it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(config: Path | None, output: Path | None, force: bool, as_json: bool) -> None:
    """Find out what the PACS supports and write its profile.

    Tests which services it accepts, which attributes it returns, which keys it matches, and
    after how many rows it cuts a query result. Moves nothing.
    """
    from pacsfw.config import load
    from pacsfw.plugins import discover
    from pacsfw.probe import yaml_file

    loaded = load(config, discover, with_profile=False)
    net = loaded.config.need_net()
    named = _named(loaded.config)
    path = output or named or loaded.config.base / FILE
    if path.suffix.lower() not in {".yaml", ".yml"}:
        raise ConfigError(f"{path}: a profile is YAML; use a name that ends in .yaml")
    see_that_it_can_be_written(path, force=force)
    clock = Clock()
    findings = _probe(loaded, net, clock)
    write(path, yaml_file(findings, net, clock.now()))
    if as_json:
        click.echo(_as_json(path, findings, net, clock))
        return
    _show(findings, net)
    click.echo(f"{path}: written")
    if named != path.absolute():
        click.echo(f"add it to the configuration: net.called_node.profile: {path.absolute()}")


def _named(config: Config) -> Path | None:
    text = config.raw["net"]["called_node"].get("profile")
    return None if text is None else Path(text)


def _probe(loaded: Loaded, net: Net, clock: Clock) -> Findings:
    from rich.console import Console

    from pacsfw.plugins.pacs_query import PacsQuery
    from pacsfw.plugins.refused_keys import RefusedKeys
    from pacsfw.probe import probe

    config = loaded.config
    find = config.find
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pacsfw-probe-"))
        context = RunContext(
            run_id="probe",
            workdir=Path(folder),
            net=net,
            sections=config.sections,
            clock=clock,
            log=logging.getLogger("pacsfw.plugins"),
        )
        provider, keys = _opened(stack, loaded, "cfind", context), RefusedKeys()
        pacs = PacsQuery(provider, "cfind", keys)
        web = None if net.dicomweb is None else _opened(stack, loaded, "qido", context)
        status = stack.enter_context(Console(stderr=True).status("probing"))
        return probe(
            net,
            pacs.put,
            today=clock.now().date(),
            dates=(find.start, find.end) if find and find.start and find.end else None,
            ask_web=web.ask if web else None,
            refused=lambda: keys.at("STUDY"),
            release=provider.release,
            tell=lambda what: status.update(f"probing: {what}"),
        )


def _opened(stack: ExitStack, loaded: Loaded, name: str, context: RunContext) -> QueryProvider:
    """Build and open a provider, with the options of `find.use` if they are for it."""
    use = loaded.config.find and loaded.config.find.use
    options: dict[str, Any] = {"response_timeout": RESPONSE_SECONDS} if name == "cfind" else {}
    if use and use.name == name:
        options |= use.options
    provider: QueryProvider = loaded.registry.build("query", name, options)
    provider.open(context)
    stack.callback(provider.close)
    return provider


def _as_json(path: Path, findings: Findings, net: Net, clock: Clock) -> str:
    from pacsfw.probe import tree

    listed = [
        {"topic": each.topic, "subject": each.subject, "result": each.result, "why": each.evidence}
        for each in findings
    ]
    output = {"file": str(path), "profile": tree(findings, net, clock.now()), "findings": listed}
    return json.dumps(output, indent=2, ensure_ascii=False)


def _show(findings: Findings, net: Net) -> None:
    from rich.console import Console
    from rich.text import Text

    from pacsfw.probe import overview
    from pacsfw.report.grid import print_grid

    rows = [(Text(name), Text(words)) for name, words in overview(findings, net)]
    print_grid(Console(), rows)
