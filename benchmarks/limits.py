"""What this machine allows: the same HTTP server with nothing behind it, and bare durable inserts.

A server of one process that answers over HTTP is no faster than the first; one that commits its
changes one by one on SQLite is no faster than the second.
"""

import sqlite3
import time
from pathlib import Path

from benchmarks.load import drive
from benchmarks.peers.hello import Hello
from benchmarks.plan import Plan, Sample

CONNECTIONS = 16
_NOBODY = "this machine"


def measure(folder: Path, plan: Plan) -> list[Sample]:
    return [_hello(folder / "hello", plan), _inserts(folder / "inserts.db", plan)]


def _hello(folder: Path, plan: Plan) -> Sample:
    with Hello(folder).running() as peer:
        load = drive(f"{peer.url}/health", "get", CONNECTIONS, plan.load_s)
    detail = {"p50_ms": load.p50_ms, "p99_ms": load.p99_ms}
    case = f"limit: bare HTTP, {CONNECTIONS} connections"
    return Sample(case, _NOBODY, load.per_s, "/s", rate=True, detail=detail)


def _inserts(path: Path, plan: Plan) -> Sample:
    """Rows that one thread inserts, each flushed to the disk before the next."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, source TEXT)")
    rows, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < plan.load_s:
        db.execute("INSERT INTO rows (source) VALUES ('s3://b/1')")
        rows += 1
    db.close()
    return Sample("limit: durable inserts, SQLite", _NOBODY, rows / elapsed, "/s", rate=True)
