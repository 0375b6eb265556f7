"""Claims a section that belongs to somebody else."""

from pacsfw import hookimpl
from pacsfw.api import ConfigSection


@hookimpl
def pacsfw_config_sections():
    yield ConfigSection(key="email", schema={})
