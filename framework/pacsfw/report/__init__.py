"""What a run shows its user: the progress and the closing table."""

from pacsfw.report.grid import print_grid
from pacsfw.report.summary import Summary, render

__all__ = ["Summary", "print_grid", "render"]
