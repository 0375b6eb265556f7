"""Find the plugins that can be loaded, without importing them.

Discovery uses ``importlib.metadata``. ``entrypoints`` reads only the plugin folders that the
configuration names, because it fails on the first distribution with broken metadata. Such a
distribution must not matter if it is unrelated to pacsfw.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any, NoReturn

import entrypoints

from pacsfw.hookspecs import PROJECT

BUNDLED = "pacsfw"
"""The distribution of the bundled plugins."""
DISABLE_VARIABLE = "PACSFW_DISABLE_PLUGINS"
NO_PLUGINS_VARIABLE = "PACSFW_NO_PLUGINS"
"""Set by ``--no-plugins``, so that worker processes skip plugins, too."""

_WRITABLE_BY_OTHERS = 0o022


@dataclass(frozen=True, slots=True)
class PluginPlan:
    """The plugins to load. Picklable: every worker process discovers them again.

    ``load`` lists one-file plugins and folders of installed distributions. ``disable`` lists
    plugin names, distribution names or ``distribution/plugin``; only the last form disables a
    bundled plugin. If ``installed`` is False, third-party packages are skipped.
    """

    load: tuple[Path, ...] = ()
    disable: tuple[str, ...] = ()
    installed: bool = True


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plugin that can be loaded; ``load`` imports it, and may raise any exception."""

    name: str
    distribution: str
    version: str
    load: Callable[[], Any]
    value: str = ""
    """``module:attribute`` or a path: what is imported; empty if nothing is."""
    origin: str = ""
    """The folder of its metadata; empty for a one-file plugin."""

    @property
    def is_file(self) -> bool:
        """Whether it is a one-file plugin."""
        return bool(self.value) and not self.origin

    @property
    def key(self) -> str:
        """``distribution/name``, unique among the loaded plugins."""
        return f"{self.distribution}/{self.name}"


def switched_off() -> bool:
    """Return whether only bundled plugins are loaded (``--no-plugins``)."""
    return os.environ.get(NO_PLUGINS_VARIABLE, "") not in ("", "0")


def is_disabled(candidate: Candidate, plan: PluginPlan) -> bool:
    """Return whether the plan or the environment disables a plugin."""
    listed = os.environ.get(DISABLE_VARIABLE, "").split(",")
    disable = {*plan.disable, *(name.strip() for name in listed if name.strip())}
    if candidate.key in disable:
        return True
    return candidate.distribution != BUNDLED and bool(
        {candidate.name, candidate.distribution} & disable
    )


@dataclass(frozen=True, slots=True)
class Found:
    """The plugins of a plan, including disabled ones.

    ``environment`` identifies the installed distributions: what a plugin offers may depend on
    them.
    """

    candidates: Sequence[Candidate]
    environment: str


def find(plan: PluginPlan) -> Found:
    """Find every plugin of the plan.

    They are sorted by distribution and name, so that the order of folders on disk does not
    matter. Plugins from ``load`` come last, in its order. Unreadable metadata becomes a
    candidate whose `load` raises.
    """
    alone = switched_off() or not plan.installed
    folders = {path for path in plan.load if path.is_dir()}
    # A folder of `load` may be on the path already: its plugins are not found twice.
    there = list(distributions())
    if folders:
        there = [each for each in there if _folder_of(each).parent not in folders]
    found = [each for each in _installed(there) if not alone or each.distribution == BUNDLED]
    found.sort(key=lambda candidate: (candidate.distribution, candidate.name))
    for path in () if switched_off() else plan.load:
        if path in folders:
            found += _folder(path)
        else:
            value = str(path)
            found.append(Candidate(path.stem, value, "", partial(_load_file, path), value))
    names = "\n".join(sorted({_folder_of(each).name for each in there}))
    return Found(found, sha256(names.encode("utf-8", "surrogateescape")).hexdigest())


def _installed(there: Iterable[Distribution]) -> Iterator[Candidate]:
    """Yield the entry points of each distribution separately.

    ``importlib.metadata.entry_points`` fails completely if one distribution is not UTF-8.
    """
    seen: set[str] = set()
    for distribution in there:
        folder = _folder_of(distribution)
        try:
            if f"[{PROJECT}]" not in (distribution.read_text("entry_points.txt") or ""):
                continue
            entries = distribution.entry_points.select(group=PROJECT)
        except Exception as err:  # noqa: BLE001 - foreign metadata: reported, not fatal
            if f"[{PROJECT}]".encode() in _raw(folder / "entry_points.txt"):
                yield Candidate(folder.stem, str(folder), "", partial(_raise, err))
            continue
        name, version = about(distribution)
        # As in the import system, the first one on the path hides the others.
        if (normal := re.sub(r"[-_.]+", "-", name).lower()) not in seen:
            seen.add(normal)
            for each in entries:
                yield Candidate(each.name, name, version, each.load, each.value, str(folder))


def _folder_of(distribution: Distribution) -> Path:
    found = getattr(distribution, "_path", "unknown")
    return found if isinstance(found, Path) else Path(str(found))


def _raw(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def about(distribution: Distribution) -> tuple[str, str]:
    """Return name and version, from the name of the folder if METADATA is unusable.

    Only two lines are read: to parse all metadata of every plugin takes too long.
    """
    try:
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    except Exception:  # noqa: BLE001 - broken metadata must not hide the plugin
        text = ""
    head = text.partition("\n\n")[0]
    name, version = (re.search(rf"(?m)^{key}: *(\S+)\s*$", head) for key in ("Name", "Version"))
    if name is None:
        stem, _, number = _folder_of(distribution).stem.partition("-")
        return stem, number
    return name[1], version[1] if version else ""


def _folder(path: Path) -> Iterator[Candidate]:
    if str(path) not in sys.path:
        sys.path.append(str(path))
    try:
        entries = sorted(entrypoints.get_group_all(PROJECT, path=[str(path)]), key=lambda e: e.name)
        if not entries:
            raise FileNotFoundError(f"no installed plugin in {path}")
    except Exception as err:  # noqa: BLE001 - broken metadata: reported on load
        yield Candidate(path.name, str(path), "", partial(_raise, err))
        return
    for entry in entries:
        name, version = (entry.distro.name, entry.distro.version) if entry.distro else ("", "")
        value = ":".join(part for part in (entry.module_name, entry.object_name) if part)
        info = path / f"{name}-{version}.dist-info"
        origin = str(info if info.is_dir() else path)
        yield Candidate(entry.name, name or str(path), version or "", entry.load, value, origin)


def _raise(err: Exception) -> NoReturn:
    raise err


def _load_file(path: Path) -> Any:
    """Import a one-file plugin under its own name, so that ``name:function`` works, too.

    Its folder comes last on the path of import: it may import a file next to it, and such a
    file hides no installed module. Not so a folder in which others may put files.
    """
    if (module := sys.modules.get(path.stem)) is not None:
        if getattr(module, "__file__", None) == str(path):
            return module
        raise ImportError(f"a module named {path.stem!r} is already loaded; rename {path.name}")
    other = importlib.util.find_spec(path.stem) if path.stem.isidentifier() else None
    if other is not None and other.origin and Path(other.origin).resolve() != path.resolve():
        raise ImportError(f"a module named {path.stem!r} is installed; rename {path.name}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    folder = str(path.parent)
    if folder not in sys.path and not os.stat(folder).st_mode & _WRITABLE_BY_OTHERS:
        sys.path.append(folder)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module
