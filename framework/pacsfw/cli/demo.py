"""``pacsfw demo``: a whole collection from a PACS that is not there, on synthetic studies."""

from __future__ import annotations

import csv
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pacsfw.errors import StateError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.tree import Tree

CONFIG = "conf.yaml"
HOST = "127.0.0.1"
AETITLE = "PACSFW"
PACS_AETITLE = "DEMOPACS"

TEMPLATE = """\
# Written by `pacsfw demo`; change what you like and run the demo again.
# The PACS of the demo holds synthetic studies of 2020 and runs only while the demo does.
net:
  local_node: {{aetitle: {aetitle}, port: {port}, bind: {host}}}
  called_node: {{aetitle: {pacs_aetitle}, ip: {host}, port: {pacs_port}}}
find:
  query_level: STUDY
  search_fields: [StudyInstanceUID, PatientID]
  start_date: "20200101"
  end_date: "20201231"
  modality: CT
move:
  query_level: STUDY
storage:
  resources: resources.csv
  directory: dicom
  sort_by: PATIENT
tags:
  - tag_name: PatientName
  - tag_name: StudyDate
    tag_alias: study_date
    callback: pacsfw.convert:str2datetime
  - tag_name: Modality
  - tag_name: Laterality
    default_val: U
  - tag_name: InstanceNumber
"""

FINISHED = (0, 1)
"""Exit codes after which there is something to see."""
PATIENTS_SHOWN = 3
CHILDREN_SHOWN = 4
ROWS_SHOWN = 8


@click.command("demo")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Where the files go; made if it does not exist.",
)
@click.option(
    "--studies",
    type=click.IntRange(1, 300),
    default=12,
    show_default=True,
    help="How many studies the PACS holds; two of three are CT.",
)
@click.option(
    "--keep", is_flag=True, help="Keep the PACS running afterwards, to try other commands on it."
)
def command(directory: Path, studies: int, *, keep: bool) -> int:
    """Collect synthetic studies from an embedded PACS.

    Starts the PACS, writes a configuration, runs it for real and shows what came of it. In
    the folder of an earlier demo it continues, with the configuration as it is there.
    """
    from rich.console import Console

    from pacsfw.testing import EmbeddedPACS, make_studies

    config = directory / CONFIG
    port, pacs_port = _prepare(directory, config)
    console = Console()
    with EmbeddedPACS(
        make_studies(studies),
        aetitle=PACS_AETITLE,
        destinations={AETITLE: (HOST, port)},
        port=pacs_port,
    ):
        console.print(f"A PACS with {studies} synthetic studies listens on {HOST}:{pacs_port}.")
        console.print(f"$ pacsfw run {config}", style="bold", highlight=False)
        code = run_command(config)
        if code in FINISHED:
            _show(console, directory)
        _tell_more(console, config, keep=keep)
        if keep:
            click.pause("The PACS is running. Press any key to stop it.")
    return code


def run_command(config: Path) -> int:
    """Run the collection as ``pacsfw run`` does, and return its exit code."""
    from pacsfw.cli import main

    return main(["run", str(config)])


def _prepare(directory: Path, config: Path) -> tuple[int, int]:
    """Write the configuration, or read that of an earlier demo; return both ports.

    Raises
    ------
    StateError
        The folder holds something else.
    """
    if config.exists():
        return _ports(config)
    if directory.exists() and any(directory.iterdir()):
        raise StateError(
            f"{directory}: is not empty and not the folder of a demo; name another with --directory"
        )
    directory.mkdir(parents=True, exist_ok=True)
    with socket.create_server((HOST, 0)) as ours, socket.create_server((HOST, 0)) as theirs:
        port, pacs_port = ours.getsockname()[1], theirs.getsockname()[1]
    text = TEMPLATE.format(
        aetitle=AETITLE, port=port, host=HOST, pacs_aetitle=PACS_AETITLE, pacs_port=pacs_port
    )
    config.write_text(text, encoding="utf-8")
    # A configuration that others may write is refused, whatever the umask is.
    config.chmod(0o600)
    return port, pacs_port


def _ports(config: Path) -> tuple[int, int]:
    from pacsfw.cli.common import load

    loaded = load(config).config
    loaded.require("net.called_node", "net.local_node.port")
    assert loaded.net is not None  # noqa: S101 - just required
    assert loaded.net.called is not None  # noqa: S101
    return loaded.net.local.port, loaded.net.called.port


def _show(console: Console, directory: Path) -> None:
    from rich.text import Text

    from pacsfw.report import print_grid

    console.print()
    console.print(_tree(directory / "dicom"))
    table = directory / "resources_meta.csv"
    if not table.exists():
        return  # somebody took the tags out of the configuration
    with table.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    # The last column is the path, which the tree has shown.
    shown = [[Text(cell) for cell in row[:-1]] for row in rows[:ROWS_SHOWN]]
    console.print(f"\nThe first of {len(rows)} rows of {table}:")
    print_grid(console, shown, header=header[:-1])


def _tree(folder: Path) -> Tree:
    """Draw the visible folders and files, a few of each level."""
    from rich.tree import Tree

    def grow(branch: Tree, folder: Path, most: int) -> None:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
        for entry in entries[:most]:
            child = branch.add(entry.name, highlight=False)
            if entry.is_dir():
                grow(child, entry, CHILDREN_SHOWN)
        if len(entries) > most:
            branch.add(f"... and {len(entries) - most} more", style="dim")

    tree = Tree(str(folder), highlight=False)
    grow(tree, folder, PATIENTS_SHOWN)
    return tree


def _tell_more(console: Console, config: Path, *, keep: bool) -> None:
    again = f"pacsfw run {config}" if keep else "the same command again"
    lines = (
        "\nWhat to try next:",
        f"  {again}: nothing that is complete is asked for twice",
        f"  pacsfw status {config}: what the ledger knows",
        f"  change {config} (add a tag, say) and give the same command again",
        "  pacsfw config init: a commented configuration for your own PACS",
    )
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
