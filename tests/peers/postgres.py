"""A private PostgreSQL server on a free port, run by an unprivileged user."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pytest

from peers.process import Server, free_port, require

_FAST = ("fsync=off", "full_page_writes=off")
_USUAL = ("listen_addresses=127.0.0.1", "max_connections=40")


def find_programs() -> Path:
    """Return the folder of the newest installed server; skip (or fail) where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=_version)
    if found:
        return found[-1].parent
    require("initdb", "postgres")
    where = shutil.which("postgres")
    assert where is not None
    return Path(where).parent


def _version(path: Path) -> int:
    return int(path.parent.parent.name)


class Postgres:
    """One server over one data folder; each test gets a database of its own.

    It never runs as root, which it would refuse: then ``postgres`` or ``nobody`` runs it.
    """

    user = "collector"
    password = "s3cret/of:the@test"  # every character that a URL must escape

    def __init__(self, *, fsync: bool = False) -> None:
        self._options = _USUAL if fsync else (*_USUAL, *_FAST)
        programs = find_programs()
        # Not below pytest's folder, through which only its owner may pass.
        folder = Path(tempfile.mkdtemp(prefix="pacsfw-postgres-"))
        self._folder = folder
        self._as_user = _unprivileged()
        self._data = folder / "data"
        self._names = itertools.count(1)
        self.port = free_port()
        self._server = Server(
            [*self._as_user, programs / "postgres", "-D", self._data, *self._settings()],
            self.port,
            folder / "postgres.log",
            end=signal.SIGQUIT,
        )
        self._initialise(programs, folder)

    def start(self) -> None:
        """Start it, also again after `stop`."""
        self._server.start()
        self._wait_until_ready()

    def stop(self) -> None:
        """End it at once, as a crash would: sessions are cut off."""
        self._server.stop()

    def restart(self) -> None:
        """Stop and start it."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Stop it for good."""
        self.stop()
        shutil.rmtree(self._folder)

    def url(self, database: str) -> str:
        """Return the URL of a database, as a configuration has it."""
        secret = quote(self.password, safe="")
        return f"postgresql+psycopg://{self.user}:{secret}@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"test{next(self._names)}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def connect(self, database: str):
        """Connect past all our code."""
        import psycopg

        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=database,
            autocommit=True,
        )

    def _settings(self) -> Sequence[str]:
        settings = (*self._options, f"port={self.port}", f"unix_socket_directories={self._folder}")
        return [word for setting in settings for word in ("-c", setting)]

    def _initialise(self, programs: Path, folder: Path) -> None:
        secret = folder / "password"
        secret.write_text(self.password)
        if self._as_user:
            owner = pwd.getpwnam(self._as_user[2])
            for path in (folder, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        command = [*self._as_user, programs / "initdb", "-D", self._data, "-U", self.user]
        options = ["--pwfile", secret, "--auth=scram-sha-256", "-E", "UTF8", "--no-sync"]
        done = subprocess.run(
            [str(word) for word in (*command, *options, "--locale=C.UTF-8")],
            capture_output=True,
            text=True,
            cwd="/",
        )
        assert done.returncode == 0, done.stderr

    def _wait_until_ready(self) -> None:
        import psycopg

        deadline = time.monotonic() + 30
        while True:
            try:
                self.connect("postgres").close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return


def _unprivileged() -> list[str]:
    """Return the words before a command that is not to run as root; none for other users."""
    if os.geteuid() != 0:
        return []
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return ["setpriv", "--reuid", name, "--regid", _group(name), "--clear-groups"]
    pytest.skip("no unprivileged user to run PostgreSQL")


def _group(name: str) -> str:
    return str(pwd.getpwnam(name).pw_gid)
