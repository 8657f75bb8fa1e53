"""How much is measured, and what one measurement yields."""

from dataclasses import dataclass, field

from benchmarks.seeds import Catalogue, Crowd


@dataclass(frozen=True, slots=True)
class Plan:
    """Bounds of a run. Everyone is measured once a round, in turn; medians are quoted."""

    rounds: int = 3
    load_s: int = 5  # of each load
    warm_up_s: int = 2  # before the first load on a server
    connections: tuple[int, ...] = (1, 16, 64)
    create_on_many: tuple[tuple[int, int], ...] = ((64, 16),)  # models, connections
    loggers: tuple[int, ...] = (1, 4)  # clients that log metrics, each to a run of its own
    large_bytes: int = 1 << 30  # of one artifact
    small_files: int = 2000  # artifacts, by as many clients as the next line says
    small_clients: int = 8
    small_bytes: int = 10_240
    commands: int = 5  # starts of a command line
    catalogue: Catalogue = field(default_factory=Catalogue)
    crowds: tuple[Crowd, ...] = (Crowd(1_000), Crowd(100_000), Crowd(1_000_000))
    searches: int = 40  # of each kind, one after another
    decisions: int = 400  # transitions of each of three kinds, in turn
    moves: int = 100_000  # of one alias, that the journal is measured with


@dataclass(frozen=True, slots=True)
class Sample:
    """One number of one server in one round.

    `rate` says whether more is better: then a ratio is ours by the peer's, else the peer's by ours.
    `size` is how much there was when it was taken: versions in the registry, or points in the run.
    """

    measurement: str  # "alias: 16 connections"
    server: str  # "modelkeep-sqlite"; `MACHINE` for what the machine itself allows
    value: float
    unit: str
    rate: bool
    detail: dict[str, float] = field(default_factory=dict)  # p50_ms, p99_ms, …
    size: int = 0  # of what it was measured on, where that is varied


MACHINE = "this machine"
