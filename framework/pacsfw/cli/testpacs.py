"""``pacsfw testpacs``: a PACS that misbehaves on demand, to try things on."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

import click

from pacsfw.cli.testpacs_options import with_faults
from pacsfw.errors import RemoteError, StateError

if TYPE_CHECKING:
    from pacsfw.testing import FaultyPACS

STUDIES = 300

_AETITLE = re.compile(r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?")
"""PS3.5 6.2, AE: 16 characters of ASCII without the backslash, no blanks around them."""
_DESTINATION = re.compile(r"(?P<aetitle>.+)=(?P<host>[^=]+):(?P<port>\d{1,5})")


def _aetitle(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if _AETITLE.fullmatch(value) is None:
        raise click.BadParameter(f"{value!r} is not 1 to 16 characters of ASCII")
    return value


def _destinations(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> dict[str, tuple[str, int]]:
    found = {}
    for value in values:
        parts = _DESTINATION.fullmatch(value)
        if parts is None or not 0 < int(parts["port"]) < 65536:
            raise click.BadParameter(f"{value!r} is not AETITLE=HOST:PORT")
        found[parts["aetitle"]] = (parts["host"], int(parts["port"]))
    return found


@click.command("testpacs", short_help="Run a PACS that misbehaves as you wish.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=11112,
    show_default=True,
    help="Where it listens; 0 takes a free port.",
)
@click.option(
    "--aetitle", default="TESTPACS", show_default=True, callback=_aetitle, help="What it is called."
)
@click.option(
    "--studies", type=click.IntRange(0), help=f"How many awkward studies it has ({STUDIES})."
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Serve the DICOM files of this folder instead.",
)
@click.option(
    "--destination",
    "destinations",
    metavar="AETITLE=HOST:PORT",
    multiple=True,
    callback=_destinations,
    help="A move destination; can be given several times.",
)
@click.option(
    "--max-associations",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Associations at the same time.",
)
@with_faults
def command(studies: int | None, folder: Path | None, **options: Any) -> int:
    """Run a PACS that misbehaves as you wish, on 127.0.0.1, until Ctrl-C.

    It has synthetic studies with awkward names, dates and times, the same ones each time,
    or your files. Without options that say else it answers as it should.
    """
    from pacsfw.testing import FaultyPACS, population

    if folder is not None and studies is not None:
        raise click.UsageError("--studies and --folder: give one of them")
    source = folder or population(STUDIES if studies is None else studies)
    try:
        pacs = FaultyPACS(source, **options)
    except ValueError as err:
        option, _, why = str(err).partition(": ")
        raise click.UsageError(f"--{option.replace('_', '-')}: {why}") from None
    return _serve(pacs)


def _serve(pacs: FaultyPACS) -> int:
    """Run it until somebody stops it, which is how it should end."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        pacs.start()
        _tell(pacs)
        pacs.wait()
    except KeyboardInterrupt:
        return 0
    except RemoteError as err:
        raise StateError(str(err)) from None  # it is this machine that is at fault
    finally:
        pacs.stop()
    raise StateError(f"{pacs.aetitle}: its process has ended by itself")


def _leave(_number: int, _frame: object) -> Never:
    raise KeyboardInterrupt


def _tell(pacs: FaultyPACS) -> None:
    held = f"{len(pacs.uids('STUDY'))} studies"
    skipped = len(pacs.skipped)
    click.echo(f"{pacs.aetitle} listens on {pacs.host}:{pacs.port} with {held}")
    if skipped:
        click.echo(f"  {skipped} files are not served: not DICOM, or damaged")
    for fault in pacs.faults.described() or ["without faults"]:
        click.echo(f"  {fault}")
    click.echo("Ctrl-C stops it.")
