"""`moto_server`, which stands in for AWS in tests: one process, everything in memory."""

import os
from pathlib import Path

from benchmarks.databases import FILES, SQLITE, Database
from benchmarks.peers.base import Peer, PeerMissing
from benchmarks.seeds import Catalogue

_ROOT = Path(__file__).parents[2]
_PYTHON = _ROOT / ".envs" / "moto" / "bin" / "python"  # `make bench` makes it


class Moto(Peer):
    """In an environment of its own; MODELKEEP_BENCH_MOTO_PYTHON names another one. It has no
    database: it is measured beside those on SQLite."""

    product = "moto"
    databases = (SQLITE,)
    measurements = frozenset(("describe",))
    health = front = "/moto-api/"

    def __init__(self, folder: Path, database: Database = FILES) -> None:
        super().__init__(folder, database)
        python = Path(os.environ.get("MODELKEEP_BENCH_MOTO_PYTHON") or _PYTHON)
        if not python.exists():
            raise PeerMissing(f"moto is not installed: there is no {python}. Run `make bench`.")
        self._python = python

    def command(self) -> list[str]:
        program = self._python.with_name("moto_server")
        return [str(program), "--host", "127.0.0.1", "--port", str(self.port)]

    def version_command(self) -> list[str]:
        told = "from importlib.metadata import version; print(version('moto'))"
        return [str(self._python), "-c", told]

    def seed(self, catalogue: Catalogue) -> None:
        """It forgets everything when it is stopped."""


PEER = Moto
