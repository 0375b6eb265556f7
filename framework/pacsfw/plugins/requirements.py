"""What a distribution requires (``Requires-Dist``), compared with what is installed."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

import pacsfw


@dataclass(frozen=True, slots=True)
class Unmet:
    """A requirement that the installed distributions do not meet."""

    name: str
    text: str
    """As pip understands it: ``pandas>=2``."""
    installed: str
    """The installed version, empty if there is none."""


def requirements(distribution: Distribution) -> Iterator[Requirement]:
    """Yield the readable requirements of a distribution that apply here, without its extras."""
    for line in distribution.requires or ():
        try:
            found = Requirement(line)
            if found.marker is None or found.marker.evaluate({"extra": ""}):
                yield found
        except (InvalidRequirement, ValueError):  # pip would not have installed it
            continue


def unmet(distribution: Distribution) -> Iterator[Unmet]:
    """Yield what a distribution requires and what is not installed, or not in that version."""
    for each in requirements(distribution):
        name = canonicalize_name(each.name)
        installed = pacsfw.__version__ if name == "pacsfw" else _version(name)
        if not installed or not _fits(each, installed):
            extras = f"[{','.join(sorted(each.extras))}]" if each.extras else ""
            yield Unmet(name, f"{each.name}{extras}{each.specifier}", installed)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except Exception:  # noqa: BLE001 - not installed, or broken foreign metadata
        return ""


def _fits(requirement: Requirement, version: str) -> bool:
    try:
        return requirement.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return True  # unknown, so nothing to complain about
