"""Fixtures for plugin authors; pytest loads them wherever pacsfw is installed.

Slow imports happen only when a fixture is used.
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
    """The registry of all installed plugins: ``pacsfw_plugins.select("layout", "mine")``."""
    from pacsfw.plugins import PluginPlan, discover

    return discover(PluginPlan())


@pytest.fixture
def sample_studies() -> list[Study]:
    """Four ordinary studies of two patients: eight series with two instances each."""
    from pacsfw.testing import make_studies

    return make_studies(4, patients=2, modalities=[["CT", "CT"], ["MR", "SR"]])


@pytest.fixture(scope="session")
def pacsfw_port() -> int:
    """The port of test collections; every test PACS knows it as the destination PACSFW."""
    from pacsfw.testing.collecting import free_port

    return free_port()


@pytest.fixture
def embedded_pacs(pacsfw_port: int) -> Iterator[Callable[..., EmbeddedPACS]]:
    """Start an `EmbeddedPACS`: ``embedded_pacs(sample_studies)``. It ends with the test."""
    from pacsfw.testing import EmbeddedPACS

    with ExitStack() as stack:

        def start(source: Any = (), **options: Any) -> EmbeddedPACS:
            usual = {"destinations": {"PACSFW": ("127.0.0.1", pacsfw_port)}}
            return stack.enter_context(EmbeddedPACS(source, **(usual | options)))

        yield start


@pytest.fixture
def faulty_pacs(pacsfw_port: int) -> Iterator[Callable[..., FaultyPACS]]:
    """Start a `FaultyPACS`: ``faulty_pacs(sample_studies, lose=1)``. It ends with the test."""
    from pacsfw.testing import FaultyPACS

    with ExitStack() as stack:

        def start(source: Any = (), **faults: Any) -> FaultyPACS:
            usual = {"destinations": {"PACSFW": ("127.0.0.1", pacsfw_port)}}
            return stack.enter_context(FaultyPACS(source, **(usual | faults)))

        yield start


@pytest.fixture
def pacsfw_run(tmp_path: Path, pacsfw_port: int) -> Callable[..., Collected]:
    """Run a collection in a separate process, like a user.

    ``pacsfw_run(pacs, storage={"sort_by": "mine"})`` collects everything from a PACS.
    Additional keywords are sections of the configuration: the keys of a mapping replace
    those of the default, any other value replaces the section, None removes it.
    ``command="find"`` runs another command. A test may run it several times, in the same
    folder.
    """
    from pacsfw.testing.collecting import collect

    def run(pacs: EmbeddedPACS, *, command: str = "run", **sections: Any) -> Collected:
        return collect(tmp_path / "collection", pacs, pacsfw_port, command, sections)

    return run
