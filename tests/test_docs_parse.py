"""The examples of docs/parse.md are run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from support.trees import write_images, write_tags

TEXT = (Path(__file__).parents[1] / "docs" / "parse.md").read_text(encoding="utf-8")


def test_the_python_examples_run_one_after_the_other(tmp_path):
    images = write_images(tmp_path / "made", studies=1)
    (tmp_path / "scans").mkdir()
    for number, image in enumerate(images, start=1):
        image.rename(tmp_path / "scans" / f"IM{number:04}")
    (tmp_path / "scans" / "notes.txt").write_text("no image")
    write_tags(tmp_path / "tags.yaml")
    blocks = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    code = "\n".join(blocks) + (
        "\nassert len(frame) == table.num_rows == 2, frame"
        "\nassert name == 'Adler^Ada' and row['side'] == 'U' and len(rows) == 1\n"
    )

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    *printed, summary, failure = done.stdout.splitlines()
    assert len(printed) == 2
    assert printed[0] == f"2020-01-01 U {tmp_path}/scans/IM0001"
    assert summary == "3 files, 2 rows"
    assert failure == f"{tmp_path}/scans/notes.txt file not DICOM"
