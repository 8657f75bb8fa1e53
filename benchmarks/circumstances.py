"""On what, of what and when something was measured."""

import os
import platform
import sqlite3
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import uvicorn

from benchmarks.databases import POSTGRESQL
from benchmarks.peers.base import Peer

_IDLE = 0.5  # a load average below this


def taken(peers: Sequence[Peer], how: str) -> dict[str, object]:
    """To be asked before there is any load of ours."""
    load = os.getloadavg()[0]
    return {
        "taken": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "plan": how,
        "processor": f"{os.cpu_count()} × {_processor()}",
        "load_average_before": f"{load:.2f}"
        + ("" if load < _IDLE else " (**a machine busy with other work**)"),
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "uvicorn": uvicorn.__version__,
        "SQLite": sqlite3.sqlite_version,
        **_postgresql(peers),
        **{peer.product: _version(peer) for peer in peers},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _postgresql(peers: Sequence[Peer]) -> dict[str, object]:
    url = next((p.database_url for p in peers if p.database.kind == POSTGRESQL), "")
    if not url:
        return {}
    with psycopg.connect(url) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return {"PostgreSQL": row[0].split()[0] if row else ""}


def _version(peer: Peer) -> str:
    said = subprocess.run(
        peer.version_command(),
        env=peer.environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    return said.stdout.split()[-1]
