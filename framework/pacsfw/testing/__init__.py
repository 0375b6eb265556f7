"""For authors of plugins and for tests: synthetic studies and a PACS to try things on."""

from pacsfw.testing.embedded import EmbeddedPACS, Logged
from pacsfw.testing.faults import Faults
from pacsfw.testing.faulty import FaultyPACS
from pacsfw.testing.population import population
from pacsfw.testing.synthetic import Study, awkward_studies, make_studies, write_studies

__all__ = [
    "EmbeddedPACS",
    "Faults",
    "FaultyPACS",
    "Logged",
    "Study",
    "awkward_studies",
    "make_studies",
    "population",
    "write_studies",
]
