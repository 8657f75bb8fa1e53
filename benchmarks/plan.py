"""How much is measured, and what one measurement yields."""

from dataclasses import dataclass, field

from benchmarks.seeds import Crowd


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is registered before the load begins: `models` x `aliases` aliases altogether."""

    models: int = 500
    versions: int = 4  # of each model
    aliases: int = 20  # of each model

    def model(self, index: int) -> str:
        return f"model-{index}"

    def alias(self, index: int) -> str:
        return f"alias-{index}"

    def holder(self, alias_index: int) -> int:
        """The number of the version that an alias points to at first."""
        return alias_index % self.versions + 1


@dataclass(frozen=True, slots=True)
class Plan:
    """Bounds of a run. Everyone is measured once a round, in turn; medians are quoted."""

    rounds: int = 3
    load_s: int = 5  # of each load
    warm_up_s: int = 2  # before the first load on a server
    connections: tuple[int, ...] = (1, 16, 64)
    create_on: tuple[int, ...] = (1, 64)  # models that versions are created on, all at once
    loggers: tuple[int, ...] = (1, 4)  # clients that log metrics, each to a run of its own
    large_bytes: int = 1 << 30  # of one artifact
    small_files: int = 2000  # artifacts, by as many clients as the next line says
    small_clients: int = 8
    small_bytes: int = 10_240
    catalogue: Catalogue = field(default_factory=Catalogue)
    crowd: Crowd = field(default_factory=lambda: Crowd(100_000))
    searches: int = 40  # of each kind, one after another
    decisions: int = 400  # transitions of each of two kinds, in turn


@dataclass(frozen=True, slots=True)
class Sample:
    """One number of one server in one round.

    `rate` says whether more is better: then a ratio is ours by the peer's, else the peer's by ours.
    """

    measurement: str  # "alias: 16 connections"
    server: str
    value: float
    unit: str
    rate: bool
    detail: dict[str, float] = field(default_factory=dict)  # p50_ms, p99_ms, …
