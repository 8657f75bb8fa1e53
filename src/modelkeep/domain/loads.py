"""Loads: who was told where a version's bytes are, or was given them, on which day.

Whoever has a name is told by it, and whoever has none by the address that the call came from. What
a client calls itself is cut to its first word, as in `mlflow-python-client/3.17.2`.
"""

from dataclasses import dataclass
from functools import lru_cache

from modelkeep.domain.access import Actor, Caller, Kind

DAY_MS = 86_400_000
CLIENT_CHARS = 100


@dataclass(frozen=True, slots=True)
class Loader:
    """Who loads. `name` is empty for whoever has none, `address` for whoever has one."""

    name: str
    kind: str
    verified: bool
    client: str
    address: str


@dataclass(frozen=True, slots=True)
class Load:
    """How often somebody loaded a version on a day (days since 1970, UTC), and when last.

    `warned`: it was deprecated then.
    """

    version_id: int
    day: int
    loader: Loader
    count: int
    last_ms: int
    warned: bool


OTHERS = Loader("(others)", Kind.ANONYMOUS.value, False, "", "")  # too many to be told apart


def loader_of(caller: Caller) -> Loader:
    """Who a caller is, as far as loads go."""
    return _loader(caller.actor, caller.client, caller.address)


@lru_cache(maxsize=4096)
def _loader(actor: Actor, client: str, address: str) -> Loader:
    client = "".join(c for c in client.split(" ", 1)[0] if c.isprintable())[:CLIENT_CHARS]
    if actor.is_anonymous:
        return Loader("", Kind.ANONYMOUS.value, False, client, address)
    return Loader(actor.name, actor.kind.value, actor.verified, client, "")
