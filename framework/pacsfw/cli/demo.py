"""``pacsfw demo``: a complete collection of synthetic studies from an embedded PACS."""

from __future__ import annotations

import csv
import errno
import re
import shutil
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pacsfw.errors import INTERRUPTED, StateError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.tree import Tree

    from pacsfw.config import Config

CONFIG = "conf.yaml"
HOST = "127.0.0.1"
AETITLE = "PACSFW"
PACS_AETITLE = "DEMOPACS"

TEMPLATE = """\
# Written by `pacsfw demo`. Change anything you like and run the demo again.
# The PACS of the demo holds {studies} synthetic studies of 2020. It runs only during the demo.
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

MADE_WITH = re.compile(r"^# The PACS of the demo holds (\d{1,3}) synthetic studies", re.MULTILINE)
"""The line of the template with the number of studies that the demo was created with."""
STUDIES = 12

FINISHED = (0, 1)
"""Exit codes after which there are results to show."""
PATIENTS_SHOWN = 3
CHILDREN_SHOWN = 4
ROWS_SHOWN = 8


@click.command("demo", short_help="Collect synthetic studies from an embedded PACS.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Folder for the files; created if missing.",
)
@click.option(
    "--studies",
    type=click.IntRange(1, 300),
    help=f"Number of studies in a new demo (default: {STUDIES}); two of three are CT.",
)
@click.option(
    "--keep", is_flag=True, help="Keep the PACS running afterwards to try other commands."
)
def command(directory: Path, studies: int | None, *, keep: bool) -> int:
    """Collect synthetic studies from an embedded PACS.

    Starts the PACS, writes a configuration, runs it and shows the results. In the folder of
    an earlier demo, it continues that demo with the configuration found there.
    """
    from rich.console import Console

    from pacsfw.testing import EmbeddedPACS, make_studies

    path = directory / CONFIG
    if not path.exists():
        _write(directory, path, studies or STUDIES)
    made = make_studies(_made_with(path, studies))
    config, port, pacs_port = _read(path)
    _check_free(port, pacs_port)
    console = Console()
    with EmbeddedPACS(
        made, aetitle=PACS_AETITLE, destinations={AETITLE: (HOST, port)}, port=pacs_port
    ):
        ct = sum("CT" in study.modalities for study in made)
        console.print(
            f"A PACS with {len(made)} synthetic studies, {ct} of them CT, listens on "
            f"{HOST}:{pacs_port}.",
            soft_wrap=True,
        )
        click.secho(f"$ {_program()} run {path}", bold=True)
        code = run_command(path)
        if code in FINISHED:
            _show(console, config)
            _suggest(console, path, keep=keep)
        if keep and code != INTERRUPTED:
            click.pause("The PACS is running. Press any key to stop it.")
    return code


def run_command(config: Path) -> int:
    """Run the collection like ``pacsfw run`` and return the exit code."""
    from pacsfw.cli import main

    return main(["run", str(config)])


def _write(directory: Path, path: Path, studies: int) -> None:
    """Create the folder of a new demo and write its configuration."""
    if directory.exists() and any(directory.iterdir()):
        raise _not_a_demo(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with socket.create_server((HOST, 0)) as ours, socket.create_server((HOST, 0)) as theirs:
        port, pacs_port = ours.getsockname()[1], theirs.getsockname()[1]
    text = TEMPLATE.format(
        studies=studies,
        aetitle=AETITLE,
        port=port,
        host=HOST,
        pacs_aetitle=PACS_AETITLE,
        pacs_port=pacs_port,
    )
    path.write_text(text, encoding="utf-8")
    # Whatever the umask: pacsfw refuses a configuration that other users can modify.
    path.chmod(0o600)


def _made_with(path: Path, studies: int | None) -> int:
    """Return the number of studies the demo was created with; ``studies`` must agree."""
    made_with = MADE_WITH.search(path.read_text(encoding="utf-8", errors="replace"))
    if made_with is None:
        raise _not_a_demo(path.parent)
    number = int(made_with[1])
    if studies not in (None, number):
        raise StateError(
            f"{path}: this demo was created with {number} studies, not {studies}: omit "
            "--studies, or choose another folder with --directory"
        )
    return number


def _read(path: Path) -> tuple[Config, int, int]:
    """Return the configuration of a demo, its port, and the port of its PACS.

    Raises
    ------
    StateError
        It names another PACS, so it is not the configuration of a demo.
    """
    from pacsfw.cli.common import load

    config = load(path).config
    config.require("net.called_node", "net.local_node.port", "storage")
    net, called = config.need_net(), config.need_pacs()
    titles = (net.local.aetitle, called.aetitle, called.ip)
    if titles != (AETITLE, PACS_AETITLE, HOST):
        raise _not_a_demo(path.parent)
    return config, net.local.port, called.port


def _not_a_demo(directory: Path) -> StateError:
    return StateError(f"{directory}: not the folder of a demo; choose another with --directory")


def _check_free(*ports: int) -> None:
    for port in ports:
        try:
            socket.create_server((HOST, port)).close()
        except OSError as err:
            if err.errno == errno.EADDRINUSE:
                why = "is in use: is another demo in this folder still running?"
            else:
                why = f"cannot be used: {err.strerror}"
            raise StateError(f"port {port} {why}") from err


def _show(console: Console, config: Config) -> None:
    from rich.text import Text

    from pacsfw.report import print_grid

    storage = config.need_storage()
    console.print()
    if storage.directory.is_dir():
        console.print(_tree(storage.directory))
    table = Path(storage.resources_meta)
    if table.suffix != ".csv" or not table.is_file():
        return  # the user removed the tags, or chose another kind of table
    with table.open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    # The last column is the path, which the tree already shows.
    shown = [[Text(cell) for cell in row[:-1]] for row in rows[:ROWS_SHOWN]]
    if shown:
        click.echo(f"\nThe first of {len(rows)} rows of {table}:")
        print_grid(console, shown, header=header[:-1])


def _tree(folder: Path) -> Tree:
    """Draw the visible folders and files, a few at each level."""
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


def _suggest(console: Console, config: Path, *, keep: bool) -> None:
    program = _program()
    again = f"{program} run {config}" if keep else "run the same command again"
    lines = (
        "\nWhat to try next:",
        f"  {again}: complete studies are not requested again",
        f"  {program} status {config}: the state of the collection",
        f"  change {config} (for example, add a tag) and run the same command again",
        f"  {program} config init: a commented configuration for your own PACS",
    )
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _program() -> str:
    """Return the command that started this program, so that suggestions can be pasted."""
    called = sys.argv[0]
    name = Path(called).name
    if name == "__main__.py":
        return f"{sys.executable} -m pacsfw"
    return name if shutil.which(name) == called else called
