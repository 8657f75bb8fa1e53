"""How a version's life ends, beside its stage.

* A *deprecated* version is used as before. It says why it should not be, what to use instead and,
  if a date is set, when it will be blocked.
* A *blocked* one is loaded no more; whoever has its bytes already keeps them.
* A *retired* one is not loaded either, and never again: nothing leads out.

The way leads on, or back to active; each step has a reason. What is blocked or retired holds no
alias and no stage that counts (`services.endings`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    ACTIVE = "active"
    DEPRECATED = "deprecated"
    BLOCKED = "blocked"
    RETIRED = "retired"


OVER = frozenset((State.BLOCKED, State.RETIRED))
_WAYS: Mapping[State, frozenset[State]] = {
    State.ACTIVE: frozenset((State.DEPRECATED, State.BLOCKED, State.RETIRED)),
    State.DEPRECATED: frozenset(State),
    State.BLOCKED: frozenset((State.ACTIVE, State.BLOCKED, State.RETIRED)),
    State.RETIRED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a version stands, since when (None: it was never moved), by whom, and why.

    `replacement` is the number of the version of the same model to use instead; `blocks_ms` when a
    deprecated one will be blocked, in milliseconds.
    """

    state: State = State.ACTIVE
    reason: str = ""
    by: str = ""
    since_ms: int | None = None
    replacement: int | None = None
    blocks_ms: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether it may not be loaded."""
        return self.state in OVER

    def followed(self, by: "Ending") -> "Ending":
        """The next one; it keeps naming the same replacement, if it names no other."""
        if by.state is State.ACTIVE or by.replacement is not None:
            return by
        return replace(by, replacement=self.replacement)

    def told(self, model: str, number: int) -> str:
        """What whoever loads the version should know, in a sentence or two; empty if it's active.

        Any client can follow what it says.
        """
        if self.state is State.ACTIVE:
            return ""
        told = f"{model}/{number} is {self.state}: {self.reason.rstrip('.')}."
        if self.replacement is None:
            return told
        return f"{told} Use models:/{model}/{self.replacement} instead."


NO_ENDING = Ending()


def refuse_step(ending: Ending, wanted: State) -> str | None:
    """Why a version cannot come into a state; None if it can."""
    if wanted in _WAYS[ending.state]:
        return None
    if ending.state is State.RETIRED:
        return "it is retired, which is for good"
    if ending.state is wanted:
        return f"it is {wanted} already"
    return f"it is {ending.state}; reinstate it first"
