"""The gates `soak` and `freeze`: long enough where it was, and not now.

`minimum_soak_hours: 24`: the version has been in the stage that it leaves for that long.
`freeze_windows`: nothing moves from `from` until `until` (each a date or a time; without a zone it
is UTC), whatever else says yes.

What they say changes by itself, so a vote is not counted while one of them fails; it can be cast
again later.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from modelkeep.domain import documents
from modelkeep.domain.documents import at
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.events import instant
from modelkeep.domain.gates.base import Case, Gate, Outcome, Verdict, judged

HOUR_MS = 3_600_000
SOAK_LIMIT_HOURS = 24 * 366
_KEYS = ("from", "until", "reason")


@dataclass(frozen=True, slots=True)
class SoakGate:
    """The version has been in its stage for `soak_ms` milliseconds."""

    name: ClassVar[str] = "soak"
    soak_ms: int

    def asks(self) -> str:
        return f"{_hours(self.soak_ms)} in the stage before"

    def judge(self, case: Case) -> Verdict:
        standing = case.evidence.standing
        if standing is None:
            return Verdict(self.name, Outcome.FAILED, "it is not known since when it is there")
        left = standing.since_ms + self.soak_ms - case.now_ms
        early = (
            f"in {standing.stage} since {instant(standing.since_ms)}; "
            f"required {_hours(self.soak_ms)}, reached {instant(standing.since_ms + self.soak_ms)}"
        )
        return judged(self.name, (early,) if left > 0 else (), f"in {standing.stage} long enough")


@dataclass(frozen=True, slots=True)
class Window:
    """From `from_ms` on, and before `until_ms`, in milliseconds since the epoch."""

    from_ms: int
    until_ms: int
    reason: str = ""

    def __str__(self) -> str:
        return f"{instant(self.from_ms)} to {instant(self.until_ms)}"


@dataclass(frozen=True, slots=True)
class FreezeGate:
    """It is not the time of any window."""

    name: ClassVar[str] = "freeze"
    windows: tuple[Window, ...]

    def asks(self) -> str:
        return f"not from {', nor from '.join(map(str, self.windows))}" if self.windows else "never"

    def judge(self, case: Case) -> Verdict:
        frozen = [
            f"frozen from {window}{': ' + window.reason if window.reason else ''}"
            for window in self.windows
            if window.from_ms <= case.now_ms < window.until_ms
        ]
        return judged(self.name, frozen, "no freeze at this time")


def read_soak(value: object, path: str) -> Gate:
    """The gate of `minimum_soak_hours`, a number of hours up to a year."""
    hours = documents.number(value, path, 0, SOAK_LIMIT_HOURS)
    return SoakGate(round(hours * HOUR_MS))


def read_freeze(value: object, path: str) -> Gate:
    """The gate of a `freeze_windows` list."""
    return FreezeGate(tuple(_windows(value, path)))


def _windows(value: object, path: str) -> Iterator[Window]:
    for here, item in documents.parts(value, path):
        part = documents.mapping(item, here, _KEYS)
        start, end = (_moment(part, key, here) for key in ("from", "until"))
        if end <= start:
            raise InvalidInput(f"{here}: until is not after from.")
        reason = documents.text(part["reason"], at(here, "reason")) if "reason" in part else ""
        yield Window(start, end, reason)


def _moment(part: dict[str, Any], key: str, path: str) -> int:
    if key not in part:
        raise InvalidInput(f"{path}: the key '{key}' is required and not there.")
    text = documents.text(part[key], at(path, key))
    try:
        moment = datetime.fromisoformat(text)
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(zoned.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{at(path, key)}: '{text:.80}' is no time; write it as 2026-12-20 or "
            "2026-12-20T18:00+01:00."
        ) from None


def _hours(ms: int) -> str:
    return f"{ms / HOUR_MS:g} h"
