"""The hostile objects are what they say, and the bundled layouts bear them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import read_header
from pacsfw.dicom.part10 import read_file_meta
from pacsfw.paths import target
from pacsfw.testing import strategies
from pacsfw_plugins.layouts import BUNDLED, Template

quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@quick
@given(content=strategies.whole_files())
def test_whole_files_can_be_read_and_placed(tmp_path, content):
    path = tmp_path / "whole.dcm"
    path.write_bytes(content)

    header = read_header(path)

    assert header.get("SOPInstanceUID") == read_file_meta(path).sop_uid
    assert len(header.dataset) >= 5
    for pattern in BUNDLED.values():
        assert target(Path("/root"), Template(pattern)(header)).is_relative_to("/root")


@quick
@given(content=strategies.damaged_files())
def test_damaged_files_are_read_or_refused(tmp_path, content):
    path = tmp_path / "damaged.dcm"
    path.write_bytes(content)

    with suppress(UnreadableObject):
        read_header(path).get("PatientName")
