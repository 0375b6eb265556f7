"""The ``sql`` sink: tables in SQLite or PostgreSQL."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacsfw import api, hookimpl
from pacsfw.errors import ConfigError, PluginError, StateError
from pacsfw_plugins.tables._cells import dump, to_text
from pacsfw_plugins.tables._folders import make_folders

if TYPE_CHECKING:
    import sqlalchemy as sa

    from pacsfw_plugins.tables._sql_tables import Schema

SCHEMES = ("sqlite:", "postgresql+psycopg:")
SCHEMA: api.JSONSchema = {
    "type": "object",
    "properties": {
        "path": {
            "type": "string",
            "examples": ["sqlite:///my/tables.db"],
            "pattern": "^(sqlite:///.|postgresql[+]psycopg://)",
            "description": "The URL of the database: sqlite:///my/data.db or "
            "postgresql+psycopg://user:password@host/database.",
        },
        "header": {
            "type": "boolean",
            "description": "Keep the whole header of each object as JSON, in instances.header.",
        },
    },
    "required": ["path"],
    "additionalProperties": False,
}
_CONNECT_SECONDS = 10
_SILENCE_MILLISECONDS = 60_000
"""Unanswered for so long, a connection to a server is dead."""


class SqlSink(api.Sink):
    """Keeps patients, studies, series and instances, errors, columns and the study list.

    Each batch is one transaction: the rows of a study change all at once. Tables and columns
    that are missing are created; nothing is dropped.

    Parameters
    ----------
    path
        The URL of the database, with SQLAlchemy's names of drivers.
    header
        Keep the whole header of each object.
    """

    def __init__(self, path: str, header: bool = False) -> None:
        if not path.startswith(("sqlite:///", "postgresql+psycopg://")) or path == "sqlite:///":
            raise ValueError(
                "the path is no URL such as sqlite:///my/data.db or "
                "postgresql+psycopg://user:password@host/database"
            )
        if path.startswith("postgresql") and importlib.util.find_spec("psycopg") is None:
            raise PluginError(
                "sink 'sql' needs the module 'psycopg' for PostgreSQL: "
                "pip install 'pacsfw[postgres]'"
            )
        self._path, self._header = path, header
        self._schema: Schema | None = None

    @property
    def attributes(self) -> Sequence[str]:  # type: ignore[override]
        """What patients, studies, series and instances are described by."""
        from pacsfw_plugins.tables._sql_tables import ATTRIBUTES

        return (*([api.HEADER] if self._header else []), *ATTRIBUTES)

    def has(self, table: str) -> bool:
        """Tell whether the table is there.

        Raises
        ------
        Retry
            The database cannot be reached.
        StateError
            It lets nobody in by this name and password.
        """
        import sqlalchemy as sa

        if self._file is not None and not self._file.exists():
            return False
        with self._transaction() as connection:
            return bool(sa.inspect(connection).has_table(table))

    def begin(self, table: api.Table) -> None:
        """Create the table; one that has rows is somebody else's."""
        import sqlalchemy as sa

        self.restore(table, 0)
        schema = self._use(table)
        with self._transaction() as connection:
            if connection.execute(
                sa.select(sa.literal(1)).select_from(schema.rows).limit(1)
            ).first():
                raise StateError(
                    f"{self._shown}: the table {table.name!r} holds rows that this collection did "
                    "not write; name another database, or another schema"
                )

    def restore(self, table: api.Table, position: int) -> None:
        """Create what is missing, also columns that came later."""
        schema = self._use(table)
        with self._transaction() as connection:
            schema.create(connection)

    def deliver(self, batch: api.Batch) -> None:
        """Put the rows of a batch in the place of those of its key, in one transaction.

        Raises
        ------
        Retry
            The database cannot be reached; nothing of the batch is there.
        StateError
            It refuses the rows.
        """
        from pacsfw_plugins.tables._sql_rows import replace

        if self._schema is None:
            self.restore(batch.table, 0)
        with self._transaction() as connection:
            replace(connection, self._use(batch.table), batch)

    def rewrite(self, table: api.Table, batches: Iterable[api.Batch]) -> None:
        """Replace every row of the table, in one transaction."""
        from pacsfw_plugins.tables import _sql_rows

        schema = self._use(table)
        with self._transaction() as connection:
            schema.create(connection)
            _sql_rows.clear(connection, schema)
            for batch in batches:
                _sql_rows.replace(connection, schema, batch)

    def read(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Give the rows of the study list back as text, in the order of their ``id``.

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
            # The cause is left out: it quotes the URL, and with it the password.
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
    """Make an empty database for its owner only: SQLite would let others read it."""
    if path.exists():
        return
    try:
        make_folders(path.parent)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as err:
        raise StateError(f"{path}: cannot be written: {err.strerror}") from err


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, also before DDL
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


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
