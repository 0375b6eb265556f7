"""The converters ``jsonmeta`` and ``command``, on real files and with real programs."""

from __future__ import annotations

import json
import sys
import threading

import pydicom
import pytest
from pydicom.dataset import Dataset

from pacsfw.errors import ComponentError, ConfigError, Skip, TookTooLong
from pacsfw.plugins import PluginPlan, discover
from pacsfw.testing import make_studies
from pacsfw.testing.contracts.converter import stored
from pacsfw.workers.limits import limited
from support.context import run_context

PYTHON = sys.executable


@pytest.fixture
def files(tmp_path):
    """The stored objects of one small study."""
    (study,) = make_studies(1, modalities=[["CT"]], instances=2)
    paths = study.write(tmp_path / "in")
    return [stored(path, pydicom.dcmread(path)) for path in paths]


def convert(name, files, tmp_path, **options):
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    converter = discover(PluginPlan()).build("converter", name, options)
    converter.open(run_context(tmp_path))
    return [path.path for path in converter.convert(files, out)]


def test_the_attributes_come_back_as_they_were(files, tmp_path):
    (path,) = convert("jsonmeta", files[:1], tmp_path, indent=1)

    assert path.name == files[0].path.name.replace(".dcm", ".json")
    original = pydicom.dcmread(files[0].path, stop_before_pixels=True)
    assert Dataset.from_json(path.read_text()) == original
    assert "7FE00010" not in json.loads(path.read_text())


def test_bulk_data_are_left_out_at_any_depth_and_small_values_are_not(files, tmp_path):
    dataset = pydicom.dcmread(files[0].path)
    item = Dataset()
    item.add_new(0x00091010, "OB", b"x" * 5000)
    item.add_new(0x00091011, "OB", b"ab")
    dataset.add_new(0x00081140, "SQ", [item])
    dataset.save_as(files[0].path)
    (path,) = convert("jsonmeta", files[:1], tmp_path)

    (found,) = json.loads(path.read_text())["00081140"]["Value"]
    assert list(found) == ["00091011"]
    assert found["00091011"] == {"vr": "OB", "InlineBinary": "YWI="}


def test_a_value_that_json_cannot_hold_is_named_by_its_tag_or_omitted(files, tmp_path):
    content = files[0].path.read_bytes()
    assert b"IS\x02\x001 " in content
    files[0].path.write_bytes(content.replace(b"IS\x02\x001 ", b"IS\x02\x00\xff1", 1))

    with pytest.raises(ComponentError, match=r"cannot represent the value of \(0020,001[123]\)"):
        convert("jsonmeta", files[:1], tmp_path)
    (path,) = convert("jsonmeta", files[:1], tmp_path, invalid="omit")
    assert len(json.loads(path.read_text())) > 10


def test_a_program_gets_its_arguments_as_they_are_and_no_shell(files, tmp_path):
    hostile = "$(touch pwned); `id` | cat > x && 'y'"
    script = "import json, sys; print(json.dumps(sys.argv[1:]))"
    argv = [PYTHON, "-c", script, hostile, "{files}", "{{x}}", "{study_uid}"]
    (path,) = convert("command", files, tmp_path, argv=argv, scope="study", stdout="argv.json")

    first, *paths, braces, uid = json.loads(path.read_text())
    assert first == hostile
    assert paths == [str(each.path) for each in files]
    assert (braces, uid) == ("{x}", files[0].study_uid)
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["argv.json"]


def test_a_program_does_not_see_our_variables(files, tmp_path, monkeypatch):
    monkeypatch.setenv("PACS_TOKEN", "sesame")
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    options = {"argv": [PYTHON, "-c", script], "stdout": "env.json", "env": {"MINE": "1"}}
    (path,) = convert("command", files[:1], tmp_path, **options)

    seen = json.loads(path.read_text())
    assert seen["MINE"] == "1"
    assert "PATH" in seen
    assert "PACS_TOKEN" not in seen


@pytest.mark.parametrize(
    ("script", "error", "message"),
    [
        ("import sys; print('Doe^Jane', file=sys.stderr); sys.exit(4)", ComponentError, "code 4"),
        ("import os; os.kill(os.getpid(), 9)", ComponentError, "signal 9"),
        ("import sys; sys.exit(3)", Skip, "exit code 3"),
        ("open('big', 'wb').write(b'x' * 3000)", ComponentError, "more than 2000 bytes"),
        (
            "for n in 'abc': open(n, 'wb').write(b'x' * 900)",
            ComponentError,
            "more than 2000 bytes",
        ),
    ],
)
def test_how_a_program_ended_is_judged(files, tmp_path, script, error, message):
    options = {"argv": [PYTHON, "-c", script], "skip_codes": [3], "max_bytes": 2000}
    with pytest.raises(error, match=message) as caught:
        convert("command", files[:1], tmp_path, **options)
    assert "Doe" not in str(caught.value)


def test_a_program_that_hangs_is_killed_with_what_it_started(files, tmp_path):
    pid = tmp_path / "pid"
    script = (
        "import subprocess, sys, time; "
        f"p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        f"open({str(pid)!r}, 'w').write(str(p.pid)); time.sleep(600)"
    )

    def run():
        return convert("command", files[:1], tmp_path, argv=[PYTHON, "-c", script])

    with pytest.raises(TookTooLong):
        limited(run, 2.0)()
    child = int(pid.read_text())
    for _ in range(100):
        try:
            with open(f"/proc/{child}/stat") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return  # killed; nobody has looked after it yet
        except FileNotFoundError:
            return
        threading.Event().wait(0.05)
    pytest.fail("the grandchild is alive")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"argv": ["no-such-program-xyz"]}, "the program 'no-such-program-xyz' is not found"),
        ({"argv": [PYTHON, "{fiel}"]}, r"\{fiel\} is not one of \{file\}"),
        ({"argv": [PYTHON, "{"]}, r"write a literal brace twice"),
        ({"argv": [PYTHON, "x{files}"]}, r"\{files\} must be a separate argument"),
        (
            {"argv": [PYTHON, "{file}"], "scope": "series"},
            r"\{file\} needs scope instance, not series",
        ),
        (
            {"argv": [PYTHON, "{series_uid}"], "scope": "study"},
            "needs scope instance or series, not study",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_the_run(options, message):
    with pytest.raises(ConfigError, match=message):
        discover(PluginPlan()).build("converter", "command", options)
