"""What people see of a run: its progress and its closing table."""

from pacsfw.report.grid import print_grid
from pacsfw.report.summary import Summary, exit_code, render

__all__ = ["Summary", "exit_code", "print_grid", "render"]
