"""``pacsfw plugins check``: what a package of plugins lacks before its release."""

from __future__ import annotations

import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from pacsfw.api import API_VERSION
from pacsfw.cli.plugins_doctor import Finding, component_findings, schema_fault
from pacsfw.errors import ConfigError
from pacsfw.hookspecs import PROJECT
from pacsfw.plugins import PluginPlan, discover
from pacsfw.plugins.apart import describe_apart
from pacsfw.plugins.catalogue import Catalogue
from pacsfw.plugins.discovery import BUNDLED, find
from pacsfw.plugins.known import Known
from pacsfw.plugins.registry import Registry


@dataclass(frozen=True, slots=True)
class _Package:
    """A package to check: what its metadata say, and where its modules are."""

    name: str
    metadata: Any
    """The fields of its core metadata."""
    requires: Sequence[str]
    entries: Sequence[str]
    path: Sequence[str]
    """Folders to import from, before all others."""
    root: Path | None = None
    """The folder of its source, if that is what is checked."""


def examined(what: str) -> Iterator[Finding]:
    """Check a package and yield what is wrong, or could be better.

    Parameters
    ----------
    what
        The name of an installed package, a folder with a ``pyproject.toml``, or a wheel.

    Raises
    ------
    ConfigError
        There is no such package.
    """
    if what == BUNDLED:
        raise ConfigError(f"{what}: bundled plugins are part of it; its own tests check them")
    with _opened(what) as package:
        yield from _metadata(package)
        if not package.entries:
            yield Finding(
                f"{package.name} has no entry point in the group {PROJECT!r}",
                f'name the module of the plugin: [project.entry-points.{PROJECT}] x = "module"',
            )
            return
        registry = _loaded(package)
        if not registry.plugins and not registry.failures:
            yield Finding(f"no plugin of {package.name} was found", "see `pacsfw plugins doctor`")
        for failure in registry.failures:
            yield Finding(str(failure), "pacsfw would not use it", traceback=failure.traceback)
        for offer in registry.offers():
            yield from component_findings(registry, offer)
        yield from _sections(registry)
        yield from _collisions(registry)
        yield from _plugins(registry)
        yield from _tests(package)


@contextmanager
def _opened(what: str) -> Iterator[_Package]:
    path = Path(what)
    with tempfile.TemporaryDirectory(prefix="pacsfw-check-") as name:
        folder = Path(name)
        if path.suffix == ".whl" and path.is_file():
            yield _of(_unpacked(path, folder), [name])
        elif path.is_dir():
            info = _written(path, folder)
            source = path / "src" if (path / "src").is_dir() else path
            yield _of(Distribution.at(info), [name, str(source.absolute())], path)
        else:
            try:
                yield _of(distribution(what), [])
            except PackageNotFoundError as err:
                raise ConfigError(
                    f"{what}: neither an installed package, nor a folder, nor a wheel"
                ) from err


def _of(found: Distribution, path: Sequence[str], root: Path | None = None) -> _Package:
    return _Package(
        name=found.metadata["Name"],
        metadata=found.metadata,
        requires=tuple(found.requires or ()),
        entries=[each.name for each in found.entry_points.select(group=PROJECT)],
        path=path,
        root=root,
    )


def _unpacked(path: Path, folder: Path) -> Distribution:
    try:
        with zipfile.ZipFile(path) as wheel:
            wheel.extractall(folder)
    except (OSError, zipfile.BadZipFile) as err:
        raise ConfigError(f"{path}: cannot be read: {err}") from err
    infos = list(folder.glob("*.dist-info"))
    if len(infos) != 1:
        raise ConfigError(f"{path}: not a wheel: {len(infos)} folders of metadata")
    return Distribution.at(infos[0])


