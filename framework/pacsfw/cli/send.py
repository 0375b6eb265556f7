"""``pacsfw send``: send files to a node and report the result of each."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING

import click

from pacsfw.cli.common import handling_signals, load
from pacsfw.errors import INTERRUPTED, RemoteError

if TYPE_CHECKING:
    from rich.console import Console

    from pacsfw.api import Net
    from pacsfw.send.files import Sendable, Unsendable
    from pacsfw.send.send import Sent

SHOWN = 10
"""Files that are listed for each reason."""

_NODE = re.compile(r"(?P<aetitle>[^@]{1,16})@(?P<host>[^@]+):(?P<port>\d{1,5})")


def _node(_ctx: click.Context, _param: click.Parameter, value: str | None) -> re.Match[str] | None:
    if value is None:
        return None
    parts = _NODE.fullmatch(value)
    if parts is None or not 0 < int(parts["port"]) < 65536:
        raise click.BadParameter(f"{value!r} is not AETITLE@HOST:PORT")
    return parts


@click.command("send", short_help="Send DICOM files and folders to a node (C-STORE).")
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True),
    metavar="PATH...",
)
@click.option(
    "-f",
    "--config",
    "config",
    type=click.Path(path_type=Path),
    help="The configuration file; its net.called_node is the destination.",
)
@click.option(
    "--to",
    metavar="AETITLE@HOST:PORT",
    callback=_node,
    help="Destination; no configuration is read.",
)
@click.option(
    "--aetitle", default="PACSFW", show_default=True, help="Our AE title; only with --to."
)
@click.option(
    "--report",
    type=click.File("w", encoding="utf-8"),
    help="Write the result of each file here, as one line of JSON.",
)
def command(
    paths: tuple[Path, ...],
    config: Path | None,
    to: re.Match[str] | None,
    aetitle: str,
    report: IO[str] | None,
) -> int:
    """Send DICOM files, and the files in folders, to a node by C-STORE.

    Sends files unchanged, in their own transfer syntax. In folders, skips hidden files and
    files that are not DICOM.
    """
    from rich.console import Console

    from pacsfw.cli.working import log_to_stderr

    if to is not None and config is not None:
        raise click.UsageError("--to and -f: use only one of them")
    log_to_stderr()
    net = _net(config, to, aetitle)
    with _stopping() as stop:
        return _Sending(net, paths, Console(), report, stop).run()


def _net(config: Path | None, to: re.Match[str] | None, aetitle: str) -> Net:
    from pacsfw.api import Net, Node

    if to is not None:
        called = Node(aetitle=to["aetitle"], ip=to["host"], port=int(to["port"]))
        return Net(local=Node(aetitle=aetitle), called=called)

    return load(config).config.need_net()


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Yield an event that SIGINT and SIGTERM set; the current instance is sent to the end."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    with handling_signals(handle):
        yield stop


class _Sending:
    """One call of the command."""

    def __init__(
        self,
        net: Net,
        paths: tuple[Path, ...],
        console: Console,
        report: IO[str] | None,
        stop: threading.Event,
    ) -> None:
        self._net, self._paths, self._console = net, paths, console
        self._report, self._stop = report, stop
        self._counts: Counter[str] = Counter()
        self._bad: dict[str, list[Path]] = {}
        self._foreign = 0

    def run(self) -> int:
        from pacsfw.send.send import send  # imports pynetdicom

        files = self._files()
        unreachable: RemoteError | None = None
        with self._progress(len(files)) as advance:

            def report(sent: Sent) -> None:
                advance()
                self._record(sent)

            try:
                send(self._net, files, report, self._stop)
            except RemoteError as err:
                unreachable = err
        self._show()
        if unreachable is not None:
            raise unreachable
        if self._stop.is_set():
            return INTERRUPTED
        return 1 if self._bad or not self._counts else 0

    def _files(self) -> list[Sendable]:
        from pacsfw.send.files import Sendable, files, look

        found = []
        for each in look(files(self._paths), self._paths):
            if self._stop.is_set():
                break
            if isinstance(each, Sendable):
                found.append(each)
            elif each.foreign:
                self._foreign += 1
            else:
                self._unsendable(each)
        return found

    def _unsendable(self, each: Unsendable) -> None:
        self._count("failed", each.path, each.reason)
        self._write(path=str(each.path), state="failed", reason=each.reason)

    def _record(self, sent: Sent) -> None:
        self._count(sent.state, sent.file.path, sent.words)
        status = None if sent.status is None else f"{sent.status:04X}"
        self._write(
            path=str(sent.file.path),
            sop_instance_uid=sent.file.sop_uid,
            state=sent.state,
            status=status,
            reason=sent.words,
        )

    def _count(self, state: str, path: Path, words: str) -> None:
        self._counts[state] += 1
        if state not in ("sent", "warning"):
            self._bad.setdefault(f"{state}: {words}", []).append(path)

    def _write(self, **fields: str | None) -> None:
        if self._report is not None:
            print(json.dumps(fields), file=self._report, flush=True)

    @contextmanager
    def _progress(self, total: int) -> Iterator[Callable[[], None]]:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        columns = ("sending", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        shown = self._console.is_terminal
        with Progress(*columns, console=self._console, transient=True, disable=not shown) as bar:
            task = bar.add_task("", total=total)
            yield lambda: bar.advance(task)

    def _show(self) -> None:
        from rich.text import Text

        from pacsfw.report.grid import print_grid
        from pacsfw.words import printable

        rows = [("sent", f"{self._counts['sent'] + self._counts['warning']:,}")]
        for state in ("warning", "failed", "not sent"):
            if self._counts[state]:
                rows.append((state, f"{self._counts[state]:,}"))
        if self._foreign:
            rows.append(("not DICOM", f"{self._foreign:,}"))
        for reason, paths in self._bad.items():
            rows.append((f"  {len(paths):,} x", printable(reason)))
            rows += [("", printable(str(path))) for path in paths[:SHOWN]]
            if len(paths) > SHOWN:
                rows.append(("", f"... and {len(paths) - SHOWN:,} more (--report lists all)"))
        print_grid(self._console, [(Text(label), Text(value)) for label, value in rows])
