"""What modelkeep is to reach, and whether it did.

On two cores, with the load generator on the same machine. A target holds for both databases
unless it names one.
"""

import re
from dataclasses import dataclass

from benchmarks.databases import POSTGRESQL, SQLITE

RATIO, VALUE, P50_MS, P99_MS, LIMIT_PCT = "ratio", "value", "p50_ms", "p99_ms", "limit_pct"


@dataclass(frozen=True, slots=True)
class Target:
    """`of` says what of a line is held against the bound: its ratio to the peer, its own value,
    a percentile, or its share of what the machine allows.
    """

    pattern: str  # of the whole measurement
    of: str
    bound: float
    database: str = ""  # both
    sizes: tuple[int, ...] = ()  # any
    at_least: bool = True

    def concerns(self, measurement: str, database: str, size: int) -> bool:
        return (
            re.fullmatch(self.pattern, measurement) is not None
            and self.database in ("", database)
            and (not self.sizes or size in self.sizes)
        )

    def is_reached(self, found: float) -> bool:
        return found >= self.bound if self.at_least else found <= self.bound

    def told(self, unit: str) -> str:
        return f"{'≥' if self.at_least else '≤'} {shown(self.of, self.bound, unit)}"


def shown(of: str, number: float, unit: str) -> str:
    """A number of a line in words: "61 times", "7.2 ms at p99", "43 % of the limit"."""
    digits = f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
    return (
        digits
        + {
            RATIO: " times",
            VALUE: f" {unit}",
            P50_MS: " ms at p50",
            P99_MS: " ms at p99",
            LIMIT_PCT: " % of the limit",
        }[of]
    )


_MANY = (100_000, 1_000_000)
TARGETS = (
    Target("startup: healthy .*", VALUE, 1.0, at_least=False),
    Target("startup: idle memory.*", VALUE, 120.0, at_least=False),
    Target("cli: --version", VALUE, 0.2, at_least=False),
    Target("alias: 1 connections", P50_MS, 0.3, at_least=False),
    Target("alias: (16|64) connections", RATIO, 80, database=SQLITE),
    Target("alias: (16|64) connections", RATIO, 25, database=POSTGRESQL),
    Target("alias: (16|64) connections", LIMIT_PCT, 50),
    Target("describe: a package.*", RATIO, 20),
    Target("describe: how much slower.*", VALUE, 2, at_least=False),
    Target("create: .*, 16 connections", RATIO, 35, database=SQLITE),
    Target("create: .*, 16 connections", RATIO, 20, database=POSTGRESQL),
    Target("create: .*, 16 connections", P99_MS, 50, at_least=False),
    Target(r"search: (?!a page of 1,000|an alias).*", VALUE, 5, sizes=_MANY, at_least=False),
    Target("metrics: .*", VALUE, 100_000, database=SQLITE),
    Target("artifacts: small files up.*", RATIO, 5),
    Target("artifacts: small files down.*", RATIO, 10),
    Target("artifacts: one file up", LIMIT_PCT, 80),
    Target("gates: what 20 conditions add", VALUE, 2, at_least=False),
)


def of(measurement: str, database: str, size: int) -> list[Target]:
    return [target for target in TARGETS if target.concerns(measurement, database, size)]