def _written(root: Path, folder: Path) -> Path:
    """Write the metadata of a source folder as an installed package has them."""
    place = root / "pyproject.toml"
    try:
        project = tomllib.loads(place.read_text(encoding="utf-8"))["project"]
        name, version = project["name"], project.get("version", "0")
    except (OSError, KeyError, UnicodeDecodeError, tomllib.TOMLDecodeError) as err:
        why = f"no {err.args[0]}" if isinstance(err, KeyError) else str(err)
        raise ConfigError(f"{place}: cannot be read: {why}") from err
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {each}" for each in project.get("dependencies", ())]
    lines += [f"Classifier: {each}" for each in project.get("classifiers", ())]
    lines += [f"Summary: {project['description']}"] if project.get("description") else []
    lines += ["License-Expression: given"] if project.get("license") else []
    lines += ["", "A readme."] if project.get("readme") else []
    entries = project.get("entry-points", {}).get(PROJECT, {})
    info = folder / f"{str(name).replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    body = "\n".join([f"[{PROJECT}]", *(f"{key} = {value}" for key, value in entries.items())])
    (info / "entry_points.txt").write_text((body if entries else "") + "\n", encoding="utf-8")
    return info


def _loaded(package: _Package) -> Registry:
    """Describe the plugins of the package in another process."""
    before = list(sys.path)
    sys.path[:0] = package.path
    try:
        plan = PluginPlan()
        mine = [each for each in find(plan).candidates if each.distribution == package.name]
        described = list(describe_apart(plan, mine, deep=True))
    finally:
        sys.path[:] = before
    return Catalogue(Known(*each) for each in described).registry()


def _metadata(package: _Package) -> Iterator[Finding]:
    from packaging.requirements import InvalidRequirement, Requirement

    host = None
    for line in package.requires:
        try:
            found = Requirement(line)
        except InvalidRequirement:
            yield Finding(f"the requirement {line!r} cannot be read", "see PEP 508")
            continue
        if found.name == BUNDLED and found.marker is None:
            host = found
    if host is None:
        yield Finding(
            f"{package.name} does not require {BUNDLED}", 'dependencies = ["pacsfw>=0.1,<1"]'
        )
    elif not any(each.operator in ("<", "<=", "==", "~=") for each in host.specifier):
        yield Finding(
            f"{package.name} requires any later pacsfw ({host})",
            'bound it, as the contract may change: dependencies = ["pacsfw>=0.1,<1"]',
            broken=False,
        )
    said = package.metadata
    texts = {
        "a summary (description)": said["Summary"],
        "a readme": said.get_payload() or said["Description"],
        "a licence": said["License-Expression"] or said["License"] or said["License-File"],
        "classifiers": said["Classifier"],
    }
    for what, text in texts.items():
        if not text:
            yield Finding(
                f"{package.name} has no {what.removeprefix('a ')}",
                "add it to [project] in pyproject.toml",
                broken=False,
            )


def _sections(registry: Registry) -> Iterator[Finding]:
    for key, offer in registry.sections.items():
        if fault := schema_fault(offer.section.schema):
            yield Finding(f"section {key!r}: its schema is broken: {fault}", "fix the schema")


def _collisions(registry: Registry) -> Iterator[Finding]:
    """Yield the names that pacsfw itself has: plain, they never mean this package."""
    from pacsfw.cli import COMMANDS
    from pacsfw.config.schemas import claimed, frame

    free = claimed(frame(), registry)
    bundled = discover(PluginPlan(installed=False))
    names = {(offer.kind, offer.component.name) for offer in bundled.offers()}
    taken = [
        *((o.kind, o.component.name) for o in registry.offers()
          if (o.kind, o.component.name) in names),
        *(("command", offer.name) for offer in registry.commands if offer.name in COMMANDS),
        *(("section", key) for key in registry.sections
          if key not in free or key in bundled.sections),
    ]  # fmt: skip
    for kind, name in taken:
        yield Finding(f"{kind} {name!r} has the name of a bundled one", "choose another name")


def _plugins(registry: Registry) -> Iterator[Finding]:
    for plugin in registry.plugins:
        for note in (*plugin.notes, *plugin.deprecated):
            yield Finding(f"{plugin}: {note}", "see docs/plugins.md", broken=False)


def _tests(package: _Package) -> Iterator[Finding]:
    """Note a package with tests, none of which uses a contract."""
    if package.root is None:
        return
    tests = [*package.root.glob("tests/**/test_*.py"), *package.root.glob("test_*.py")]
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in tests]
    if not tests:
        yield Finding(f"{package.name} has no tests", "see pacsfw.testing", broken=False)
    elif not any("pacsfw.testing" in text or "pacsfw_plugins" in text for text in texts):
        yield Finding(
            f"no test of {package.name} uses a contract of pacsfw",
            f"derive one from pacsfw.testing, for contract {API_VERSION}",
            broken=False,
        )
