"""``pacsfw testpacs``: a test PACS with faults on demand."""

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
        raise click.BadParameter(f"{value!r} is not an AE title: 1 to 16 ASCII characters")
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


@click.command("testpacs", short_help="Run a test PACS with the faults that you choose.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=11112,
    show_default=True,
    help="Port to listen on; 0 chooses a free one.",
)
@click.option(
    "--aetitle", default="TESTPACS", show_default=True, callback=_aetitle, help="Its AE title."
)
@click.option(
    "--studies", type=click.IntRange(0), help=f"Number of synthetic studies (default: {STUDIES})."
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
    help="A move destination; repeatable.",
)
@click.option(
    "--max-associations",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Maximum number of associations at the same time.",
)
@with_faults
def command(studies: int | None, folder: Path | None, **options: Any) -> int:
    """Run a test PACS with the faults that you choose, on 127.0.0.1, until Ctrl-C.

    It holds synthetic studies with difficult names, dates and times, the same ones each
    time, or your files. Without options for faults, it has none.
    """
    from pacsfw.testing import FaultyPACS, population

    if folder is not None and studies is not None:
        raise click.UsageError("--studies and --folder: use only one of them")
    source = folder or population(STUDIES if studies is None else studies)
    try:
        pacs = FaultyPACS(source, **options)
    except ValueError as err:
        option, _, why = str(err).partition(": ")
        raise click.UsageError(f"--{option.replace('_', '-')}: {why}") from None
    return _serve(pacs)


def _serve(pacs: FaultyPACS) -> int:
    """Run it until it is stopped; any other end is an error."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        pacs.start()
        _announce(pacs)
        pacs.wait()
    except KeyboardInterrupt:
        return 0
    except RemoteError as err:
        raise StateError(str(err)) from None  # the problem is on this machine
    finally:
        pacs.stop()
    raise StateError(f"{pacs.aetitle}: its process ended unexpectedly")


def _leave(_number: int, _frame: object) -> Never:
    raise KeyboardInterrupt


def _announce(pacs: FaultyPACS) -> None:
    held = f"{len(pacs.uids('STUDY'))} studies"
    skipped = len(pacs.skipped)
    click.echo(f"{pacs.aetitle} listens on {pacs.host}:{pacs.port} with {held}")
    if skipped:
        click.echo(f"  {skipped} files are not served: not DICOM, or damaged")
    for fault in pacs.faults.described() or ["no faults"]:
        click.echo(f"  {fault}")
    click.echo("Ctrl-C stops it.")
