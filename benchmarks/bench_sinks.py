"""A table of a million rows through each sink, in the same run.

    python benchmarks/bench_sinks.py [--rows 1000000] [--study 100] [--sinks csv parquet ...]

Each sink works in a process of its own. First study by study, each durable before the next
one: that is what a run does; then the whole table at once, as after a change of the tags; and into
a new table 10,000 rows at a time, as `pacsfw parse` does.
Printed are rows per second, the ratio to csv, the peak memory of the process, and the size on
disk. The rows are counted in what was written; ends with 1 if one is missing or there twice.
PostgreSQL is a server of its own on this machine, with fsync.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import multiprocessing
import re
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from measured import machine

from pacsfw.api import Batch, Clock, Column, RunContext, Sink, Stored, Table, Verdict
from pacsfw_plugins.tables.csv import CsvSink
from pacsfw_plugins.tables.jsonl import JsonlSink
from pacsfw_plugins.tables.parquet import ParquetSink
from pacsfw_plugins.tables.sql import SqlSink

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from peers.postgres import Postgres

PARSED = 10_000
"""Rows of a batch of `pacsfw parse`."""
DATABASES = ("sqlite", "postgresql")
SINKS = ("csv", "jsonl", "parquet", *DATABASES)
TABLE = Table(
    "instances",
    (
        Column("PatientID"),
        Column("StudyInstanceUID"),
        Column("SeriesInstanceUID"),
        Column("SOPInstanceUID"),
        Column("StudyDate", "date"),
        Column("AcquisitionDateTime", "datetime"),
        Column("Modality"),
        Column("SeriesDescription"),
        Column("Rows", "int"),
        Column("SliceThickness", "float"),
        Column("dicom_path"),
    ),
)
ROOT = "1.2.826.0.1.3680043.10.543."
FIRST = date(2020, 1, 1)


@dataclass
class Measured:
    """What one way of writing took."""

    sink: str
    way: str
    seconds: float
    peak: int
    size: int
    found: int


class Studies:
    """The batches of a table; ``seconds`` is how long making them took."""

    def __init__(self, rows: int, size: int, *, with_files: bool) -> None:
        self._numbers, self._size, self._with_files = range(rows // size), size, with_files
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Batch]:
        for number in self._numbers:
            begun = time.perf_counter()
            batch = self._batch(number)
            self.seconds += time.perf_counter() - begun
            yield batch

    def _batch(self, number: int) -> Batch:
        day = FIRST + timedelta(days=number % 3650)
        noon = datetime.combine(day, datetime.min.time())
        study, patient = f"{ROOT}{number}", f"P{number // 2:07}"
        cells, files = [], []
        for image in range(self._size):
            series = f"{study}.{image * 4 // self._size}"
            uid = f"{series}.{image}"
            path = f"/archive/{patient}/{study}/{series}/{uid}.dcm"
            cells.append(
                (
                    *(patient, study, series, uid, day, noon + timedelta(seconds=image / 4)),
                    *("CT", "THORAX 1.5 B30f", 512, 1.5 + image % 3, path),
                )
            )
            if self._with_files:
                files.append(_stored(path, uid, study, series, number, image))
        return Batch(
            table=TABLE,
            key=study,
            rows=cells,
            files=files,
            attributes=[{"PatientID": patient, "StudyDate": day, "Modality": "CT"}] * len(files),
            verdict=Verdict(state="complete", expected=self._size, stored=self._size),
        )


def _stored(path: str, uid: str, study: str, series: str, number: int, image: int) -> Stored:
    return Stored(
        path=Path(path),
        sop_uid=uid,
        sop_class="1.2.840.10008.5.1.4.1.1.2",
        study_uid=study,
        series_uid=series,
        syntax="1.2.840.10008.1.2.1",
        size=524_288,
        digest=f"{number:032x}{image:032x}",
    )


def make(name: str, folder: Path, url: str) -> Sink:
    match name:
        case "csv":
            return CsvSink(str(folder / "table.csv"))
        case "jsonl":
            return JsonlSink(str(folder / "table.jsonl"))
        case "parquet":
            return ParquetSink(str(folder / "table.parquet"))
        case "sqlite":
            return SqlSink(f"sqlite:///{folder}/table.db")
    return SqlSink(url)


def count(name: str, folder: Path, url: str) -> int:
    """Count the rows, none of which may be there twice."""
    match name:
        case "csv":
            with (folder / "table.csv").open(newline="") as file:
                uids = [row[3] for row in csv.reader(file)][1:]
        case "jsonl":
            with (folder / "table.jsonl").open() as file:
                uids = [json.loads(line)["SOPInstanceUID"] for line in file]
        case "parquet":
            from pyarrow import parquet

            table = parquet.read_table(folder / "table.parquet", columns=["SOPInstanceUID"])
            uids = table.column(0).to_pylist()
        case "sqlite":
            with closing(sqlite3.connect(folder / "table.db")) as database:
                uids = [row[0] for row in database.execute("SELECT sop_uid FROM instances")]
        case _:
            import psycopg

            with psycopg.connect(url.replace("+psycopg", "")) as connection:
                uids = [row[0] for row in connection.execute("SELECT sop_uid FROM instances")]
    return len(uids) if len(set(uids)) == len(uids) else -1


def size_of(folder: Path, url: str) -> int:
    if url:
        import psycopg

        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            return connection.execute("SELECT pg_database_size(current_database())").fetchone()[0]
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def write(name: str, way: str, rows: int, size: int, folder: Path, url: str, answer) -> None:
    context = RunContext(
        run_id="bench",
        workdir=folder,
        net=None,
        sections={},
        clock=Clock(),
        log=logging.getLogger("bench"),
    )
    size = min(rows, PARSED) if way == "by parse" else size
    studies = Studies(rows, size, with_files=name in DATABASES)
    begun = time.perf_counter()
    with closing(make(name, folder, url)) as sink:
        sink.open(context)
        if way != "at once":
            sink.begin(TABLE)
            for batch in studies:
                sink.deliver(batch)
        else:
            sink.rewrite(TABLE, studies)
    seconds = time.perf_counter() - begun - studies.seconds
    answer.send((seconds, peak()))


def peak() -> int:
    """Return the most memory this process had; `getrusage` counts its parent's as well."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def measure(
    name: str, rows: int, size: int, folder: Path, url: str, server: Postgres | None
) -> Iterator[Measured]:
    spawn = multiprocessing.get_context("spawn")
    for way in ("by study", "at once", "by parse"):
        if way == "by parse":
            folder = folder / way
            folder.mkdir()
            url = url and server.create_database()
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=write, args=(name, way, rows, size, folder, url, theirs))
        process.start()
        theirs.close()
        try:
            seconds, peak = ours.recv()
        except EOFError:
            sys.exit(f"{name}: its process ended")
        process.join()
        found = count(name, folder, url)
        yield Measured(name, way, seconds, peak, size_of(folder, url), found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--study", type=int, default=100, help="rows of a study")
    parser.add_argument("--sinks", nargs="+", choices=SINKS, default=SINKS)
    chosen = parser.parse_args()
    rows = chosen.rows // chosen.study * chosen.study
    print(machine())
    print(f"{rows:,} rows of {len(TABLE.columns)} columns, studies of {chosen.study}")
    print("(the time that it takes to make the rows is not counted)\n")
    print("sink        way       rows/s   to csv  peak MB  disk MB")
    server = None
    first: dict[str, float] = {}
    wrong = False
    try:
        for name in chosen.sinks:
            url = ""
            if name == "postgresql":
                server = Postgres(fsync=True)
                server.start()
                url = server.create_database()
            with tempfile.TemporaryDirectory() as folder:
                for it in measure(name, rows, chosen.study, Path(folder), url, server):
                    rate = rows / it.seconds
                    ratio = rate / first.setdefault(it.way, rate)
                    wrong |= it.found != rows
                    print(
                        f"{it.sink:<11} {it.way:<9} {rate:>7,.0f} {ratio:>7.2f}x "
                        f"{it.peak / 1e6:>8.0f} {it.size / 1e6:>8.0f}"
                        + ("" if it.found == rows else f"  WRONG: {it.found:,} rows"),
                        flush=True,
                    )
    finally:
        if server is not None:
            server.remove()
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
