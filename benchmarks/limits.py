"""What this machine allows: the same HTTP server with nothing behind it, and bare statements.

A server of one process that answers over HTTP is no faster than the first. One that looks rows up
or commits its changes one by one is no faster than the second; what is shared by many may be.
"""

import itertools
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from benchmarks.databases import POSTGRESQL, SQLITE, Database
from benchmarks.load import drive
from benchmarks.peers.hello import Hello
from benchmarks.plan import MACHINE, Plan, Sample

_TABLE = "CREATE TABLE rows (id INTEGER PRIMARY KEY, source TEXT)"
_NAMED = {SQLITE: "SQLite", POSTGRESQL: "PostgreSQL"}

Run = Callable[[str, tuple[int | str, ...]], object]


def of_http(folder: Path, plan: Plan) -> list[Sample]:
    samples = []
    with Hello(folder).running() as peer:
        for connections in plan.connections:
            load = drive(f"{peer.url}/health", "get", connections, plan.load_s)
            detail = {"p50_ms": load.p50_ms, "p99_ms": load.p99_ms}
            case = f"limit: bare HTTP, {connections} connections"
            samples.append(Sample(case, MACHINE, load.per_s, "/s", rate=True, detail=detail))
    return samples


def of_database(folder: Path, database: Database, plan: Plan) -> list[Sample]:
    """Look-ups by key and durable inserts on one connection, one after another."""
    if database.kind == SQLITE:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"limits-{time.time_ns():x}.db"
        db = sqlite3.connect(file, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        samples = _statements(database, lambda sql, row: db.execute(sql, row).fetchall(), "?", plan)
        db.close()
        return samples
    with psycopg.connect(database.new(), autocommit=True, prepare_threshold=0) as connection:

        def run(sql: str, row: tuple[int | str, ...]) -> object:
            cursor = connection.execute(sql.encode(), row)
            return cursor.fetchall() if cursor.description else None

        return _statements(database, run, "%s", plan)


def _statements(database: Database, run: Run, mark: str, plan: Plan) -> list[Sample]:
    run(_TABLE, ())
    insert = f"INSERT INTO rows (id, source) VALUES ({mark}, {mark})"
    numbers = itertools.count()
    inserts = _per_s(plan.load_s, lambda: run(insert, (next(numbers), "s3://b/1")))
    select, known = f"SELECT id, source FROM rows WHERE id = {mark}", next(numbers)
    lookups = _per_s(plan.load_s, lambda: run(select, (next(numbers) * 7919 % known,)))
    return [
        Sample(f"limit: {what}, {_NAMED[database.kind]}", MACHINE, rate, "/s", rate=True)
        for what, rate in (("durable inserts", inserts), ("look-ups by key", lookups))
    ]


def _per_s(seconds: int, do: Callable[[], object]) -> float:
    count, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        do()
        count += 1
    return count / elapsed
