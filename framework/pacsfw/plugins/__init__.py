"""Plugins: found without importing them, loaded each on its own, and what they offer."""

from pacsfw.plugins.discovery import BUNDLED, PluginPlan
from pacsfw.plugins.loading import HOOKS, TRACE_VARIABLE, discover, registry_of

__all__ = ["BUNDLED", "HOOKS", "TRACE_VARIABLE", "PluginPlan", "discover", "registry_of"]
