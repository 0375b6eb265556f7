"""Run the commands on a collection.

A `Collection` is everything that one configuration describes. Each command is a loop over
the work that the ledger says is missing, so a second run resumes the first one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from pacsfw.api import Transfer
from pacsfw.collection.find import FindStep, exists
from pacsfw.collection.ingest import ingest_spec
from pacsfw.collection.left_out import follow_rule
from pacsfw.collection.move import MoveStep, has_new_settings
from pacsfw.collection.outputs import Outputs, open_outputs
from pacsfw.collection.pacs import ask_pacs, build_transfer, transfer_use
from pacsfw.collection.reparse import TAGS_FACT, ReparseStep
from pacsfw.collection.serve import ServeStep
from pacsfw.collection.session import Session
from pacsfw.collection.study_list import open_study_list
from pacsfw.collection.study_table import study_outbox
from pacsfw.collection.tables import Tables, delivering
from pacsfw.collection.verify import VerifyStep
from pacsfw.config.values import without_password
from pacsfw.errors import ConfigError, PluginError
from pacsfw.report.plan import Survey
from pacsfw.report.verified import Verified
from pacsfw.steps.find.study_list import STUDY_LIST
from pacsfw.steps.move.requests import SMALLER_REQUESTS, Levels
from pacsfw.steps.move.selection import select
from pacsfw.workers import OrderedPool


class Collection(Session):
    """One configured collection, and the commands on it. A context manager, see `Session`.

    For programs, which see the same as the commands, as records:

    >>> from pacsfw import Collection
    >>> with Collection.open("conf.yaml") as collection:
    ...     collection.run()
    ...     short = [study.uid for study in collection.studies() if study.verdict == "short"]

    New files are readable for their owner only, as they hold patient data: meanwhile, the umask of
    the process is 077. Worker processes are spawned, so a script needs the usual
    ``if __name__ == "__main__"``.
    """

    _moving: MoveStep | None = None

    def find(self, *, again: bool) -> str | None:
        """Search the PACS and write the study list.

        Parameters
        ----------
        again
            Search even if this search was completed before and its study list exists.

        Returns
        -------
        str or None
            The time of the earlier search, if it was not repeated.
        """
        with self._listing_studies():
            return FindStep(self._run).find(again=again)

    def run(self, *, ignore_window: bool = False, retry_given_up: bool = False) -> None:
        """Find, unless this search is complete and its list exists, then `move`."""
        answered = self.find(again=False)
        if answered is not None:
            self._notes.append(f"find: completed on {answered[:10]}, not repeated (`pacsfw find`)")
        self.move(ignore_window=ignore_window, retry_given_up=retry_given_up)

    def survey(self) -> Survey:
        """Search the PACS and return the result, without writing a list or moving anything."""
        return FindStep(self._run).survey()

    def move(self, *, ignore_window: bool = False, retry_given_up: bool = False) -> None:
        """Request the studies on the study list that are not complete; deliver the rows.

        Parameters
        ----------
        ignore_window
            Request studies outside the transfer window, too.
        retry_given_up
            Also request instances that earlier runs gave up on.
        """
        settings = self.config.need_move()
        use, why = transfer_use(self.config, self._registry)
        transfer = build_transfer(use, self._registry)
        if self._registry.select("transfer", use.name).component.needs_receiver:
            self.config.require("net.called_node", "net.dest_node.port")
        if why:
            self._notes.append(f"transfer {use.name}: {why}")
        listed = self._select(transfer)
        follow_rule(self._run)
        if has_new_settings(self._run) or retry_given_up:
            self._ledger.evidence.try_again()
        after = settings.recheck_after
        recheck = self._clock.now() - after if after else None
        unfinished = set(self._ledger.studies.unfinished(recheck))
        uids = [uid for uid in listed if uid in unfinished]
        with self._delivering(self._changed_tags()) as outputs:
            wanted = self._delivery.wanted
            levels = Levels(transfer.first_level)
            self._moving = MoveStep(self._run, outputs, wanted, replace(settings, use=use), levels)
            self._moving.run(uids, len(listed), ignore_window=ignore_window)
            self._notes += self._moving.refusals
        if levels.replaced:
            self._notes.append(
                f"failed requests replaced by smaller ones: {levels.replaced:,} "
                f"(at most {SMALLER_REQUESTS:,} in a run)"
            )

    def parse(self, workers: int = 0) -> None:
        """Parse all stored instances again and deliver their rows, without moving anything.

        Parameters
        ----------
        workers
            Number of processes; 0: ``move.workers``.
        """
        self.config.require("tags")
        with self._delivering(self._delivery.tags_identity(), workers):
            pass

    def serve(self, quiet: float, listening: Callable[[int], None]) -> None:
        """Receive instances until `interrupt`, then finish those that have arrived.

        See `ServeStep` for ``quiet`` and `ServeStep.run` for ``listening``.
        """
        self.config.need_listener()
        receivers = self.config.move.receivers if self.config.move else 1
        follow_rule(self._run)
        with self._delivering(self._changed_tags()) as outputs:
            ServeStep(
                self._run,
                outputs,
                self._delivery.wanted,
                quiet=quiet,
                receivers=receivers,
                workers=self._workers,
            ).run(listening)
        self.interrupted = False  # an interrupt is its normal end

    def verify(self, manifest: Path, *, offline: bool) -> Verified:
        """Compare the PACS, the ledger and the disk, and write the manifest."""
        if not offline:
            self.config.require("move")
        edited = self._edited_tables()  # before verdicts change, and with them rows become due
        follow_rule(self._run)
        with self._listing_studies():
            verified = VerifyStep(self._run).run(manifest, offline=offline)
        verified.edited_tables = edited
        return verified

    def interrupt(self) -> None:
        """Stop requesting, cancel running requests, finish the instances that have arrived."""
        self.interrupted = True
        self._stop.set()
        if self._moving is not None:
            self._moving.cancel()

    @cached_property
    def _delivery(self) -> Tables:
        return Tables(self._run)

    def _changed_tags(self) -> str:
        """Return the identity of the current tags if stored rows have others, otherwise ""."""
        now = self._delivery.tags_identity()
        before = self._ledger.get_value(TAGS_FACT)
        if before is None and not self._ledger.instances.any_stored():
            self._ledger.set_value(TAGS_FACT, now)  # no table was begun with other columns
            return ""
        return now if before != now else ""

    def _select(self, transfer: Transfer) -> list[str]:
        target = self._storage.resources
        with open_study_list(self._run) as sink:
            if not (exists(target) and sink.has(STUDY_LIST)):
                raise ConfigError(
                    f"{without_password(target)}: the study list does not exist: "
                    "`pacsfw find` writes it"
                )
            with ask_pacs(self._run, transfer) as pacs:
                selection = select(sink, self.config.need_move().level, self._ledger, pacs)
        for note in selection.notes:
            logging.getLogger("pacsfw.move").warning("%s", note)
        self._problems += selection.problems
        return selection.uids

    def _edited_tables(self) -> list[str]:
        try:
            return list(self._delivery.edited())
        except PluginError as err:
            logging.getLogger("pacsfw.verify").warning("tables are not compared: %s", err)
            return []

    @contextmanager
    def _listing_studies(self) -> Iterator[None]:
        """Write the table of studies afterwards, for commands without other tables."""
        yield
        outbox = study_outbox(self._run)
        with delivering(self._run, [outbox] if outbox else [], self._problems):
            pass

    @contextmanager
    def _delivering(self, tags: str, workers: int = 0) -> Iterator[Outputs]:
        """Open sinks and converters; with ``tags``, parse the stored instances first."""
        self.busy = True
        size = workers or self._workers
        spec = ingest_spec(self._run, self._delivery.wanted)
        with open_outputs(self._run, self._delivery, self._problems, reparse=bool(tags)) as outputs:
            pool = OrderedPool(size, spec, blame=self._run.blame)
            if tags and ReparseStep(self._run, pool).run(tags):
                outputs.refresh()
            yield outputs
