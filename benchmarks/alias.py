"""GET registered-models/alias, aliases at random, while versions are promoted all the time.

One client promotes for as long as the load lasts: it moves an alias, then transitions a version
to Production and archives the one before, and so on, at the same pace for every server. After
each acknowledged move it reads the alias over other connections, any of which may lead to another
worker of the server: none may show the old holder.
"""

import threading
from dataclasses import replace

from benchmarks.load import Client, LoadFailed
from benchmarks.peers.base import Peer
from benchmarks.plan import Plan, Sample
from benchmarks.seeds import Catalogue
from benchmarks.timing import driven

PROMOTIONS_PER_S = 50  # a slower server gets as many as it can take
READERS = 4  # connections that look after a move
_MOVED, _STAGED = 0, 1  # the models that are promoted


def measure(peer: Peer, plan: Plan) -> list[Sample]:
    return [_measure(peer, plan, connections) for connections in plan.connections]


def _measure(peer: Peer, plan: Plan, connections: int) -> Sample:
    catalogue = plan.catalogue
    promotions = Promotions(peer.url, catalogue)
    promotions.start()
    try:
        size = (catalogue.models, catalogue.aliases)
        case = f"alias: {connections} connections"
        _, sample = driven(peer, case, "alias", connections, plan.load_s, *size)
    finally:
        promotions.stop()
    seen = {
        "promotions": promotions.done,
        "checked_reads": promotions.checked_reads,
        "stale_reads": promotions.stale_reads,
    }
    return replace(sample, detail=sample.detail | seen)


class Promotions:
    """A client that promotes until it is stopped, and counts what it saw."""

    def __init__(self, url: str, catalogue: Catalogue) -> None:
        self.done = self.checked_reads = self.stale_reads = 0
        self._catalogue = catalogue
        self._client = Client(url)
        self._readers = [Client(url) for _ in range(READERS)]
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Raises LoadFailed if a promotion was refused."""
        self._stopping.set()
        self._thread.join()
        for client in (self._client, *self._readers):
            client.close()
        if self._failure is not None:
            raise LoadFailed("A promotion failed.") from self._failure

    def _loop(self) -> None:
        number = 0
        try:
            while not self._stopping.wait(2 / PROMOTIONS_PER_S):
                number = number % self._catalogue.versions + 1
                self._move(number)
                self._transition(number)
                self.done += 2
        except BaseException as error:  # noqa: BLE001 - `stop` tells of it
            self._failure = error

    def _move(self, number: int) -> None:
        model, alias = self._catalogue.model(_MOVED), self._catalogue.alias(0)
        body = {"name": model, "alias": alias, "version": str(number)}
        self._client.call("POST", "/registered-models/alias", body)
        for reader in self._readers:
            found = reader.call("GET", f"/registered-models/alias?name={model}&alias={alias}")
            self.checked_reads += 1
            self.stale_reads += found["model_version"]["version"] != str(number)

    def _transition(self, number: int) -> None:
        body = {
            "name": self._catalogue.model(_STAGED),
            "version": str(number),
            "stage": "Production",
            "archive_existing_versions": True,
        }
        self._client.call("POST", "/model-versions/transition-stage", body)
