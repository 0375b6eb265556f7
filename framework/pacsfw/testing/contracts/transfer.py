"""The contract of transfers."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pacsfw.api import Outcome, Request, Transfer
from pacsfw.testing.contracts.component import ComponentContract
from pacsfw.testing.contracts.inbox import RecordingInbox
from pacsfw.testing.contracts.query import Source
from pacsfw.testing.synthetic import Study, make_studies

SOON = 30.0
"""Seconds within which a cancelled request must end, on a busy machine."""
ARRIVAL = 10.0
"""Seconds to wait for pushed instances."""


class TransferContract(ComponentContract):
    """A transfer retrieves the instances of a request, and reports how it ended.

    It judges nothing: pacsfw counts the arrivals. It must not report an instance that it
    did not transfer completely.
    """

    kind = "transfer"

    @abstractmethod
    def serving(
        self, studies: Sequence[Study], folder: Path, inbox: RecordingInbox
    ) -> AbstractContextManager[Source | Mapping[str, Any]]:
        """Make the studies available to the transfer, and yield how it finds them.

        A transfer that ``needs_receiver`` finds the inbox at 127.0.0.1, ``inbox.port``, as
        ``inbox.aetitle``: register it at the PACS as a destination.
        """

    @contextmanager
    def transfer(
        self, studies: Sequence[Study], folder: Path
    ) -> Iterator[tuple[Transfer, RecordingInbox]]:
        """Open the transfer with these studies and an inbox."""
        inbox = RecordingInbox()
        with ExitStack() as stack:
            if self.component().needs_receiver:
                stack.enter_context(inbox.listening())
            source = stack.enter_context(self.serving(studies, folder, inbox))
            found = source if isinstance(source, Source) else Source(options=source)
            made = self.make(**found.options)
            yield stack.enter_context(self.opened(made, folder, found.net)), inbox

    def fetch(self, transfer: Transfer, request: Request, inbox: RecordingInbox) -> Outcome:
        """Fetch, and check the properties of every request."""
        outcome = transfer.fetch(request, inbox)
        assert outcome.status_text.strip(), "an outcome must describe in words how it ended"
        left = [file for file in inbox.files if not file.ended]
        assert not left, f"{len(left)} instances were neither sealed nor discarded"
        return outcome

    def test_all_objects_of_a_study_arrive(self, tmp_path: Path) -> None:
        """And no instances of another study."""
        wanted, other = make_studies(2)
        with self.transfer([wanted, other], tmp_path) as (transfer, inbox):
            outcome = self.fetch(transfer, Request(study_uid=wanted.uid), inbox)
            assert outcome.reached
            assert _arrived(inbox, wanted.sop_uids) == set(wanted.sop_uids)

    def test_one_object_after_the_other_can_be_asked_for(self, tmp_path: Path) -> None:
        """Missing ones are requested by series and UID; more may arrive, these must."""
        (study,) = make_studies(1)
        series, uid = study.series_uid(1), study.sop_uid(1, 1)
        with self.transfer([study], tmp_path) as (transfer, inbox):
            by_series = Request(study_uid=study.uid, series_uid=series)
            self.fetch(transfer, by_series, inbox)
            wanted = {study.sop_uid(1, n) for n in range(1, study.instances + 1)}
            assert _arrived(inbox, wanted) >= wanted
            inbox.objects.clear()
            by_uid = Request(study_uid=study.uid, series_uid=series, sop_uids=(uid,))
            self.fetch(transfer, by_uid, inbox)
            assert _arrived(inbox, {uid}) >= {uid}

    def test_a_study_that_is_not_there_is_no_success_with_objects(self, tmp_path: Path) -> None:
        """It ends without an exception; nothing arrives, and nothing is reported."""
        there, missing = make_studies(2)
        with self.transfer([there], tmp_path) as (transfer, inbox):
            outcome = self.fetch(transfer, Request(study_uid=missing.uid), inbox)
        assert not inbox.objects
        assert not outcome.completed, f"{outcome.completed} instances were reported"

    def test_it_can_be_used_again_and_cancelled_while_idle(self, tmp_path: Path) -> None:
        """A run fetches one study after another, and may be interrupted in between."""
        first, second = make_studies(2)
        with self.transfer([first, second], tmp_path) as (transfer, inbox):
            for study in (first, second):
                self.fetch(transfer, Request(study_uid=study.uid), inbox)
                assert _arrived(inbox, study.sop_uids) >= set(study.sop_uids)
            transfer.cancel()

    def test_cancelling_ends_a_request(self, tmp_path: Path) -> None:
        """From another thread, once something has arrived; it ends soon, complete or not."""
        (study,) = make_studies(1, instances=40)
        with self.transfer([study], tmp_path) as (transfer, inbox):
            failed: list[BaseException] = []

            def fetch() -> None:
                try:
                    self.fetch(transfer, Request(study_uid=study.uid), inbox)
                except BaseException as err:  # noqa: BLE001 - reported by the thread of the test
                    failed.append(err)

            thread = threading.Thread(target=fetch, daemon=True)
            thread.start()
            inbox.first.wait(SOON)
            transfer.cancel()
            thread.join(SOON)
            assert not thread.is_alive(), "the request continues although it was cancelled"
            assert not failed, f"{type(failed[0]).__name__}: {failed[0]}"


def _arrived(inbox: RecordingInbox, wanted: Sequence[str] | set[str]) -> set[str]:
    """Return the arrivals; pushed instances may arrive after the final response."""
    for _ in range(int(ARRIVAL * 10)):
        if inbox.objects.keys() >= set(wanted):
            break
        inbox.wait(0.1)
    return set(inbox.objects)
