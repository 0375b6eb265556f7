"""Discover plugins without importing them, load each one in isolation, and list its offers."""

from pacsfw.plugins.discovery import BUNDLED, PluginPlan
from pacsfw.plugins.loading import HOOKS, TRACE_VARIABLE, discover, registry_of

__all__ = ["BUNDLED", "HOOKS", "TRACE_VARIABLE", "PluginPlan", "discover", "registry_of"]
