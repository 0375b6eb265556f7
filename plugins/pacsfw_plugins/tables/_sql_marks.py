"""Marks in a database: they identify the tables of a collection, whatever the URL is."""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa

MARKS = sa.Table(
    "pacsfw_marks",
    sa.MetaData(),
    sa.Column("table_name", sa.Text, primary_key=True),
    sa.Column("mark", sa.Text, nullable=False),
)


def mark(connection: sa.Connection, table: str) -> str:
    """Return the mark of a table; empty if it has none."""
    if not sa.inspect(connection).has_table(MARKS.name):
        return ""
    found: str | None = connection.execute(
        sa.select(MARKS.c.mark).where(MARKS.c.table_name == table)
    ).scalar()
    return found or ""


def make_mark(connection: sa.Connection, table: str) -> None:
    """Give a table a mark, unless it has one."""
    MARKS.create(connection, checkfirst=True)
    if not mark(connection, table):
        connection.execute(sa.insert(MARKS).values(table_name=table, mark=uuid4().hex))
