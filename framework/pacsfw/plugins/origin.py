"""Identify a component: its package, its code, the data that it reads, and its options."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from pacsfw.api import ComponentInfo
from pacsfw.api.components import AsItStands, Lazy
from pacsfw.durable import digest_of
from pacsfw.errors import PluginError
from pacsfw.hookspecs import PROJECT
from pacsfw.plugins.boundary import Boundary, FaultLog
from pacsfw.plugins.discovery import BUNDLED
from pacsfw.plugins.records import Offer

MOST_FILES = 2000
"""Maximum number of files of a package that are digested; of a larger one, only the module is."""

LONGEST = 200
"""Maximum length of a fingerprint that a component gives."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A component as it is used.

    ``info`` is what provenance shows. ``options`` is a digest, because options may hold secrets.
    ``digest`` changes with everything that may change what the component does. It does not
    change if a one-file plugin is moved, nor with the version of pacsfw unless the module of a
    bundled component was edited.
    """

    info: ComponentInfo
    options: str
    digest: str

    @property
    def record(self) -> Mapping[str, str]:
        """What the ledger keeps."""
        return {**asdict(self.info), "options": self.options}


def identity_of(
    offer: Offer, options: Mapping[str, Any], built: Any, faults: FaultLog | None = None
) -> Identity:
    """Ask a component that was built with these options for its fingerprint, and identify it.

    ``faults`` counts its faults.

    Raises
    ------
    ComponentError
        It failed.
    PluginError
        Its source code cannot be read.
    """
    fingerprint = fingerprint_of(Boundary(offer.kind, offer.described, log=faults), built)
    code = code_of(offer, built)
    info = info_of(offer, code, fingerprint)
    of_options = _digest(json.dumps(dict(options), sort_keys=True, default=str))
    # A one-file plugin has no version, and its distribution is its path.
    package = [offer.distribution, offer.version] if offer.version and info.code == code else []
    parts = [offer.kind, offer.component.name, package, code, fingerprint, of_options]
    return Identity(info, of_options, _digest(json.dumps(parts)))


def info_of(offer: Offer, code: str, fingerprint: str = "") -> ComponentInfo:
    """Return what provenance shows of a component with this code."""
    return ComponentInfo(
        kind=offer.kind,
        name=offer.component.name,
        distribution=offer.distribution,
        version=offer.version,
        code="" if offer.distribution == BUNDLED else code,
        fingerprint=fingerprint,
    )


def fingerprint_of(boundary: Boundary, built: Any) -> str:
    """Return what a component says of the data that it reads, empty if it says nothing.

    Raises
    ------
    ComponentError
        It failed, or it is not a short text.
    """
    said = boundary.call("fingerprint", _said, built)
    if not isinstance(said, str):
        raise boundary.fault("fingerprint", f"is {type(said).__name__}, not str")
    if len(said) > LONGEST or not (said.isascii() and said.isprintable()):
        # It gets into the ledger and into manifests, which others may read.
        raise boundary.fault("fingerprint", f"is not at most {LONGEST} printable ASCII characters")
    return said


def _said(built: Any) -> Any:
    said = getattr(built, "fingerprint", "")
    return said() if callable(said) else said


def code_of(offer: Offer, built: Any = None) -> str:
    """Return a digest of the source code of a component, empty if it has none.

    It covers the module of the plugin and that of the function or class, and all other modules
    of their packages. With a single file, it is the digest of that file.

    The standard library, compiled modules and pacsfw itself are left out: their versions count.
    Of a bundled component, only its module is covered.
    """
    names = dict.fromkeys(
        name
        for name in (_module_of(offer), *_modules(offer.component.factory), *_modules(built))
        if name.partition(".")[0] not in sys.stdlib_module_names
    )
    bundled = offer.distribution == BUNDLED
    files: dict[str, Path] = {}
    for name in names:
        if bundled or name.partition(".")[0] != PROJECT:
            files.update(_module(name) if bundled else _package(name))
    try:
        lines = [f"{digest_of(path)}  {name}\n" for name, path in sorted(files.items())]
    except OSError as err:
        why = f"its source code cannot be read: {err.strerror}"
        raise PluginError(f"{offer.kind} {offer.described}: {why}") from err
    if len(lines) == 1:
        return lines[0].partition(" ")[0]
    return _digest("".join(lines)) if lines else ""


def _module_of(offer: Offer) -> str:
    """Return the module of the plugin, or that of a ``module:attribute``; empty if unknown.

    The factory does not show it if it is a partial of a function of another package.
    """
    if ":" in offer.component.name:
        return offer.plugin
    if offer.distribution.endswith(".py"):
        return offer.plugin
    try:
        entries = importlib.metadata.distribution(offer.distribution).entry_points
        found = [each.module for each in entries.select(group=PROJECT, name=offer.plugin)]
    except Exception:  # noqa: BLE001 - not installed, or broken foreign metadata
        return ""
    return found[0] if found else ""


def _modules(thing: Any) -> Iterator[str]:
    """Yield the modules in which a function, class, object or factory is defined."""
    if thing is None:
        return
    if isinstance(thing, Lazy):
        yield thing.reference.partition(":")[0]
        return
    if isinstance(thing, AsItStands):
        yield from _modules(thing.function)
        return
    if isinstance(thing, partial):
        for each in (thing.func, *thing.args, *thing.keywords.values()):
            if callable(each):
                yield from _modules(each)
        return
    module = getattr(thing, "__module__", None)
    if isinstance(module, str):
        yield module


def _module(name: str) -> Iterator[tuple[str, Path]]:
    """Yield the source file of a module."""
    file, _ = _place(name)
    if file and file.endswith(".py"):
        yield name, Path(file)


def _package(name: str) -> Iterator[tuple[str, Path]]:
    """Yield the source files of the outermost package of a module; not of a namespace."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        outer = ".".join(parts[:length])
        file, is_package = _place(outer)
        if not file:
            continue
        if is_package:
            folder = Path(file).parent
            found = list(islice(folder.rglob("*.py"), MOST_FILES + 1))
            if len(found) <= MOST_FILES:
                yield from ((f"{outer}/{p.relative_to(folder).as_posix()}", p) for p in found)
                return
        yield from _module(name)
        return


def _place(name: str) -> tuple[str, bool]:
    """Return the file of a module, empty if it has none, and whether it is a package."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        return getattr(loaded, "__file__", None) or "", hasattr(loaded, "__path__")
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return "", False
    if spec is None or not spec.has_location:
        return "", False
    return spec.origin or "", spec.submodule_search_locations is not None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
