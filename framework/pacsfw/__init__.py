"""Collect DICOM data from a PACS and turn it into a research dataset."""

from pacsfw.api import Component
from pacsfw.hookspecs import hookimpl

__version__ = "0.1.0"
__all__ = ["Component", "__version__", "hookimpl"]
