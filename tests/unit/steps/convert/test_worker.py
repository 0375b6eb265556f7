"""One conversion: whatever a converter does costs its item only, and is said without values."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from pacsfw import retries
from pacsfw.api import Converter, OutputFile, Stored
from pacsfw.errors import Retry, Skip
from pacsfw.steps.convert.worker import ConversionRefused, Job, Made, Work
from support.guards import guard


@pytest.fixture
def job(tmp_path):
    files = tuple(
        Stored(
            path=tmp_path / f"{uid}.dcm",
            sop_uid=uid,
            sop_class="1",
            study_uid="2",
            series_uid="3",
            syntax="4",
            size=1,
            digest="d",
        )
        for uid in ("1.1", "1.2")
    )
    return Job(
        item="2/3",
        study_uid="2",
        fingerprint="f",
        files=files,
        staging=tmp_path / "staging" / "x",
        target=tmp_path / "archive" / "layout",
        root=tmp_path / "archive",
    )


def works(convert, job, seconds=10.0):
    class Made(Converter):
        def convert(self, files, out):
            return convert(files, out)

    return Work(guard("converter", Made()), seconds)(job)


def file(out: Path, name="a.json", text="text", **more) -> OutputFile:
    path = out / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(text)
    return OutputFile(path=path, media_type="text/plain", sources=more.get("sources", ()))


def test_what_was_written_is_described_at_its_place(job):
    made = works(lambda files, out: [file(out, "sub/a.txt")], job)

    assert isinstance(made, Made)
    (output,) = made.outputs
    assert output.path == str(job.target / "sub" / "a.txt")
    assert output.size == 4
    assert output.digest == "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"
    assert output.sources == ("1.1", "1.2")


def test_the_converter_may_choose_the_folder(job):
    def convert(files, out):
        yield replace(file(out, "a.txt"), folder=["..", "a/b", ".hidden"])
        yield replace(file(out, "sub/b.txt"), folder=())
        yield file(out, "c.txt")

    made = works(convert, job)

    places = [Path(output.path).relative_to(job.root).as_posix() for output in made.outputs]
    assert places == ["%2E%2E/a%2Fb/%2Ehidden/a.txt", "sub/b.txt", "layout/c.txt"]
    names = [path.relative_to(job.staging.resolve()).as_posix() for path in made.staged]
    assert names == ["a.txt", "sub/b.txt", "c.txt"]


@pytest.mark.parametrize("folder", ["text", b"bytes", 7, [""], ["a", None], [1]])
def test_a_folder_that_is_not_a_sequence_of_names_is_refused(job, folder):
    refused = works(lambda files, out: [replace(file(out), folder=folder)], job)

    assert refused == ConversionRefused("it names a folder that is not a sequence of names")


def test_two_files_with_the_same_place_are_refused(job):
    def convert(files, out):
        yield replace(file(out, "q/a.txt"), folder=["p"])
        yield replace(file(out, "a.txt"), folder=["p", "q"])

    assert works(convert, job).reason == "it gives two files the same folder and name"


def link(files, out):
    (out / "a").symlink_to("/etc/passwd")
    return [OutputFile(path=out / "a", media_type="text/plain", sources=())]


def through_a_link(files, out):
    (out / "sub").symlink_to(out.parent)
    return [file(out, "sub/a")]


def outside(files, out):
    file(out.parent, "b")
    return [OutputFile(path=out.parent / "b", media_type="text/plain", sources=())]


def unnamed(files, out):
    file(out, "b")
    return [file(out)]


def late(files, out):
    yield file(out)
    raise ValueError("Müller^Anna")


def leaves(files, out):
    raise SystemExit(0)


def twice(files, out):
    return [file(out), file(out)]


def hang(files, out):
    threading.Event().wait(60)


@pytest.mark.parametrize(
    ("convert", "reason"),
    [
        (outside, "it names a file outside its output folder"),
        (through_a_link, "it names a file outside its output folder"),
        (link, "it names something that is not a regular file"),
        (
            lambda files, out: [OutputFile(path=out / "x", media_type="a/b", sources=())],
            "it names a file that it did not write",
        ),
        (unnamed, "it wrote files that it does not name: 1"),
        (twice, "it names a file twice"),
        (lambda files, out: [], "it wrote nothing, and did not raise Skip"),
        (lambda files, out: ["a.json"], "returned str, not OutputFile"),
        (
            lambda files, out: [file(out, sources=("9.9",))],
            "it names sources that are not in its input",
        ),
        (late, "ValueError at test_worker.py:"),
        (leaves, "tried to exit the program (SystemExit)"),
        (lambda files, out: None, "returned NoneType, not something to iterate"),
        (hang, "took longer than 0.05 s"),
    ],
)
def test_a_converter_that_breaks_its_contract_is_refused(job, convert, reason):
    refused = works(convert, job, 0.05 if convert is hang else 10)

    assert isinstance(refused, ConversionRefused)
    assert refused.reason.startswith(reason)
    assert "Müller" not in refused.reason
    assert not refused.skipped


def test_what_is_left_out_on_purpose_is_skipped(job):
    def skip(files, out):
        raise Skip("no pixels")

    assert works(skip, job) == ConversionRefused("no pixels", skipped=True)


def test_a_converter_that_asks_for_it_is_tried_again_in_an_empty_folder(job, monkeypatch):
    monkeypatch.setattr(retries, "PAUSES", (0,))
    seen = []

    def again(files, out):
        seen.append(list(out.iterdir()))
        result = [file(out)]
        if len(seen) < 3:
            raise Retry("licence server is busy")
        return result

    assert isinstance(works(again, job), Made)
    assert seen == [[], [], []]

    def never(files, out):
        raise Retry("licence server is busy")

    assert works(never, job) == ConversionRefused("licence server is busy (tried 3 times)")


def test_the_converter_is_closed_with_its_worker():
    closed = []

    class Closes(Converter):
        def convert(self, files, out):
            return []

        def close(self):
            closed.append(True)

    work = Work(Closes(), 10.0)
    assert not closed
    work.close()
    assert closed == [True]
