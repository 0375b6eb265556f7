"""C-STORE as a user (PS3.4 annex B): all files, over as few associations as possible."""

from __future__ import annotations

import io
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

from pydicom.uid import UID, ImplicitVRLittleEndian

from pacsfw.api import Net
from pacsfw.dicom import implicit, integrity
from pacsfw.dicom.cursor import FileBytes
from pacsfw.dicom.header import HeaderReader
from pacsfw.dimse import status as statuses
from pacsfw.dimse.client import associate
from pacsfw.dimse.command import Element, Field
from pacsfw.dimse.opening import Proposal
from pacsfw.dimse.requestor import Ended, Requestor
from pacsfw.errors import RemoteError
from pacsfw.regular import open_regular
from pacsfw.send.files import Sendable

State: TypeAlias = Literal["sent", "warning", "failed", "not sent"]

WAIT_SECONDS = 300.0
"""Timeout of the response for one instance."""

_MEDIUM = 0x0000
_MOST_CONTEXTS = 128
_GIVE_UP = 3
"""Maximum number of consecutive associations without a sent instance."""
_PIECE = 128 * 1024


@dataclass(frozen=True, slots=True)
class Sent:
    """The result for a file; ``status`` is that of the peer, or None."""

    file: Sendable
    state: State
    words: str
    status: int | None = None


class _Unsent(Exception):
    """A file cannot be sent; the reason is the file itself."""


def send(
    net: Net, files: Sequence[Sendable], tell: Callable[[Sent], None], stop: threading.Event
) -> None:
    """Send files to ``net.called``; call ``tell`` once for each.

    An instance is sent byte for byte in the transfer syntax of its file. If the peer accepts
    only Implicit VR Little Endian, an uncompressed instance is converted: its values keep their
    bytes. Only files that are intact to their last byte are sent.

    Raises
    ------
    RemoteError
        The node cannot be reached; ``tell`` has been called for every file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom quotes values; each fault is told here
        for batch in _batches(files):
            _Batch(net, batch, tell, stop).send()


def _batches(files: Sequence[Sendable]) -> Iterator[list[Sendable]]:
    """Split the files so that the contexts of each part fit into one association."""
    pairs: dict[tuple[str, str], list[Sendable]] = {}
    for file in files:
        pairs.setdefault((file.sop_class, file.syntax), []).append(file)
    batch: list[Sendable] = []
    contexts = 0
    for (sop_class, syntax), those in pairs.items():
        needed = len(_proposals(sop_class, syntax))
        if contexts + needed > _MOST_CONTEXTS:
            yield batch
            batch, contexts = [], 0
        batch += those
        contexts += needed
    if batch:
        yield batch


def _proposals(sop_class: str, syntax: str) -> list[Proposal]:
    own = Proposal(sop_class, (syntax,))
    if syntax in implicit.CONVERTIBLE:
        return [own, Proposal(sop_class, (ImplicitVRLittleEndian,))]
    return [own]


class _Batch:
    """Files whose contexts fit into one association."""

    def __init__(
        self, net: Net, files: list[Sendable], tell: Callable[[Sent], None], stop: threading.Event
    ) -> None:
        self._net, self._left, self._stop = net, files, stop
        self._tell = tell
        self._reader = HeaderReader(integrity.PATHS)
        self._proposals = list(
            dict.fromkeys(
                proposal for file in files for proposal in _proposals(file.sop_class, file.syntax)
            )
        )

    def send(self) -> None:
        fruitless = 0
        while self._left and not self._stop.is_set():
            before = len(self._left)
            try:
                self._over_one_association()
            except RemoteError as err:
                self._give_up(str(err))
                raise
            except Ended as err:
                fruitless = fruitless + 1 if len(self._left) == before else 0
                if fruitless == _GIVE_UP:
                    # This instance may be the cause of the failure.
                    self._done(Sent(self._left[0], "failed", str(err)))
                    fruitless = 0
        if self._left:
            self._give_up("interrupted")

    def _over_one_association(self) -> None:
        association = associate(self._net, self._proposals)
        try:
            while self._left and not self._stop.is_set():
                self._done(self._send(association, self._left[0]))
        except BaseException:
            association.abort()
            raise
        association.release()

    def _send(self, association: Requestor, file: Sendable) -> Sent:
        try:
            syntax = _accepted(association, file)
            opened = self._opened(file, syntax)
        except _Unsent as err:
            return Sent(file, "failed", str(err))
        try:
            with opened:
                pieces = _pieces(opened, file, syntax)
                association.store(file.sop_class, syntax, file.sop_uid, pieces)
        except _Unsent as err:  # in the middle of a message: the association cannot continue
            self._done(Sent(file, "failed", str(err)))
            raise Ended(str(err)) from err
        message = association.receive(WAIT_SECONDS)
        if message is None:
            raise Ended(f"no response within {WAIT_SECONDS:.0f} s")
        status = message.command.number(Element.STATUS)
        if message.command.number(Element.COMMAND_FIELD) != Field.C_STORE_RSP or status is None:
            raise Ended("the node sent a message other than a C-STORE response")
        return Sent(file, _state(status), statuses.describe(status, "C-STORE"), status)

    def _opened(self, file: Sendable, syntax: str) -> io.FileIO:
        """Open a file that is intact, and can be sent in this transfer syntax."""
        opened = None
        try:
            opened = open_regular(file.path)
            integrity.check(file.path, self._reader.read(file.path))
            if syntax != file.syntax:
                implicit.check(FileBytes(opened.fileno()), file.syntax, file.offset)
        except (OSError, ValueError) as err:
            if opened is not None:
                opened.close()
            raise _unsent(err) from err
        return opened

    def _done(self, sent: Sent) -> None:
        self._left.remove(sent.file)
        self._tell(sent)

    def _give_up(self, why: str) -> None:
        for file in self._left:
            self._tell(Sent(file, "not sent", why))
        self._left = []


def _accepted(association: Requestor, file: Sendable) -> str:
    """Return the transfer syntax in which to send a file."""
    for proposal in _proposals(file.sop_class, file.syntax):
        (syntax,) = proposal.transfer_syntaxes
        if association.accepts(file.sop_class, syntax):
            return syntax
    name, encoding = UID(file.sop_class).name, UID(file.syntax).name
    raise _Unsent(f"the node does not accept {name} in {encoding}")


def _pieces(opened: io.FileIO, file: Sendable, syntax: str) -> Iterator[bytes]:
    """Yield the data set in this transfer syntax; stop if the file changes meanwhile."""
    size = os.fstat(opened.fileno()).st_size
    try:
        if syntax != file.syntax:
            yield from implicit.convert(FileBytes(opened.fileno()), file.syntax, file.offset)
            return
        opened.seek(file.offset)
        yield from iter(partial(opened.read, _PIECE), b"")
        if opened.tell() != size:
            raise _Unsent("changed while it was sent")
    except (OSError, ValueError) as err:
        raise _unsent(err) from err


def _unsent(err: OSError | ValueError) -> _Unsent:
    """Return why a file is not sent: without its path, and without a value."""
    if isinstance(err, OSError):
        return _Unsent(f"cannot be read: {err.strerror}")
    if isinstance(err, implicit.Unconvertible):
        return _Unsent(f"cannot be converted to Implicit VR Little Endian: {err}")
    return _Unsent(f"damaged: {err}" if isinstance(err, integrity.Damaged) else str(err))


def _state(status: int) -> State:
    if status == statuses.SUCCESS:
        return "sent"
    return "warning" if status >> 12 == 0xB or status in (0x0001, 0x0107, 0x0116) else "failed"
