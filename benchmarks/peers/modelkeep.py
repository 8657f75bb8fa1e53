"""modelkeep itself, on SQLite or PostgreSQL.

Seeded through its own API, which takes seconds; but for a crowd, whose rows are inserted into the
database while it is stopped.
"""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import seeds
from benchmarks.load import Client
from benchmarks.peers import modelkeep_rows
from benchmarks.peers.base import REGISTRY, Peer, PeerFailed
from benchmarks.seeds import Catalogue, Crowd

_SEEDING_THREADS = 16  # they share the writer's commits


class Modelkeep(Peer):
    """`modelkeep serve`, by the Python that runs the suite."""

    product = "modelkeep"
    measurements = REGISTRY | {"describe", "gates", "journal"}
    has_native = True

    def command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "modelkeep", "serve", "--host", "127.0.0.1"),
            *("--port", str(self.port), "--data-dir", str(self.data_dir)),
            *(("--database-url", self.database_url) if self.database_url else ()),
        ]

    def version_command(self) -> list[str]:
        return [str(Path(sys.executable).with_name("modelkeep")), "--version"]

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    def seed_crowd(self, crowd: Crowd) -> None:
        self.start_once()
        file = self.data_dir / "modelkeep.db"
        seeds.into(self.database_url or file, modelkeep_rows.of_crowd(crowd))

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


PEER = Modelkeep
