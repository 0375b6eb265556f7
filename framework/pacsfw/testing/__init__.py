"""For authors of plugins and for tests: synthetic studies and a PACS to try things on."""

from pacsfw.testing.embedded import EmbeddedPACS, Logged
from pacsfw.testing.synthetic import Study, awkward_studies, make_studies, write_studies

__all__ = [
    "EmbeddedPACS",
    "Logged",
    "Study",
    "awkward_studies",
    "make_studies",
    "write_studies",
]
