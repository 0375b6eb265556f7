"""The contract of layouts."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pacsfw.api import Header, Layout
from pacsfw.errors import Skip
from pacsfw.steps.ingest.paths import target
from pacsfw.testing.contracts.component import ComponentContract
from pacsfw.testing.contracts.headers import awkward_headers, ordinary_headers


class LayoutContract(ComponentContract):
    """A layout gives every object a place of its own, the same one each time.

    It may leave an object out by raising `pacsfw.errors.Skip`, but not one that nothing is
    wrong with, unless ``skips`` says so.
    """

    kind = "layout"
    skips: ClassVar[bool] = False
    """True: it leaves ordinary objects out as well (some modality, say)."""

    def place(self, layout: Layout, header: Header, root: Path) -> Path | None:
        """Return where an object goes, None where the layout leaves it out."""
        try:
            return target(root, layout(header))
        except Skip:
            return None

    def test_every_object_has_a_place_of_its_own(self, tmp_path: Path) -> None:
        """Two objects with one path: the second could not be stored."""
        layout: Layout = self.make()
        places: dict[Path, str] = {}
        for header in ordinary_headers(tmp_path):
            path = self.place(layout, header, tmp_path)
            if path is None:
                assert self.skips, "an ordinary object was left out"
                continue
            uid = str(header.get("SOPInstanceUID"))
            assert path not in places, f"{uid} and {places.get(path)} have the same path"
            places[path] = uid

    def test_awkward_objects_have_a_place_or_are_left_out_on_purpose(self, tmp_path: Path) -> None:
        """Attributes may be absent, empty or hostile; an object that fails is quarantined."""
        layout: Layout = self.make()
        for what, header in awkward_headers(tmp_path):
            try:
                path = self.place(layout, header, tmp_path)
            except Exception as err:
                raise AssertionError(f"{what}: {type(err).__name__}: {err}") from err
            assert path is None or path.is_relative_to(tmp_path)

    def test_the_same_object_has_the_same_place_each_time(self, tmp_path: Path) -> None:
        """Worker processes have layouts of their own, and a resumed run has others again."""
        first, second = self.make(), self.make()
        for header in ordinary_headers(tmp_path):
            places = {self.place(layout, header, tmp_path) for layout in (first, first, second)}
            assert len(places) == 1, "the path of an object is not the same each time"

    def test_the_header_is_left_as_it_is(self, tmp_path: Path) -> None:
        """The same header serves the table afterwards."""
        layout: Layout = self.make()
        for header in ordinary_headers(tmp_path):
            before = header.dataset.to_json()
            self.place(layout, header, tmp_path)
            assert header.dataset.to_json() == before, "the layout changed the header"
