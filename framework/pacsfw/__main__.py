"""``python -m pacsfw``."""

from pacsfw.cli import program

program()
