"""A running core: the real writer, reader and database, spoken to as the edges speak to it."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from modelkeep.bootstrap import Running
from modelkeep.domain import audit as verifier
from modelkeep.domain.access import Actor, Caller
from modelkeep.domain.models import Version
from modelkeep.domain.tracking import Metric
from modelkeep.services import (
    artifacts,
    audit,
    creation,
    history,
    policies,
    promotion,
    registry,
    tracking,
    voting,
)
from modelkeep.services.promotion import Order, Result
from modelkeep.settings import Settings
from tests.support.clock import MovedClock

HOUR_MS = 3_600_000

ANN = Caller(Actor("ann"), "req-ann")  # she trains and registers
ROB = Caller(Actor("rob"), "req-rob")  # he asks for promotions
BOB = Caller(Actor("bob"), "req-bob")  # he approves
NOBODY = Caller(Actor())

GOOD = {"accuracy": 0.95, "f1_score": 0.93}
TAGS: dict[str, str] = dict.fromkeys(("tested", "reviewed", "approved"), "yes")


class Core:
    """A core on one database; `restart` stops it and starts it again on the same data."""

    def __init__(self, folder: Path, database_url: str, clock: MovedClock, **settings: Any) -> None:
        self.settings = Settings(data_dir=folder, database_url=database_url, **settings)
        self.clock = clock
        self._start()

    def _start(self) -> None:
        self.running = Running(self.settings, self.clock)
        self.writer = self.running.writer
        self.app = self.running.app
        self._runner: asyncio.Runner | None = None

    def restart(self) -> None:
        self.close()
        self._start()

    def close(self) -> None:
        if self._runner:
            self._runner.get_loop().call_soon(self.running.reader.leave_loop)
            self._runner.run(asyncio.sleep(0))
            self._runner.close()
        self.running.close()

    def ask(self, call: Coroutine[Any, Any, Any]) -> Any:
        """Its value, in an event loop that the reader serves, as it does the server's."""
        if self._runner is None:
            self._runner = asyncio.Runner()
            self._runner.get_loop().call_soon(self.running.reader.serve_loop)
            self._runner.run(asyncio.sleep(0))
        return self._runner.run(call)

    def write(self, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self.writer.run(use_case, *args, **kwargs)

    def read(self, use_case: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self.running.reader.run(use_case, *args, **kwargs)

    # -- what a story is told with ---------------------------------------------------------

    def run(self, metrics: Mapping[str, float] = GOOD, by: Caller = ANN, **facts: Any) -> str:
        """A new run with these metrics; its id."""
        run_id = self.write(tracking.create_run, by, 0, **facts).run_id
        self.log(run_id, by, **metrics)
        return run_id

    def log(self, run_id: str, by: Caller = ANN, /, **metrics: float) -> None:
        now = self.clock.now_ms()
        points = [Metric(key, value, now) for key, value in metrics.items()]
        self.write(tracking.log_batch, by, run_id, points)

    def put(self, path: str, content: str, by: Caller = ANN) -> None:
        """Makes a path of the artifact store name these bytes (the blob itself isn't stored)."""
        data = content.encode()
        self.write(artifacts.put, by, path, hashlib.sha256(data).hexdigest(), len(data))

    def model(self, name: str = "churn", by: Caller = ANN, **facts: Any) -> None:
        self.write(registry.create_model, by, name, **facts)

    def version(
        self,
        name: str = "churn",
        metrics: Mapping[str, float] = GOOD,
        by: Caller = ANN,
        tags: Mapping[str, str] | None = None,
    ) -> Version:
        """A version of a new run with these metrics and one file."""
        run_id = self.run(metrics, by)
        self.put(f"0/{run_id}/artifacts/model/weights", f"weights of {run_id}", by)
        return self.register(name, f"runs:/{run_id}/model", by=by, tags=tags or {})

    def register(self, name: str, source: str, by: Caller = ANN, **facts: Any) -> Version:
        return self.write(creation.create_version, by, creation.Draft(name, source, **facts))

    def get(self, number: int, name: str = "churn") -> Version:
        return self.read(registry.get_version, name, number)

    def tag(self, number: int, key: str, value: str = "yes", by: Caller = ANN) -> None:
        self.write(registry.set_version_tag, by, "churn", number, key, value)

    def promote(
        self, number: int, stage: str, by: Caller = ROB, reason: str = "", **facts: Any
    ) -> Result:
        return self.write(promotion.request, by, Order("churn", number, stage, reason, **facts))

    def approve(self, request_id: int | None, by: Caller = BOB, comment: str = "ok") -> Result:
        return self.write(voting.vote, by, request_id, approves=True, comment=comment)

    def reject(self, request_id: int | None, by: Caller = BOB, comment: str = "no") -> Result:
        return self.write(voting.vote, by, request_id, approves=False, comment=comment)

    def roll_back(self, reason: str = "it is worse", by: Caller = ROB, **facts: Any) -> Result:
        return self.write(promotion.roll_back, by, "churn", reason, **facts)

    def set_alias(self, alias: str, number: int, by: Caller = ROB, **facts: Any) -> Result:
        return self.write(promotion.set_alias, by, "churn", alias, number, **facts)

    def apply(self, registry_part: Mapping[str, Any], by: Caller = ROB) -> policies.Applied:
        document = {"model_registry": dict(registry_part)}
        return self.write(policies.apply, by, document, "the policy")

    # -- what came of it -------------------------------------------------------------------

    def stages(self, name: str = "churn") -> dict[int, str]:
        """Version -> stage, of the living."""
        found = self.read(registry.search_versions, [], [], 1000).items
        return {v.number: v.stage for v in found if v.model_name == name}

    def in_stage(self, stage: str, name: str = "churn") -> list[int]:
        return sorted(number for number, found in self.stages(name).items() if found == stage)

    def alias(self, alias: str, name: str = "churn") -> int | None:
        version = self.read(registry.version_by_alias, name, alias)
        return version.number if version else None

    def at(self, at_ms: int, name: str = "churn") -> dict[str, list[int]]:
        """Slot -> the numbers that it held at a moment."""
        found: dict[str, list[int]] = {}
        for stay in self.read(history.at, name, at_ms).stays:
            found.setdefault(str(stay.slot), []).append(stay.number)
        return found

    def leaves(self) -> list[dict[str, Any]]:
        return self.read(history.entries, 0, 100_000)

    def acts(self, start: int = 0) -> list[str]:
        """The actions of the journal's leaves, in order."""
        return [leaf["act"] for leaf in self.leaves()[start:]]

    def export(self) -> list[dict[str, Any]]:
        return self.read(lambda work: list(audit.export(work)))

    def verify(self) -> verifier.Report:
        return verifier.verify(self.export())
