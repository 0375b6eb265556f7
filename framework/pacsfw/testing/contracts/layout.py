"""The contract of layouts."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pacsfw.api import Layout
from pacsfw.dicom.header import FileHeader
from pacsfw.errors import Skip
from pacsfw.paths import target
from pacsfw.steps.ingest.skipping import QUOTES, reason_of
from pacsfw.testing.contracts.component import ComponentContract
from pacsfw.testing.contracts.headers import awkward_headers, ordinary_headers


class LayoutContract(ComponentContract):
    """A layout gives every instance a unique path, the same one each time.

    It may skip an instance by raising `pacsfw.errors.Skip`, but an ordinary one only if
    ``skips`` is set.
    """

    kind = "layout"
    skips: ClassVar[bool] = False
    """True: it also skips ordinary instances (for example, some modality)."""

    def place(self, layout: Layout, header: FileHeader, root: Path) -> Path | None:
        """Return the path of an instance, None if the layout skips it."""
        try:
            return target(root, layout(header))
        except Skip as err:
            quotes = reason_of(err, header) == QUOTES
            assert not quotes, "the text of Skip quotes the patient or accession number"
            return None

    def test_every_object_has_a_place_of_its_own(self, tmp_path: Path) -> None:
        """Otherwise, the second of two instances with one path could not be stored."""
        layout: Layout = self.make()
        places: dict[Path, str] = {}
        for header in ordinary_headers(tmp_path):
            path = self.place(layout, header, tmp_path)
            if path is None:
                assert self.skips, "an ordinary instance was skipped"
                continue
            uid = str(header.get("SOPInstanceUID"))
            assert path not in places, f"{uid} and {places.get(path)} have the same path"
            places[path] = uid

    def test_awkward_objects_have_a_place_or_are_left_out_on_purpose(self, tmp_path: Path) -> None:
        """Attributes may be absent, empty or hostile; a failed instance is quarantined."""
        layout: Layout = self.make()
        for what, header in awkward_headers(tmp_path):
            try:
                path = self.place(layout, header, tmp_path)
            except Exception as err:
                raise AssertionError(f"{what}: {type(err).__name__}: {err}") from err
            assert path is None or path.is_relative_to(tmp_path)

    def test_the_same_object_has_the_same_place_each_time(self, tmp_path: Path) -> None:
        """Each worker process builds its own layout, and so does a resumed run."""
        first, second = self.make(), self.make()
        for header in ordinary_headers(tmp_path):
            places = {self.place(layout, header, tmp_path) for layout in (first, first, second)}
            assert len(places) == 1, "the path of an instance differs between calls"

    def test_the_header_is_left_as_it_is(self, tmp_path: Path) -> None:
        """The same header is used for the table afterwards."""
        layout: Layout = self.make()
        for header in ordinary_headers(tmp_path):
            before = header.dataset.to_json()
            self.place(layout, header, tmp_path)
            assert header.dataset.to_json() == before, "the layout changed the header"
