"""Columns of text: folded on a terminal, aligned lines elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_grid(
    console: Console, rows: Sequence[Sequence[Text]], header: Sequence[str] = ()
) -> None:
    """Print rows with the same number of cells, with an optional header line.

    On a terminal, the output has colours and long cells are folded. Elsewhere (a pipe, a
    log), each row is one complete line.
    """
    if console.is_terminal:
        table = Table(box=None, show_header=bool(header), padding=(0, 2, 0, 0), pad_edge=False)
        for name in header or [""] * len(rows[0]):
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*row)
        console.print(table)
        return
    lines = [list(header)] if header else []
    lines += [[cell.plain for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (f"{cell:{width}}" for cell, width in zip(line, widths, strict=True))
        console.out("  ".join(padded).rstrip(), highlight=False)
