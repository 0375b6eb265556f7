"""Find plugins, and import those that are used, each one in isolation."""

from pacsfw.plugins.catalogue import discover, registry_of
from pacsfw.plugins.discovery import BUNDLED, PluginPlan
from pacsfw.plugins.loading import HOOKS, TRACE_VARIABLE

__all__ = ["BUNDLED", "HOOKS", "TRACE_VARIABLE", "PluginPlan", "discover", "registry_of"]
