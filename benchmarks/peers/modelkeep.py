"""modelkeep itself, on SQLite or PostgreSQL.

Seeded through its own API, which takes seconds; but for a crowd, whose rows are inserted into the
database while it is stopped.
"""

import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import seeds
from benchmarks.load import Client
from benchmarks.peers.base import Peer, PeerFailed
from benchmarks.plan import Catalogue
from benchmarks.seeds import Crowd

_SEEDING_THREADS = 16  # they share the writer's commits


class Modelkeep(Peer):
    """`modelkeep serve`, by the Python that runs the suite."""

    def __init__(
        self,
        folder: Path,
        name: str = "modelkeep",
        new_database: Callable[[], str] | None = None,
    ) -> None:
        super().__init__(folder)
        self.name, self._new_database = name, new_database
        self._database_url = new_database() if new_database else ""

    def command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "modelkeep", "serve", "--host", "127.0.0.1"),
            *("--port", str(self.port), "--data-dir", str(self._data_dir)),
            *(("--database-url", self._database_url) if self._database_url else ()),
        ]

    @property
    def _data_dir(self) -> Path:
        return self.folder / "data"

    def apart(self) -> Peer:
        return Modelkeep(self.folder / "apart", self.name, self._new_database)

    def seed_crowd(self, crowd: Crowd) -> None:
        with self.running():
            pass  # which creates the tables
        if self._database_url:
            seeds.into_postgres(self._database_url, seeds.seed_modelkeep, crowd)
        else:
            path = self._data_dir / "modelkeep.db"
            seeds.into_sqlite(path, seeds.seed_modelkeep, crowd)

    def seed(self, catalogue: Catalogue) -> None:
        def share(first: int) -> None:
            client = Client(self.url)
            for index in range(first, catalogue.models, _SEEDING_THREADS):
                _seed_model(client, catalogue, catalogue.model(index))
            client.close()

        with self.running(), ThreadPoolExecutor(_SEEDING_THREADS) as threads:
            list(threads.map(share, range(_SEEDING_THREADS)))

    def tally(self) -> tuple[int, int]:
        """(changes, commits) of the last time that it ran: the server's last words."""
        said = re.search(r"(\d+) changes in (\d+) commits", self.log())
        if said is None:
            raise PeerFailed(f"It didn't tell its commits. Its log ends:\n{self.log()[-2000:]}")
        return int(said[1]), int(said[2])


def _seed_model(client: Client, catalogue: Catalogue, model: str) -> None:
    client.call("POST", "/registered-models/create", {"name": model})
    for number in range(1, catalogue.versions + 1):
        tags = [{"key": "git", "value": f"{model}-{number}"}]
        body = {"name": model, "source": f"s3://b/{model}/{number}", "tags": tags}
        client.call("POST", "/model-versions/create", body)
    for index in range(catalogue.aliases):
        version = str(catalogue.holder(index))
        body = {"name": model, "alias": catalogue.alias(index), "version": version}
        client.call("POST", "/registered-models/alias", body)
