"""Canonical JSON, held against the library that was written for it and nothing else."""

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain.canonical import canonical

SAFE = 2**53 - 1
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-SAFE, SAFE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS, lambda below: st.lists(below) | st.dictionaries(st.text(), below), max_leaves=8
)


@given(VALUES)
def test_it_writes_what_the_library_writes(value: object) -> None:
    try:
        expected = rfc8785.dumps(value)  # type: ignore[arg-type]
    except ValueError:  # half a surrogate pair
        with pytest.raises(ValueError):  # noqa: PT011 - any
            canonical(value)
        return
    assert canonical(value) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0.0, "0"), (-0.0, "0"), (1.0, "1"), (-1.5, "-1.5"), (1e21, "1e+21")),
        (1e20, "1" + "0" * 20),
        *((1e-6, "0.000001"), (1e-7, "1e-7"), (5e-324, "5e-324"), (123e-20, "1.23e-18")),
        *((333333333.33333329, "333333333.3333333"), (4.50, "4.5"), (0.002, "0.002")),
        ({"\u20ac": 1, "\r": 2, "\U0001f600": 3, "\ufb33": 4}, '{"\\r":2,"€":1,"😀":3,"\ufb33":4}'),
    ],
)  # fmt: skip
def test_the_examples_of_the_standard(value: object, text: str) -> None:
    assert canonical(value).decode() == text


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 2**53, -(2**53), "\ud800", {1: 2}, {"a": {3}}, b"x"]
)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any
        canonical(value)
