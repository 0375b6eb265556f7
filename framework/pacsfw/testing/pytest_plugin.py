"""Fixtures for authors of plugins; pytest loads them wherever pacsfw is installed.

Nothing slow is imported before a fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from pacsfw.plugins.registry import Registry
    from pacsfw.testing import EmbeddedPACS, FaultyPACS, Study
    from pacsfw.testing.collecting import Collected

pytest.register_assert_rewrite("pacsfw.testing.contracts")


@pytest.fixture
def pacsfw_plugins() -> Registry:
    """What all installed plugins offer: ``pacsfw_plugins.select("layout", "mine")``."""
    from pacsfw.plugins import PluginPlan, discover

    return discover(PluginPlan())


@pytest.fixture
def sample_studies() -> list[Study]:
    """Four ordinary studies of two patients, eight series, two objects in each."""
    from pacsfw.testing import make_studies

    return make_studies(4, patients=2, modalities=[["CT", "CT"], ["MR", "SR"]])


@pytest.fixture(scope="session")
def pacsfw_port() -> int:
    """The port that test collections listen on; every test PACS knows it as PACSFW's."""
    from pacsfw.testing.collecting import free_port

    return free_port()


@pytest.fixture
def embedded_pacs(pacsfw_port: int) -> Iterator[Callable[..., EmbeddedPACS]]:
    """Starts an `EmbeddedPACS`: ``embedded_pacs(sample_studies)``. It ends with the test."""
    from pacsfw.testing import EmbeddedPACS

    with ExitStack() as stack:

        def start(source: Any = (), **options: Any) -> EmbeddedPACS:
            usual = {"destinations": {"PACSFW": ("127.0.0.1", pacsfw_port)}}
            return stack.enter_context(EmbeddedPACS(source, **(usual | options)))

        yield start


@pytest.fixture
def faulty_pacs(pacsfw_port: int) -> Iterator[Callable[..., FaultyPACS]]:
    """Starts a `FaultyPACS`: ``faulty_pacs(sample_studies, lose=1)``. It ends with the test."""
    from pacsfw.testing import FaultyPACS

    with ExitStack() as stack:

        def start(source: Any = (), **faults: Any) -> FaultyPACS:
            usual = {"destinations": {"PACSFW": ("127.0.0.1", pacsfw_port)}}
            return stack.enter_context(FaultyPACS(source, **(usual | faults)))

        yield start


@pytest.fixture
def pacsfw_run(tmp_path: Path, pacsfw_port: int) -> Callable[..., Collected]:
    """Runs a collection in a process of its own, as a user does.

    ``pacsfw_run(pacs, storage={"sort_by": "mine"})`` collects everything from a PACS.
    Further keywords are sections of the configuration: of a mapping the keys replace those
    of the usual one, anything else replaces the section; None leaves it out.
    ``command="find"`` runs another command. The same test may run it several times, over
    the same folder.
    """
    from pacsfw.testing.collecting import collect

    def run(pacs: EmbeddedPACS, *, command: str = "run", **sections: Any) -> Collected:
        return collect(tmp_path / "collection", pacs, pacsfw_port, command, sections)

    return run
