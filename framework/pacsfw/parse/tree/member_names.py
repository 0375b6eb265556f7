"""Names of members as they stand in tables: unique, and always within their archive."""

from __future__ import annotations

import re

_DRIVE = re.compile(r"[A-Za-z]:")


class MemberNames:
    """Makes the names of one archive unique.

    Parameters
    ----------
    archive
        The name of the archive itself, if it is a member of another one.
    """

    def __init__(self, archive: str = "") -> None:
        self._within = f"{archive}/" if archive else ""
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def unique(self, name: str, number: int) -> str:
        """Return the name of a member; one that is taken gets ``#`` and its number.

        It depends only on the members before it, so that it is the same in every run.
        """
        unique = plain_name(name)
        while taken := self._taken(unique):
            unique = f"{taken}#{number}{unique[len(taken) :]}"
        self._files.add(unique)
        self._folders.update(_upwards(unique)[1:])
        return self._within + unique

    def _taken(self, name: str) -> str:
        """Return the name, or that of a folder that it is in, if it belongs to another member."""
        if name in self._folders:
            return name
        return next((each for each in _upwards(name) if each in self._files), "")


def plain_name(name: str) -> str:
    r"""Return a name with ``/`` between its parts, which cannot lead out of the archive.

    Backslashes count as separators, ``..`` becomes ``_``, and the drive ``C:`` becomes ``C_``.
    A name without parts is ``_``.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if parts and _DRIVE.match(parts[0]):
        parts[0] = parts[0].replace(":", "_", 1)
    return "/".join("_" if part == ".." else part for part in parts) or "_"


def _upwards(name: str) -> list[str]:
    """Return the name and those of the folders that it is in."""
    found = [name]
    while (above := found[-1].rpartition("/")[0]) != "":
        found.append(above)
    return found
