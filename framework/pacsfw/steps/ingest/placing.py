"""The path that the layout gives an instance, or why there is none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pacsfw.api import Layout
from pacsfw.dicom.header import FileHeader
from pacsfw.errors import ComponentError, Skip
from pacsfw.ledger.instances import Instance
from pacsfw.paths import LONGEST_PATH, target
from pacsfw.steps.ingest.skipping import reason_of


class InstanceRefused(Exception):
    """The instance cannot be stored; the text is the reason, without values of the instance.

    Parameters
    ----------
    component
        The component that caused it, with its distribution and version.
    """

    def __init__(self, reason: str, component: str = "") -> None:
        super().__init__(reason)
        self.component = component


class Placing:
    """Asks the layout for paths below the dataset folder.

    Parameters
    ----------
    layout, component
        The layout, and its name, distribution and version.
    rule
        The fingerprint of the layout: what it leaves out stays out while that is the same.
    archive, state
        ``storage.directory`` and ``storage.state``.
    """

    def __init__(
        self, layout: Layout, component: str, rule: str, archive: Path, state: Path
    ) -> None:
        self._layout, self._component, self._rule = layout, component, rule
        self._archive, self._state = archive, state
        self._state_below = f"{state.as_posix()}/"

    def place(self, header: FileHeader) -> Path:
        """Return the path of an instance.

        Raises
        ------
        Skip
            The layout leaves it out on purpose.
        InstanceRefused
            The layout failed.
        """
        try:
            names = self._layout(header)
        except ComponentError as err:
            why = str(err) if err.fault is None else err.fault.reason
            raise self.refused(f"failed: {why}") from err
        try:
            path = target(self._archive, names)
        except (TypeError, ValueError) as err:
            raise InstanceRefused(f"layout {self._component}: {err}", self._component) from err
        if path == self._state or path.as_posix().startswith(self._state_below):
            raise self.refused("points into the state folder")
        if len(os.fsencode(path)) > LONGEST_PATH:
            raise self.refused(f"chose a path longer than {LONGEST_PATH} bytes")
        return path

    def refused(self, why: str) -> InstanceRefused:
        """Return an exception that says what the layout did, and names it as the cause."""
        return InstanceRefused(f"layout {self._component} {why}", self._component)

    def left_out(
        self,
        record: Instance,
        skip: Skip,
        header: FileHeader,
        rejects: Sequence[tuple[str, str]],
    ) -> Instance:
        """Return an instance that the layout leaves out: its bytes are not kept."""
        return replace(
            record,
            state="left-out",
            reason=f"layout {self._component}: {reason_of(skip, header)}",
            component=self._component,
            rule=self._rule,
            rejects=rejects,
        )
