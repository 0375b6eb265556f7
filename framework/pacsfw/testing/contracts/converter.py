"""The contract of converters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

from pacsfw.api import Converter, OutputFile, Stored
from pacsfw.dicom.part10 import read_file_meta
from pacsfw.errors import Skip
from pacsfw.plugins.facts import scope_of
from pacsfw.steps.ingest.commit import dataset_digest
from pacsfw.testing.contracts.component import ComponentContract
from pacsfw.testing.synthetic import Study, make_studies

_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?:;.*)?")


class ConverterContract(ComponentContract):
    """A converter writes files in its output folder, and changes no others."""

    kind = "converter"
    studies: ClassVar[Sequence[Study]] = tuple(make_studies(2, modalities=[["CT", "MR"]]))
    """The studies for the tests; each of their items must yield output."""

    def items(self, folder: Path) -> Iterator[list[Stored]]:
        """Yield what one call converts: an instance, a series or a study."""
        scope = scope_of(self.component(), self.options)
        assert scope in ("instance", "series", "study"), f"{scope!r} is no scope"
        keys = {"instance": "sop_uid", "series": "series_uid", "study": "study_uid"}
        for study in self.studies:
            files = [stored(path, dataset) for path, dataset in _written(study, folder)]
            for _, group in groupby(files, key=lambda each: str(getattr(each, keys[scope]))):
                yield list(group)

    def convert(self, converter: Converter, files: Sequence[Stored], out: Path) -> list[OutputFile]:
        """Convert one item into its own folder."""
        out.mkdir(parents=True, exist_ok=True)
        return list(converter.convert(files, out))

    def test_it_produces_files_below_its_folder(self, tmp_path: Path) -> None:
        """Each file exists and is reported with its media type and sources."""
        with self.opened(self.make(), tmp_path) as converter:
            for number, files in enumerate(self.items(tmp_path / "in")):
                out = tmp_path / "out" / str(number)
                produced = self.convert(converter, files, out)
                assert produced, "nothing was produced"
                for each in produced:
                    _check(each, {file.sop_uid for file in files}, out)
                reported = {each.path.resolve() for each in produced}
                unreported = {path.resolve() for path in _files(out)} - reported
                listed = sorted(map(str, unreported))
                assert not listed, f"files that were not reported: {listed}"

    def test_what_it_reads_stays_as_it_is(self, tmp_path: Path) -> None:
        """The dataset folder contains what the PACS sent."""
        with self.opened(self.make(), tmp_path) as converter:
            items = list(self.items(tmp_path / "in"))
            before = {path: path.read_bytes() for path in _files(tmp_path / "in")}
            for number, files in enumerate(items):
                self.convert(converter, files, tmp_path / "out" / str(number))
        assert {path: path.read_bytes() for path in _files(tmp_path / "in")} == before

    def test_converting_again_gives_the_same_files(self, tmp_path: Path) -> None:
        """After a kill, the next run converts again."""
        names = []
        for attempt in ("once", "again"):
            with self.opened(self.make(), tmp_path) as converter:
                files = next(self.items(tmp_path / "in"))
                out = tmp_path / attempt
                produced = self.convert(converter, files, out)
                names.append({(each.path.relative_to(out), _names(each)) for each in produced})
        assert names[0] == names[1], "the names of the files differ between calls"

    def test_a_damaged_file_is_refused(self, tmp_path: Path) -> None:
        """It must raise: any other result would be a silent loss."""
        with self.opened(self.make(), tmp_path) as converter:
            files = next(self.items(tmp_path / "in"))
            files[0].path.write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 64)
            try:
                self.convert(converter, files, tmp_path / "out")
            except Skip as err:
                raise AssertionError("a damaged file must fail, not raise Skip") from err
            except Exception:  # noqa: BLE001 - any exception is a rejection
                return
        raise AssertionError("a damaged file was converted without an error")


def stored(path: Path, dataset: Any) -> Stored:
    """Describe a file as in the dataset folder."""
    meta = read_file_meta(path)
    return Stored(
        path=path,
        sop_uid=meta.sop_uid,
        sop_class=meta.sop_class,
        study_uid=str(dataset.StudyInstanceUID),
        series_uid=str(dataset.SeriesInstanceUID),
        syntax=meta.syntax,
        size=path.stat().st_size - meta.offset_of_dataset,
        digest=dataset_digest(path),
    )


def _written(study: Study, folder: Path) -> Iterator[tuple[Path, Any]]:
    return zip(study.write(folder), study.datasets(), strict=True)


def _check(produced: OutputFile, sources: set[str], out: Path) -> None:
    inside = produced.path.resolve().is_relative_to(out.resolve())
    assert inside, f"{produced.path} is outside its output folder"
    assert produced.path.is_file(), f"{produced.path} is not a file"
    assert _MEDIA_TYPE.fullmatch(produced.media_type), (
        f"{produced.media_type!r} is not a media type"
    )
    assert produced.sources, f"{produced.path.name} has no sources"
    foreign = set(produced.sources) - sources
    assert not foreign, f"{produced.path.name} names sources that were not passed in: {foreign}"
    _names(produced)


def _names(produced: OutputFile) -> tuple[str, ...] | None:
    """Return the names of the folders that it chooses."""
    names = produced.folder
    if names is None:
        return None
    right = not isinstance(names, str) and all(isinstance(name, str) and name for name in names)
    assert right, f"{produced.path.name}: its folder is not a sequence of names"
    return tuple(names)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
