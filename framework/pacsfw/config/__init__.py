"""The configuration: one YAML or JSON file, fully validated before anything starts."""

from pacsfw.config.building import Loaded
from pacsfw.config.loading import load, plugins_of, tags_of_tree
from pacsfw.config.model import (
    Config,
    Convert,
    Filter,
    Find,
    Move,
    RowColumns,
    Storage,
    Tag,
    TagEntry,
    Use,
)
from pacsfw.config.schemas import schema
from pacsfw.config.show import shown
from pacsfw.config.window import Window

__all__ = [
    "Config",
    "Convert",
    "Filter",
    "Find",
    "Loaded",
    "Move",
    "RowColumns",
    "Storage",
    "Tag",
    "TagEntry",
    "Use",
    "Window",
    "load",
    "plugins_of",
    "schema",
    "shown",
    "tags_of_tree",
]
