"""`FaultyPACS`: an `EmbeddedPACS` with selectable faults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pacsfw.testing.embedded import EmbeddedPACS
from pacsfw.testing.pacs_faults import Faults
from pacsfw.testing.synthetic import Study


class FaultyPACS(EmbeddedPACS):
    """A PACS on 127.0.0.1 with the faults of real PACS, to test software that queries one.

    Parameters
    ----------
    source, aetitle, destinations, port, delay, max_associations
        As for `EmbeddedPACS`. `pacsfw.testing.population` creates difficult studies.
    **faults
        The fields of `Faults`. Without any, the only difference from `EmbeddedPACS` is that
        it ignores the case of patient names and of its AE title.

    Raises
    ------
    ValueError
        The value of a fault is not valid.
    """

    def __init__(
        self,
        source: Path | str | Iterable[Study] = (),
        *,
        aetitle: str = "FAULTYPACS",
        destinations: Mapping[str, tuple[str, int]] | None = None,
        port: int = 0,
        delay: float = 0.0,
        max_associations: int = 64,
        **faults: Any,
    ) -> None:
        self.faults = Faults(**faults)
        super().__init__(
            source,
            aetitle=aetitle,
            destinations=destinations,
            port=port,
            delay=delay,
            fold_names=not self.faults.case_sensitive,
            max_associations=max_associations,
        )
        self._settings = replace(
            self._settings, faults=self.faults, fold_titles=not self.faults.case_sensitive
        )

    def set_faults(self, **faults: Any) -> None:
        """Replace all faults by these, also for running requests.

        ``models`` and ``case_sensitive`` keep their values from the start.
        """
        self.faults = Faults(**faults)
        self._ask("set_faults", self.faults)
