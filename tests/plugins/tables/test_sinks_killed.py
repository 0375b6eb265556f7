"""Sinks whose process is killed at any moment: what was told to be written is there, once."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections import Counter
from contextlib import closing

import pytest
from pyarrow import parquet

WRITER = textwrap.dedent("""\
    import itertools, sys
    from pacsfw import api
    from pacsfw_plugins.tables import parquet as sink_parquet
    from pacsfw_plugins.tables.parquet import ParquetSink
    from pacsfw_plugins.tables.sql import SqlSink

    sink_parquet.SMALL, sink_parquet.BIG, sink_parquet.MANY = 20, 60, 3
    table = api.Table("instances", (api.Column("uid"), api.Column("round", "int")))
    path, turn = sys.argv[1], int(sys.argv[2])

    def batch(key):
        rows = [(f"{key}.{number}", turn) for number in range(7)]
        return api.Batch(table=table, key=str(key), rows=rows)

    def opened():
        sink = SqlSink(path) if path.startswith("sqlite:") else ParquetSink(path)
        sink.restore(table, 0) if sink.has("instances") else sink.begin(table)
        return sink

    sink = opened()
    for key in itertools.count():
        sink.deliver(batch(key % 40))  # studies that come again replace
        print(key % 40, flush=True)
        if key % 25 == 24:
            sink.close()  # puts small parts together
            sink = opened()
""")


@pytest.fixture(params=["parquet", "sqlite"])
def target(request, tmp_path):
    """The target of a sink, and a function that reads its rows."""
    if request.param == "parquet":
        path = tmp_path / "table.parquet"
        return str(path), lambda: parquet.read_table(path).to_pylist()

    def read():
        with closing(sqlite3.connect(tmp_path / "data.db")) as connection:
            rows = connection.execute("SELECT uid, round FROM instances")
            return [{"uid": uid, "round": turn} for uid, turn in rows]

    return f"sqlite:///{tmp_path}/data.db", read


@pytest.mark.full
@pytest.mark.timeout(300)  # each study is synced
def test_a_kill_at_any_moment_loses_no_study_and_doubles_none(target):
    path, read = target
    chance = random.Random(7)
    told: dict[str, int] = {}
    for turn in range(6):
        command = [sys.executable, "-c", WRITER, path, str(turn)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            for _ in range(chance.randint(1, 40)):
                told[writer.stdout.readline().strip()] = turn
            writer.send_signal(signal.SIGKILL)
            for line in writer.stdout:
                told[line.strip()] = turn
        rows = read()
        uids = Counter(row["uid"] for row in rows)
        assert set(uids.values()) == {1}
        rounds: dict[str, set[int]] = {}
        for row in rows:
            rounds.setdefault(row["uid"].partition(".")[0], set()).add(row["round"])
        assert all(len(found) == 1 for found in rounds.values())  # whole studies only
        assert all(rounds[key] >= {turn} or max(rounds[key]) > turn for key, turn in told.items())
        assert len(rows) == 7 * len(rounds)
