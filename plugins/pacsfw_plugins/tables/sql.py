"""The ``sql`` sink: tables in SQLite or PostgreSQL."""

from __future__ import annotations

import importlib.util
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacsfw import api, hookimpl
from pacsfw.errors import ConfigError, PluginError, StateError
from pacsfw_plugins._options import options
from pacsfw_plugins.tables._cells import dump, to_text
from pacsfw_plugins.tables._folders import make_folders, naming

if TYPE_CHECKING:
    import sqlalchemy as sa

    from pacsfw_plugins.tables._sql_tables import Schema

SCHEMES = ("sqlite:", "postgresql+psycopg:")
SCHEMA = options(
    {
        "path": {
            "type": "string",
            "examples": ["sqlite:///my/tables.db"],
            "pattern": "^(sqlite:///.|postgresql[+]psycopg://)",
            "description": "The URL of the database: sqlite:///my/data.db or "
            "postgresql+psycopg://user:password@host/database.",
        },
        "header": {
            "type": "boolean",
            "description": "Store the header of each instance as JSON, in instances.header.",
        },
    },
    "path",
)
_CONNECT_SECONDS = 10
_SILENCE_MILLISECONDS = 60_000
"""A connection to a server that does not respond for this time is dead."""


class SqlSink(api.Sink):
    """Writes patients, studies, series and instances, errors, columns and the study list.

    Each batch is one transaction, so all rows of a study change at once. Missing tables and
    columns are created; nothing is dropped.

    Parameters
    ----------
    path
        The URL of the database, with driver names of SQLAlchemy.
    header
        Store the complete header of each instance.
    """

    def __init__(self, path: str, header: bool = False) -> None:
        if not path.startswith(("sqlite:///", "postgresql+psycopg://")) or path == "sqlite:///":
            raise ValueError(
                "the path is not a URL such as sqlite:///my/data.db or "
                "postgresql+psycopg://user:password@host/database"
            )
        if path.startswith("postgresql") and importlib.util.find_spec("psycopg") is None:
            raise PluginError(
                "sink 'sql' needs the module 'psycopg' for PostgreSQL: "
                "pip install 'pacsfw[postgres]'"
            )
        self._path, self._header = path, header
        self._schema: Schema | None = None
        self._marks: dict[str, str] = {}

    @property
    def attributes(self) -> Sequence[str]:  # type: ignore[override]
        """The attributes in the tables of patients, studies, series and instances."""
        from pacsfw_plugins.tables._sql_tables import ATTRIBUTES

        return (*([api.HEADER] if self._header else []), *ATTRIBUTES)

    def has(self, table: str) -> bool:
        """Return whether the table exists.

        Raises
        ------
        Retry
            The database cannot be reached.
        StateError
            It denies access to this user and password.
        """
        import sqlalchemy as sa

        if self._file is not None and not self._file.exists():
            return False
        with self._transaction() as connection:
            return bool(sa.inspect(connection).has_table(table))

    def begin(self, table: api.Table) -> None:
        """Create the table; refuse one that has rows."""
        import sqlalchemy as sa

        self.restore(table, 0)
        schema = self._use(table)
        with self._transaction() as connection:
            if connection.execute(
                sa.select(sa.literal(1)).select_from(schema.rows).limit(1)
            ).first():
                raise StateError(
                    f"{self._shown}: the table {table.name!r} holds rows that this collection did "
                    "not write; choose another database, or another schema"
                )

    def restore(self, table: api.Table, position: int) -> None:
        """Create missing tables and columns."""
        from pacsfw_plugins.tables._sql_marks import make_mark

        schema = self._use(table)
        with self._transaction() as connection:
            schema.create(connection)
            make_mark(connection, table.name)

    def mark(self, table: api.Table, position: int) -> str:
        """Return the mark of the table; empty if the database has none."""
        from pacsfw_plugins.tables._sql_marks import mark

        if not self._marks.get(table.name):
            with self._transaction() as connection:
                self._marks[table.name] = mark(connection, table.name)
        return self._marks[table.name]

    def deliver(self, batch: api.Batch) -> None:
        """Replace the rows of the key of a batch, in one transaction.

        Raises
        ------
        Retry
            The database cannot be reached; it has no rows of the batch.
        StateError
            It refuses the rows.
        """
        from pacsfw_plugins.tables._sql_rows import replace

        if self._schema is None:
            self.restore(batch.table, 0)
        with self._transaction() as connection:
            replace(connection, self._use(batch.table), batch, self._shown)

    def rewrite(self, table: api.Table, batches: Iterable[api.Batch]) -> None:
        """Replace every row of the table, in one transaction."""
        from pacsfw_plugins.tables import _sql_marks, _sql_rows

        schema = self._use(table)
        with self._transaction() as connection:
            schema.create(connection)
            _sql_marks.make_mark(connection, table.name)
            _sql_rows.rewrite(connection, schema, batches, self._shown)

    def read(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield the rows of the study list as text, in the order of their ``id``.

        Yields
        ------
        where, row
            ``resources, id 7`` and column to text.
        """
        import sqlalchemy as sa

        from pacsfw_plugins.tables._sql_tables import RESOURCES

        if not self.has(RESOURCES):
            return
        with self._transaction() as connection:
            table = sa.Table(RESOURCES, sa.MetaData(), autoload_with=connection)
            if "id" not in table.columns:
                raise ConfigError(f"{self._shown}: the table {RESOURCES!r} has no column 'id'")
            rows = connection.execute(sa.select(table).order_by(table.c.id)).mappings().all()
        for row in rows:
            cells = {name: to_text(value) for name, value in row.items() if name not in _OURS}
            yield f"{RESOURCES}, id {row['id']}", cells

    def check(self, context: api.RunContext) -> str | None:
        """Connect; nothing is created, and no lock is taken.

        Raises
        ------
        StateError, Retry
            The database denies access, or cannot be reached.
        """
        import sqlalchemy as sa

        from pacsfw_plugins.tables._sql_errors import failures

        if self._file is not None:
            return _why_unreadable(self._file)
        try:
            with failures(self._shown), self._engine.connect() as connection:
                connection.execute(sa.text("SELECT 1"))
        finally:
            self.close()
        return None

    def close(self) -> None:
        """Close the connection."""
        if "_engine" in self.__dict__:
            self._engine.dispose()

    def _use(self, table: api.Table) -> Schema:
        from pacsfw_plugins.tables._sql_tables import Schema

        if self._schema is None or self._schema.table != table:
            self._schema = Schema(table, with_header=self._header)
        return self._schema

    @cached_property
    def _url(self) -> sa.URL:
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            return make_url(self._path)
        except (ArgumentError, ValueError):
            # Without its cause, which quotes the URL with the password.
            raise StateError("the URL of a database cannot be read") from None

    @property
    def _shown(self) -> str:
        return self._url.set(password=None, query={}).render_as_string()

    @property
    def _file(self) -> Path | None:
        return Path(self._url.database or "") if self._path.startswith("sqlite:") else None

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        from pacsfw_plugins.tables._sql_errors import failures

        if self._file is not None:
            _make_file(self._file)
        with failures(self._shown), self._engine.begin() as connection:
            yield connection

    @cached_property
    def _engine(self) -> sa.Engine:
        import sqlalchemy as sa

        usual: dict[str, Any] = {"hide_parameters": True, "json_serializer": dump}
        if self._file is not None:
            engine = sa.create_engine(self._url, connect_args={"timeout": 30}, **usual)
            sa.event.listen(engine, "connect", _set_up_sqlite)
            sa.event.listen(engine, "begin", _begin_sqlite)
            return engine
        patience = {
            "connect_timeout": _CONNECT_SECONDS,
            "tcp_user_timeout": _SILENCE_MILLISECONDS,
        }
        given = {key: value for key, value in patience.items() if key not in self._url.query}
        return sa.create_engine(
            self._url, pool_size=1, max_overflow=0, pool_pre_ping=True, connect_args=given, **usual
        )


_OURS = frozenset({"id", "batch"})


def _make_file(path: Path) -> None:
    """Create an empty database, private to its owner; SQLite would let others read it."""
    if path.exists():
        return
    with naming(path, "written"):
        make_folders(path.parent)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


def _why_unreadable(path: Path) -> str | None:
    """Return why a file is no database; None if it is one, or does not exist yet."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA schema_version")
    except sqlite3.Error as err:
        return f"{path}: is not an SQLite database that can be read: {type(err).__name__}"
    return None


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # `_begin_sqlite` begins transactions, also before DDL
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    # In KiB: with the usual 2 MB, the index of random IDs is written and read again and again.
    connection.execute("PRAGMA cache_size = -65536")


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@hookimpl
def pacsfw_sinks() -> Iterator[api.Component[api.Sink]]:
    """Offer ``sql``."""
    yield api.Component(
        name="sql",
        factory=SqlSink,
        schema=SCHEMA,
        summary="tables in SQLite or PostgreSQL",
        accepts=SCHEMES,
        requires=("sqlalchemy[sql]",),
        multi_table=True,
    )
