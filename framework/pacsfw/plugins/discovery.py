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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
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


def candidates(plan: PluginPlan) -> Iterator[Candidate]:
    """Yield every plugin of the plan, including disabled ones.

    They are sorted by distribution and name, so that the order of folders on disk does not
    matter. Plugins from ``load`` come last, in its order. Unreadable metadata becomes a
    candidate whose `load` raises.
    """
    alone = switched_off() or not plan.installed
    found = _installed()
    if alone:
        found = (each for each in found if each.distribution == BUNDLED)
    yield from sorted(found, key=lambda candidate: (candidate.distribution, candidate.name))
    for path in () if switched_off() else plan.load:
        if path.is_dir():
            yield from _folder(path)
        else:
            yield Candidate(path.stem, str(path), "", partial(_load_file, path))


def _installed() -> Iterator[Candidate]:
    """Yield the entry points of each distribution separately.

    ``importlib.metadata.entry_points`` fails completely if one distribution is not UTF-8.
    """
    seen: set[str] = set()
    for distribution in distributions():
        try:
            entries = distribution.entry_points.select(group=PROJECT)
        except Exception as err:  # noqa: BLE001 - foreign metadata: reported, not fatal
            folder = str(getattr(distribution, "_path", "unknown"))
            if f"[{PROJECT}]".encode() in _raw(Path(folder) / "entry_points.txt"):
                name = Path(folder).stem
                yield Candidate(name, folder, "", partial(_raise, err))
            continue
        if entries:
            name, version = _about(distribution)
            # As in the import system, the first one on the path hides the others.
            if (normal := re.sub(r"[-_.]+", "-", name).lower()) not in seen:
                seen.add(normal)
                yield from (Candidate(each.name, name, version, each.load) for each in entries)


def _raw(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _about(distribution: Distribution) -> tuple[str, str]:
    """Return name and version, from the name of the folder if METADATA is unusable."""
    try:
        name, version = distribution.metadata["Name"], distribution.metadata["Version"]
    except Exception:  # noqa: BLE001 - broken metadata must not hide the plugin
        name, version = None, None
    if not name:
        stem = Path(str(getattr(distribution, "_path", "unknown"))).stem
        name, _, version = stem.partition("-")
    return str(name), str(version or "")


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
        yield Candidate(entry.name, name or str(path), version or "", entry.load)


def _raise(err: Exception) -> NoReturn:
    raise err


def _load_file(path: Path) -> Any:
    """Import a one-file plugin under its own name, so that ``name:function`` works, too."""
    if path.stem in sys.modules:
        module = sys.modules[path.stem]
        if getattr(module, "__file__", None) == str(path):
            return module
        raise ImportError(f"a module named {path.stem!r} is already loaded; rename {path.name}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module
