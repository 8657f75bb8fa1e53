"""Whether what clients saw of one slot can have happened one step at a time.

The search of Wing and Gong (1993) with Lowe's memory of the states that were tried (2017), for a
slot that moves by compare-and-swap on its epoch. A step that changes nothing is taken as soon as it
fits: taking it earlier never stands in another's way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

State = tuple[int, int | None]  # the epoch, and who holds the slot
START: State = (0, None)


@dataclass(frozen=True)
class Seen:
    """One call: from when until when, what it asked, and what it was told.

    A read asks nothing, and is told a state. A swap asks for `version` at `epoch`, and is told the
    state that it made, or None: another epoch. `told` is "lost" where no answer came: then it
    happened at any time, or not at all.
    """

    began: float
    ended: float
    version: int | None = None
    epoch: int | None = None
    told: State | str | None = None

    @property
    def is_lost(self) -> bool:
        return self.told == "lost"

    def after(self, state: State) -> State | None:
        """The state that it leaves, if it can have been told this of `state`; else None."""
        if self.version is None:
            return state if self.told == state else None
        if self.epoch != state[0]:
            return state if self.told is None else None
        made = state if state[1] == self.version else (state[0] + 1, self.version)
        if self.is_lost:  # one that changed nothing may as well not have happened yet
            return made if made != state else None
        return made if self.told == made else None


def is_linearizable(history: Sequence[Seen]) -> bool:
    """Whether there is an order of the calls that all of them agree with."""
    calls = sorted(history, key=lambda call: call.began)
    answered = sum(1 << i for i, call in enumerate(calls) if not call.is_lost)
    tried: set[tuple[int, State]] = set()
    open_ends = [_settled(calls, 0, START)]
    while open_ends:
        done, state = open_ends.pop()
        if done & answered == answered:
            return True
        if (done, state) in tried:
            continue
        tried.add((done, state))
        for index in _next(calls, done):
            made = calls[index].after(state)
            if made is not None and made != state:
                open_ends.append(_settled(calls, done | 1 << index, made))
    return False


def _settled(calls: Sequence[Seen], done: int, state: State) -> tuple[int, State]:
    """With every step taken that can be, and changes nothing."""
    while True:
        steps = [i for i in _next(calls, done) if calls[i].after(state) == state]
        if not steps:
            return done, state
        for index in steps:
            done |= 1 << index


def _next(calls: Sequence[Seen], done: int) -> list[int]:
    """The calls that may be next: those that began before any of the others had ended."""
    first_end, found = float("inf"), list[int]()
    left = ((1 << len(calls)) - 1) & ~done
    while left:
        index = (left & -left).bit_length() - 1
        left &= left - 1
        if calls[index].began > first_end:
            break
        found.append(index)
        if not calls[index].is_lost:
            first_end = min(first_end, calls[index].ended)
    return [index for index in found if calls[index].began <= first_end]
