"""`EmbeddedPACS`: a small PACS in a separate process, for demos and tests.

It speaks real DICOM over a real socket (pynetdicom): C-ECHO, C-FIND, C-MOVE, C-GET and
C-STORE in the Patient Root and Study Root models (PS3.4 C.6.1, C.6.2). It is as strict as the
standard: the unique keys of the levels above are required, and an attribute of a lower level
is not a key and is returned with FF01. Software that works with it therefore sends correct
queries.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self, cast

from pacsfw.api import Level
from pacsfw.errors import RemoteError
from pacsfw.testing._settings import Logged, Settings
from pacsfw.testing.synthetic import Study

HOST = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 10.0


class EmbeddedPACS:
    """A PACS on 127.0.0.1 over a folder of files or over synthetic studies.

    Use it as a context manager. It spawns a process, so a script that uses it needs the
    ``if __name__ == "__main__"`` guard.

    Parameters
    ----------
    source
        A folder, whose Part 10 files are served unchanged, or studies
        (`pacsfw.testing.synthetic`). Instances received by C-STORE are kept in a temporary
        folder and deleted at the end.
    aetitle
        Its AE title; associations that call another title are rejected.
    destinations
        Move destinations: AE title to (host, port).
    port
        The port to listen on; 0 chooses a free one, see `port`.
    delay
        Seconds to wait before each sub-operation of a C-MOVE or C-GET.
    fold_names
        Ignore the case of patient names, like some PACS.
    max_associations
        Maximum number of associations at a time; more are rejected (transient).
    """

    def __init__(
        self,
        source: Path | str | Iterable[Study] = (),
        *,
        aetitle: str = "DEMOPACS",
        destinations: Mapping[str, tuple[str, int]] | None = None,
        port: int = 0,
        delay: float = 0.0,
        fold_names: bool = False,
        max_associations: int = 64,
    ) -> None:
        folder = Path(source) if isinstance(source, (str, Path)) else None
        if folder is not None and not folder.is_dir():
            raise NotADirectoryError(f"{type(self).__name__} {aetitle}: {folder} is not a folder")
        self._settings = Settings(
            aetitle=aetitle,
            port=port,
            folder=folder,
            studies=() if isinstance(source, (str, Path)) else tuple(source),
            destinations=dict(destinations or {}),
            delay=delay,
            fold_names=fold_names,
            max_associations=max_associations,
        )
        self.aetitle = aetitle
        self.host = HOST
        self.port = port
        self._lock = threading.Lock()
        self._process: Any = None
        self._channel: Connection | None = None

    def start(self) -> Self:
        """Start the process and wait until it listens.

        Raises
        ------
        RemoteError
            It could not start; the message has the reason.
        """
        context = multiprocessing.get_context("spawn")
        self._channel, theirs = context.Pipe()
        self._process = context.Process(
            target=_child, args=(self._settings, theirs), name=f"pacs-{self.aetitle}", daemon=True
        )
        self._process.start()
        theirs.close()
        answer: int | str = "did not start in time"
        try:
            if self._channel.poll(START_SECONDS):
                answer = self._channel.recv()
        except EOFError:
            answer = "its process ended immediately"
        if isinstance(answer, str):
            self.stop()
            raise RemoteError(f"{self._name}: {answer}")
        self.port = answer
        return self

    def wait(self) -> None:
        """Wait until the process ends, which it does on its own only after an error."""
        if self._process is not None:
            connection.wait([self._process.sentinel])

    def stop(self) -> None:
        """End the process; does nothing if it has already ended."""
        if self._process is None or self._channel is None:
            return
        with suppress(OSError):  # it has already ended
            self._channel.send(("stop", ()))
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()
        self._channel.close()
        self._process = self._channel = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def uids(self, level: Level = "IMAGE", study_uid: str = "") -> frozenset[str]:
        """Return the unique keys of this level, of one study or of all."""
        return cast("frozenset[str]", self._ask("uids", level, study_uid))

    @property
    def log(self) -> list[Logged]:
        """The requests received so far, in order, with their keys (test data)."""
        return cast("list[Logged]", self._ask("log"))

    @property
    def counters(self) -> Mapping[str, int]:
        """The number of events of each kind so far, without those that never happened.

        ``associations`` and ``rejected``, the services by name (``C-FIND``), and the
        sub-operations of retrieves: ``sent`` and ``failed``.
        """
        return cast("Mapping[str, int]", self._ask("counters"))

    @property
    def skipped(self) -> list[Path]:
        """Files that are not served: not Part 10, without a UID, or with a damaged header."""
        return cast("list[Path]", self._ask("skipped"))

    def add(self, studies: Iterable[Study]) -> None:
        """Add studies, or instances of existing studies."""
        self._ask("add", tuple(studies))

    def remove(self, sop_uids: Iterable[str]) -> None:
        """Remove instances; a study without instances is removed as well."""
        self._ask("remove", frozenset(sop_uids))

    def set_delay(self, seconds: float) -> None:
        """Change the wait before each sub-operation, also the one that is under way."""
        self._ask("set_delay", seconds)

    def set_destination(self, aetitle: str, host: str, port: int) -> None:
        """Add or change a move destination."""
        self._ask("set_destination", aetitle, (host, port))

    @property
    def _name(self) -> str:
        return f"{type(self).__name__} {self.aetitle}"

    def _ask(self, name: str, *arguments: Any) -> Any:
        with self._lock:
            if self._channel is None:
                raise RemoteError(f"{self._name} is not running")
            try:
                self._channel.send((name, arguments))
                return self._channel.recv()
            except (EOFError, OSError) as error:
                raise RemoteError(f"{self._name}: its process is gone") from error


def _child(settings: Settings, channel: Connection) -> None:
    from pacsfw.testing._server import serve  # pynetdicom is slow to import: not in the parent

    serve(settings, channel)
