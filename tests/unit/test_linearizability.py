"""The checker of histories, held against trying every order."""

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.linearizability import START, Seen, State, is_linearizable


def by_trying(history: list[Seen]) -> bool:
    """Every order of the answered calls with every choice of the lost ones."""
    lost = [call for call in history if call.is_lost]
    answered = [call for call in history if not call.is_lost]
    return any(
        fits(order)
        for chosen in range(1 << len(lost))
        for order in permutations(answered + [c for i, c in enumerate(lost) if chosen >> i & 1])
    )


def fits(order: tuple[Seen, ...]) -> bool:
    state: State = START
    for place, call in enumerate(order):
        if any(later.ended < call.began and not later.is_lost for later in order[place + 1 :]):
            return False
        made = call.after(state)
        if made is None:
            return False
        state = made
    return True


times = st.tuples(st.integers(0, 6), st.integers(0, 6)).map(sorted)
states = st.tuples(st.integers(0, 2), st.sampled_from([None, 1, 2]))
reads = st.builds(lambda t, s: Seen(t[0], t[1], told=s), times, states)
swaps = st.builds(
    lambda t, v, e, told: Seen(t[0], t[1], v, e, told),
    times,
    st.integers(1, 2),
    st.integers(0, 1),
    st.one_of(st.none(), states, st.just("lost")),
)


@settings(max_examples=300)
@given(st.lists(st.one_of(reads, swaps), max_size=5))
def test_the_search_finds_an_order_exactly_when_there_is_one(history: list[Seen]) -> None:
    assert is_linearizable(history) is by_trying(history)


def test_histories_that_no_slot_can_have_are_told() -> None:
    made = Seen(0, 1, 1, 0, (1, 1))
    assert is_linearizable([made, Seen(2, 3, told=(1, 1))])
    assert not is_linearizable([made, Seen(2, 3, told=(0, None))])  # a stale read
    assert not is_linearizable([made, Seen(0, 1, 2, 0, (1, 2))])  # one epoch given twice
    assert not is_linearizable([made, Seen(2, 3, 2, 1, None)])  # refused for nothing
    assert is_linearizable([Seen(0, 1, 1, 0, "lost"), Seen(5, 6, told=(1, 1))])
    assert is_linearizable([Seen(0, 1, 1, 0, "lost"), Seen(5, 6, told=(0, None))])
