"""A disk that fills up: requesting pauses, and goes on by itself when there is room again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pacsfw.testing import make_studies

pytestmark = pytest.mark.full


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_waited_for(embedded_pacs, collection, small_disk):
    pacs = embedded_pacs(make_studies(3, days=30, modalities=(("CT", "CT"),), instances=2))
    collected = collection(
        pacs,
        changes={
            "directory: my/dicom/dir": f"directory: {small_disk}/dicom\n    reserve: 32 MiB",
        },
    )
    collected.archive = small_disk / "dicom"
    collected.state = collected.archive / ".pacsfw"
    assert collected.run("find") == 0
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(40 << 20))
    command = [sys.executable, "-m", "pacsfw", "move", "-f", collected.conf]

    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as moving:
        assert moving.stderr is not None
        told = next((line for line in moving.stderr if "storage.reserve" in line), "")
        assert "requests are paused: less than 32 MiB" in told
        assert collected.files() == []
        ballast.unlink()
        rest = moving.stderr.read()

    assert moving.returncode == 0
    assert "there is enough space again: requests resume" in rest
    assert collected.objects().keys() == pacs.uids("IMAGE")
