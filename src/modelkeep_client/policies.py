"""The policy: what reaches which stage, and a look at what it says before it says it in earnest."""

from collections.abc import Iterator
from dataclasses import dataclass

from modelkeep_client.addresses import Which, of_version
from modelkeep_client.lifecycles import Lifecycle
from modelkeep_client.transport import Transport
from modelkeep_client.values import Applied, Section, Verdict, built


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy in force, as it was applied. `revision` is 0 when there is none."""

    revision: int
    digest: str | None
    source: str
    sections: tuple[Section, ...]
    lifecycles: tuple[Lifecycle, ...]
    applied: str | None = None
    author: str | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """A policy that was applied, in force or not."""

    revision: int
    digest: str
    applied: str
    author: str


@dataclass(frozen=True, slots=True)
class Check:
    """What the gates say of a move. `outcome`: passed, waiting (only people are missing) or
    refused."""

    model: str
    version: int
    source: str
    target: str
    outcome: str
    verdicts: tuple[Verdict, ...]
    policy: str


@dataclass(frozen=True, slots=True)
class Move:
    """A past move, and what a policy would have said: `was` and `would_be` are passed, waiting or
    refused. Where it is not `exact`, runs as they are now stand in for what was not frozen then."""

    entry: int
    at: str
    model: str
    version: int
    source: str
    target: str
    was: str
    would_be: str
    exact: bool
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How many moves were judged, and those that would have ended otherwise, oldest first."""

    examined: int
    differences: tuple[Move, ...]


class Policies:
    """The policy of a server; `client.policies` is one."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def show(self, revision: int | None = None) -> Policy:
        """The policy in force, or one that was. Raises NotFound."""
        path = "/policy" if revision is None else f"/policy/revisions/{revision}"
        return built(Policy, self._transport.get(path))

    def list(self, page_size: int = 100) -> Iterator[Revision]:
        """The policies that were applied, newest first."""
        before = None
        while True:
            page = self._transport.get("/policy/revisions", before=before, limit=page_size)
            yield from (built(Revision, revision) for revision in page)
            if len(page) < page_size:
                return
            before = page[-1]["revision"]

    def apply(self, source: str) -> Applied:
        """Puts a policy, the text of its YAML, in force for every model. Lifecycles are part of it.

        Raises InvalidCall naming the place.
        """
        return built(Applied, self._transport.change("POST", "/policy", {"source": source}))

    def test(self, source: str, *, since: str = "1970-01-01") -> Rehearsal:
        """What a policy would have decided otherwise of past moves; it is not put in force."""
        body = {"source": source, "since": since}
        return built(Rehearsal, self._transport.change("POST", "/policy/rehearsals", body))

    def check(self, model: str, which: Which, stage: str, *, reason: str = "") -> Check:
        """What every gate would say if the caller asked for a move now; nothing is recorded."""
        path = f"{of_version(model, which)}/check"
        return built(Check, self._transport.get(path, to=stage, reason=reason))
