"""The parts of a person's name (PN, PS3.5 section 6.2.1).

A name has up to three component groups, separated by ``=``: ``Alphabetic`` (the default),
``Ideographic`` and ``Phonetic``. Each has up to five components, separated by
``^``: ``FamilyName``, ``GivenName``, ``MiddleName``, ``NamePrefix`` and ``NameSuffix``.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from pydicom.multival import MultiValue

from pacsfw.dicom.vr import PADDING

GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")

Component: TypeAlias = tuple[int, int]
"""The group, and the component in it; `WHOLE_GROUP` for all components."""
WHOLE_GROUP = -1


def split(path: str) -> tuple[str, Component | None]:
    """Split the part of a name from a tag path: ``PatientName.Ideographic.FamilyName``."""
    element, _, last = path.rpartition(".")
    if last in GROUPS:
        return element, (GROUPS.index(last), WHOLE_GROUP)
    if last not in COMPONENTS:
        return path, None
    before, _, group = element.rpartition(".")
    if group in GROUPS:
        return before, (GROUPS.index(group), COMPONENTS.index(last))
    return element, (0, COMPONENTS.index(last))


def part(name: str, component: Component) -> str:
    """Return a part of a name; empty if the name does not have it."""
    group, number = component
    found = _at(name.split("="), group)
    return (found if number == WHOLE_GROUP else _at(found.split("^"), number)).strip(PADDING)


def select(value: Any, component: Component) -> Any:
    """Return the part of a name, or of each of several names."""
    if isinstance(value, MultiValue | list):
        return [part(str(each), component) for each in value]
    return part(str(value), component)


def _at(parts: list[str], index: int) -> str:
    return parts[index] if index < len(parts) else ""
