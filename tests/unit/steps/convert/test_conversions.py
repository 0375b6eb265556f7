"""What is due for a converter, and where its files go; with the jobs done in this process."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pacsfw.api import Converter, OutputFile, Verdict
from pacsfw.config import Convert, Storage, Use
from pacsfw.ledger import open_ledger
from pacsfw.ledger.instances import Instance
from pacsfw.steps.convert.conversions import Conversions, due
from pacsfw.steps.convert.worker import Work
from pacsfw.workers import Crashed
from support.guards import guard
from support.run import make_run

AT = datetime(2026, 11, 23, tzinfo=UTC)


class Lines(Converter):
    """Writes the UIDs of an item into one file."""

    failing: frozenset[str] = frozenset()
    name = "lines.txt"

    def convert(self, files, out):
        if {stored.sop_uid for stored in files} & self.failing:
            raise RuntimeError
        path = out / self.name.format(files[0].path.stem)
        path.write_text("\n".join(stored.sop_uid for stored in files))
        return [
            OutputFile(
                path=path, media_type="text/plain", sources=tuple(each.sop_uid for each in files)
            )
        ]


class Pool:
    """Does each job at once, where the worker pool would give it to a process."""

    def __init__(self, done, work):
        self.done, self.work, self.jobs = done, work, []

    def start(self):
        """Nothing to start."""

    def submit(self, job):
        self.jobs.append(job)
        outcome = self.work(job) if self.work else Crashed("the worker process ended")
        self.done([(job, outcome)])

    def wait(self):
        """Nothing to wait for."""

    close = wait


@pytest.fixture
def room(tmp_path):
    """A collection of two stored studies, each of two series of two instances."""

    class Room:
        archive = tmp_path / "archive"
        state = archive / ".pacsfw"
        storage = Storage(
            resources="r.csv",
            resources_meta="m.csv",
            directory=archive,
            state=state,
            sort_by=Use("SERIES"),
        )
        convert = Convert(
            use=Use("lines", {"a": 1}),
            id="lines",
            component="'lines' (from site 1.0)",
            scope="series",
            directory=None,
            workers=1,
            seconds=10,
            skip_failed=False,
        )
        converter = Lines()
        dead = False
        events: list = []

        def store(self, study, series, number):
            uid = f"{study}.{series}.{number}"
            path = self.archive / f"{study}.{series}" / f"{uid}.dcm"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
            self.ledger.instances.record(
                Instance(
                    sop_uid=uid,
                    digest=f"digest of {uid}",
                    study_uid=study,
                    series_uid=f"{study}.{series}",
                    sop_class="1",
                    syntax="2",
                    size=1,
                    path=str(path.relative_to(self.archive)),
                    state="stored",
                ),
                AT,
            )

        def settle(self, study, state="complete"):
            self.ledger.studies.settle(study, Verdict(state=state), AT, {})

        def run(self, **changes):
            """Convert what is due; returns the items that were worked on."""
            self.convert = replace(self.convert, **changes)
            pools = []

            def pool_of(done):
                work = (
                    None
                    if self.dead
                    else Work(guard("converter", self.converter), self.convert.seconds)
                )
                pools.append(Pool(done, work))
                return pools[-1]

            run = make_run(self.ledger, storage=self.storage, events=self.events)
            conversions = Conversions(run, self.convert, pool_of)
            conversions.open()
            conversions.close()
            self.problem = conversions.problem
            return [job.item for pool in pools for job in pool.jobs]

        def files(self):
            return sorted(
                path.relative_to(tmp_path).as_posix()
                for path in tmp_path.rglob("*.txt")
                if not path.is_relative_to(self.state)
            )

    found = Room()
    found.state.mkdir(parents=True)
    found.ledger = open_ledger(found.state)
    for study in ("1", "2"):
        found.ledger.studies.add(study, {}, "find", selected=True)
        for series in (1, 2):
            for number in (1, 2):
                found.store(study, series, number)
        found.settle(study)
    found.events = []
    yield found
    found.ledger.close()


ITEMS = ["1/1.1", "1/1.2", "2/2.1", "2/2.2"]
PLACES = [f"archive/{each}/lines.txt" for each in ("1.1", "1.2", "2.1", "2.2")]


def test_every_series_is_converted_once_beside_its_files(room):
    assert room.run() == ITEMS
    assert room.files() == PLACES
    assert (room.archive / "2.1" / "lines.txt").read_text() == "2.1.1\n2.1.2"
    assert room.ledger.conversions.counts("lines") == {"done": 4, "files": 4}
    assert [event.component for event in room.events] == ["'lines' (from site 1.0)"] * 4
    assert room.run() == []
    assert not (room.state / "convert").exists() or not any((room.state / "convert").iterdir())


@pytest.mark.parametrize(("scope", "count"), [("instance", 8), ("study", 2)])
def test_the_converter_says_what_is_converted_as_a_whole(room, scope, count):
    room.converter.name = "{}.txt"
    assert len(room.run(scope=scope)) == count
    assert len(room.files()) == count


def test_a_folder_of_its_own_has_the_same_folders_inside(room, tmp_path):
    room.run(directory=tmp_path / "out")
    assert room.files() == [place.replace("archive", "out") for place in PLACES]


def test_a_new_instance_is_converted_with_its_series_again(room):
    room.run()
    room.store("1", 2, 3)
    assert room.run() == ["1/1.2"]
    assert (room.archive / "1.2" / "lines.txt").read_text().endswith("1.2.3")


def test_a_removed_file_is_made_again(room):
    room.run()
    (room.archive / "2.1" / "lines.txt").unlink()
    assert room.run() == ["2/2.1"]
    assert room.files() == PLACES


@pytest.mark.parametrize(
    "changes",
    [{"use": Use("lines", {"a": 2})}, {"component": "'lines' (from site 1.1)"}],
)
def test_other_options_and_another_version_convert_everything_again(room, changes):
    room.run()
    room.converter.name = "new.txt"
    assert room.run(**changes) == ITEMS
    assert room.files() == [place.replace("lines.txt", "new.txt") for place in PLACES]


def test_of_a_study_that_lacks_something_no_series_is_converted(room):
    room.settle("1", "short")
    assert room.run() == ITEMS[2:]
    assert due(room.ledger, room.convert) == []
    room.settle("1", "complete")
    assert room.run() == ITEMS[:2]


def test_its_instances_are(room):
    room.settle("1", "short")
    room.converter.name = "{}.txt"
    assert len(room.run(scope="instance")) == 8


def test_what_failed_is_counted_and_tried_again(room):
    room.converter.failing = frozenset({"1.2.1"})
    assert room.run() == ITEMS
    counts = room.ledger.conversions.counts("lines")
    assert (counts["done"], counts["failed"]) == (3, 1)
    ((state, reason, number),) = room.ledger.conversions.reasons("lines")
    assert (state, number) == ("failed", 1)
    assert reason.startswith("RuntimeError at test_conversions.py:")
    assert due(room.ledger, room.convert) == ["1"]

    room.converter.failing = frozenset()
    assert room.run() == ["1/1.2"]
    assert due(room.ledger, room.convert) == []


def test_on_error_skip_leaves_it_at_that(room):
    room.converter.failing = frozenset({"1.2.1"})
    room.run(skip_failed=True)
    assert room.ledger.conversions.counts("lines") == {"done": 3, "skipped": 1, "files": 3}
    assert room.run() == []


def test_a_worker_that_dies_costs_the_item(room):
    room.dead = True
    room.run()
    assert room.ledger.conversions.counts("lines") == {"failed": 4, "files": 0}
    room.dead = False
    assert room.run() == ITEMS


def test_a_file_of_somebody_else_is_never_overwritten(room):
    (room.archive / "1.1" / "lines.txt").write_text("mine")
    room.run()
    assert (room.archive / "1.1" / "lines.txt").read_text() == "mine"
    ((_, reason, _),) = room.ledger.conversions.reasons("lines")
    assert reason == "a file of that name exists already, and no converter wrote it"


def test_two_items_never_share_a_file(room, tmp_path):
    room.storage = replace(room.storage, directory=room.archive)
    for path in list(room.archive.glob("1.2/*.dcm")):
        os.replace(path, room.archive / "1.1" / path.name)
    with room.ledger._database.transaction() as connection:
        connection.execute("UPDATE instances SET path = replace(path, '1.2/', '1.1/')")
    room.run()
    reasons = {reason for _, reason, _ in room.ledger.conversions.reasons("lines")}
    assert reasons == {"the name of its file is taken by another item of this converter"}


def test_after_a_kill_between_placing_and_recording_the_next_run_goes_on(room, monkeypatch):
    def killed(*args):
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(type(room.ledger.conversions), "record", killed)
        room.run()
    assert room.problem == "OSError"
    assert room.files() == PLACES[:1]

    assert room.run() == ITEMS
    assert room.files() == PLACES


class Shelved(Lines):
    """Puts its files where it likes."""

    folder = ("shelf",)

    def convert(self, files, out):
        for output in super().convert(files, out):
            yield replace(output, folder=self.folder)


def test_files_may_leave_the_folders_of_the_layout(room, tmp_path):
    room.converter = Shelved()
    room.converter.name = "{}.txt"
    room.run(directory=tmp_path / "out")

    assert len(room.files()) == 4
    assert all(path.startswith("out/shelf/") for path in room.files())


def test_another_folder_removes_the_files_from_the_former_one(room):
    room.converter = Shelved()
    room.converter.name = "{}.txt"
    room.run()
    before = room.files()
    room.converter.folder = ("other", "shelf")
    room.run(use=Use("lines", {"a": 2}))

    assert all(path.startswith("archive/shelf/") for path in before)
    assert room.files() == [path.replace("shelf", "other/shelf") for path in before]


def test_two_items_with_the_same_place_are_not_mixed(room):
    room.converter = Shelved()
    room.run()

    states = {c.state: c.reason for uid in "12" for c in conversions_of(room, uid)}
    assert set(states) == {"done", "failed"}
    assert states["failed"] == "the name of its file is taken by another item of this converter"
    assert room.files() == ["archive/shelf/lines.txt"]


def test_a_file_in_place_of_its_folder_costs_its_item(room):
    (room.archive / "shelf").write_bytes(b"mine")
    room.converter = Shelved()
    room.run()

    assert room.problem == ""
    reasons = {c.reason for uid in "12" for c in conversions_of(room, uid)}
    assert reasons == {"a file has the name of one of its folders"}
    assert (room.archive / "shelf").read_bytes() == b"mine"


def conversions_of(room, uid):
    return room.ledger.conversions.of_study("lines", uid).values()
