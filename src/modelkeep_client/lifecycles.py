"""Lifecycles: the stages of models, and what time archives and retires."""

from dataclasses import dataclass

from modelkeep_client.addresses import given, of_model
from modelkeep_client.transport import Transport
from modelkeep_client.values import built


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate, and in a few words what must hold."""

    name: str
    asks: str


@dataclass(frozen=True, slots=True)
class Way:
    """A listed transition into a stage, and the gates that guard it."""

    source: str
    gates: tuple[Gate, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage. `ways` lead into it, and nothing else does, if there are any.

    `is_known` is False of a stage that the lifecycle does not have, though versions stand in it.
    """

    name: str
    is_known: bool
    single: bool
    displaced_to: str | None
    archive_after_days: int | None
    aliases: tuple[str, ...]
    ways: tuple[Way, ...]
    versions: int
    newest: int | None


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """A lifecycle. `models` are the names and patterns that it claims, none of the default."""

    name: str
    models: tuple[str, ...]
    stages: tuple[Stage, ...]
    production: str
    archived: str
    max_versions: int | None
    retention_days: int | None
    retired_from: tuple[str, ...]
    policy: str | None


@dataclass(frozen=True, slots=True)
class Due:
    """A version whose time is over. `action`: archive or retire; `kept` says why it stays."""

    version: int
    stage: str
    action: str
    why: str
    kept: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is due of a model; `complete` is False when there is more."""

    model: str
    lifecycle: str
    due: tuple[Due, ...]
    complete: bool


class Lifecycles:
    """The lifecycles of a server's models; `client.lifecycles` is one.

    They are written in the policy: `client.policies.apply`.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def show(self, model: str) -> Lifecycle:
        """The stages of a model, what leads into each, and how many versions stand there."""
        return built(Lifecycle, self._transport.get(f"{of_model(model)}/lifecycle"))

    def plan(self, model: str | None = None) -> list[Plan]:
        """What is due to be archived or retired, of one model or of all; nothing is done."""
        return [built(Plan, plan) for plan in self._transport.get("/retention", model=model)]

    def run(self, model: str | None = None) -> list[Plan]:
        """Does what is due, at most a thousand versions, and says what was done."""
        found = self._transport.change("POST", "/retention/runs", given(model=model))
        return [built(Plan, plan) for plan in found]
