"""The index of plugins: when an entry counts, and what happens when it does not."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace

import pytest

from pacsfw.errors import PluginError
from pacsfw.plugins import PluginPlan, discover
from pacsfw.plugins.descriptions import Description
from pacsfw.plugins.discovery import find
from pacsfw.plugins.index import Index
from support.dists import LAYOUT

ONE = LAYOUT.format(name="one")
CHANGING = """
import os
from pacsfw import Component, hookimpl

@hookimpl
def pacsfw_layouts():
    for name in os.environ.get("NAMES", "one").split():
        yield Component(name=name, factory=list, summary=os.environ.get("SUMMARY", "as ever"))
"""


@pytest.fixture(autouse=True)
def here(dists, monkeypatch):
    """Let this process see the distributions."""
    monkeypatch.syspath_prepend(str(dists.site))
    for name in ("PACSFW_CACHE_DIR", "IMPORTS"):
        monkeypatch.setenv(name, dists.variables[name])
    yield
    for name in [name for name in sys.modules if name.startswith("site_")]:
        del sys.modules[name]


def layouts(dists):
    """Return the third-party layouts by name, with their summaries."""
    importlib.invalidate_caches()
    return {
        offer.component.name: offer.component.summary
        for offer in discover(PluginPlan()).offers("layout")
        if offer.distribution != "pacsfw"
    }


def index_of(dists):
    (path,) = (dists.folder / "cache").glob("plugins-*.json")
    return path


@pytest.fixture
def known(dists):
    dists.install("site_one", ONE)
    assert layouts(dists) == {"one": "One folder per study."}
    assert len(dists.imports()) == 1
    return dists


def test_an_unchanged_plugin_is_described_once(known):
    assert layouts(known) == {"one": "One folder per study."}
    assert known.imports() == []


def test_a_changed_file_is_noticed(known):
    path = known.site / "site_one.py"
    path.write_text(path.read_text().replace("One folder", "A folder"))

    assert layouts(known) == {"one": "A folder per study."}


def test_a_changed_file_of_the_package_is_noticed(dists):
    package = dists.site / "site_parts"
    package.mkdir()
    (package / "names.py").write_text('NAME = "old"\n')
    code = ONE.replace("Component.of(one)", "Component.of(one, name=NAME)")
    dists.install("site_whole", "from site_parts.names import NAME\n" + code)
    (dists.site / "site_whole.py").rename(package / "__init__.py")
    (dists.site / "site_whole-1.2.dist-info" / "entry_points.txt").write_text(
        "[pacsfw]\nwhole = site_parts\n"
    )
    assert list(layouts(dists)) == ["old"]

    (package / "names.py").write_text('NAME = "renewed"\n')

    assert list(layouts(dists)) == ["renewed"]


def test_another_version_is_described_again(known):
    (known.site / "site_one-1.2.dist-info").rename(known.site / "site_one-1.3.dist-info")
    metadata = known.site / "site_one-1.3.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("1.2", "1.3"))

    layouts(known)

    assert len(known.imports()) == 1


def test_after_an_installation_plugins_are_described_again(dists):
    """What was missing may be there now."""
    dists.install("site_one", "import site_needed\n" + ONE)
    assert layouts(dists) == {}

    (dists.site / "site_needed.py").write_text("")
    (dists.site / "site_needed-1.0.dist-info").mkdir()

    assert layouts(dists) == {"one": "One folder per study."}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe{",
        b"[1, 2]",
        b'{"a": 1}',
        b"[" * 100_000,
        None,
    ],
    ids=["empty", "binary", "list", "other", "deep", "entries"],
)
def test_a_damaged_index_is_made_again(known, content):
    path = index_of(known)
    if content is None:  # each entry is nonsense of its own
        nonsense = [None, 7, [], {}, {"environment": ""}, {"environment": "", "description": 3}]
        names = list(json.loads(path.read_text()))
        entries = {name: nonsense[at % len(nonsense)] for at, name in enumerate(names)}
        content = json.dumps(entries).encode()
    path.write_bytes(content)

    assert layouts(known) == {"one": "One folder per study."}
    assert len(known.imports()) == 1
    assert layouts(known) == {"one": "One folder per study."}
    assert known.imports() == []


@pytest.mark.parametrize("field", ["components", "commands", "failures", "files"])
def test_an_entry_with_a_damaged_field_is_made_again(known, field):
    path = index_of(known)
    entries = json.loads(path.read_text())
    for entry in entries.values():
        entry["description"][field] = [1]
    path.write_text(json.dumps(entries))

    assert layouts(known) == {"one": "One folder per study."}


def test_an_index_that_others_may_write_does_not_count(known):
    path = index_of(known)
    path.write_text(path.read_text().replace("One folder", "Evil folder"))
    path.chmod(0o666)

    assert layouts(known) == {"one": "One folder per study."}


def test_a_folder_that_cannot_be_written_is_replaced_for_this_process_and_its_children(
    dists, monkeypatch
):
    dists.install("site_one", ONE)
    (dists.folder / "file").write_text("")
    monkeypatch.setenv("PACSFW_CACHE_DIR", str(dists.folder / "file" / "cache"))

    assert layouts(dists) == {"one": "One folder per study."}
    again = {**dists.variables, "PACSFW_CACHE_DIR": os.environ["PACSFW_CACHE_DIR"]}
    subprocess.run(
        [sys.executable, "-m", "pacsfw", "plugins", "list"],
        env={**os.environ, **again},
        check=True,
        capture_output=True,
    )

    assert len(dists.imports()) == 1


def test_without_any_folder_that_can_be_written_everything_works(dists, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    dists.install("site_one", ONE)
    monkeypatch.setattr(tempfile, "mkdtemp", full)
    monkeypatch.setattr(tempfile, "mkstemp", full)

    assert layouts(dists) == {"one": "One folder per study."}


def test_a_record_that_differs_from_the_index_is_the_one_that_counts(dists, monkeypatch):
    """It depends on more than its code, so it is described again the next time."""
    dists.install("site_one", CHANGING)
    assert layouts(dists) == {"one": "as ever"}
    monkeypatch.setenv("SUMMARY", "new")

    assert discover(PluginPlan()).select("layout", "one").component.summary == "new"

    assert layouts(dists) == {"one": "new"}


def test_a_component_that_is_no_longer_offered_is_named(dists, monkeypatch):
    dists.install("site_one", CHANGING)
    layouts(dists)
    monkeypatch.setenv("NAMES", "two")

    with pytest.raises(PluginError, match=r"\(site-one 1.2\) does not offer layout 'one' any more"):
        discover(PluginPlan()).select("layout", "one")

    assert list(layouts(dists)) == ["two"]


def test_a_plugin_that_cannot_be_imported_any_more_is_named(dists, monkeypatch):
    code = "import os\nif 'DOWN' in os.environ:\n    raise RuntimeError('down')\n"
    dists.install("site_one", code + ONE)
    layouts(dists)
    monkeypatch.setenv("DOWN", "1")
    registry = discover(PluginPlan())

    with pytest.raises(PluginError, match=r"\(site-one 1.2\): import: RuntimeError: down"):
        registry.build("layout", "one", {})

    assert [failure.stage for failure in discover(PluginPlan()).failures] == ["import"]


def test_what_another_process_added_meanwhile_is_kept(dists):
    dists.install("site_one", ONE)
    one = next(each for each in find(PluginPlan()).candidates if each.name == "site_one")
    first, second = Index(), Index()
    first.put(one, "", Description.failed("first"))
    first.save()
    second.put(replace(one, name="other"), "", Description.failed("second"))
    second.save()

    kept = Index().get(one, "")
    assert kept is not None
    assert kept.failures[0][1] == "first"


def test_entries_of_plugins_that_are_gone_are_not_kept(known):
    for path in known.site.glob("site_one*"):
        path.rename(known.folder / f"gone-{path.name}")
    known.install("site_other", LAYOUT.format(name="other"))

    assert list(layouts(known)) == ["other"]
    assert "site-one" not in index_of(known).read_text()


def test_the_index_is_private(known):
    assert index_of(known).stat().st_mode & 0o077 == 0
