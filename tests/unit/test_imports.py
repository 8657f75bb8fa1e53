"""What an import may change, and how points are compared without keeping them."""

import math
import random

import pytest

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.imports import End, Points, check_origin, digest, judge


@pytest.mark.parametrize(
    ("base", "given", "found", "end"),
    [
        (None, "a", "a", End.UNCHANGED),  # it is the same, wherever it came from
        ("a", "a", "a", End.UNCHANGED),
        ("a", "b", "b", End.UNCHANGED),
        ("a", "b", "a", End.CHANGED),  # the source moved on, and nobody touched it here
        ("a", "a", "b", End.KEPT),  # changed here
        ("a", "b", "c", End.KEPT),  # changed on both sides
        (None, "a", "b", End.KEPT),  # never brought: not ours to change
    ],
)
def test_only_what_nobody_touched_here_follows_the_source(
    base: str | None, given: str, found: str, end: End
) -> None:
    assert judge(base, given, found) is end


def test_facts_have_one_digest_in_whatever_order_they_are_said() -> None:
    assert digest({"a": 1, "b": {"x": "y", "z": None}}) == digest(
        {"b": {"z": None, "x": "y"}, "a": 1}
    )
    assert digest({"a": 1}) != digest({"a": "1"})


def summed(points: list[tuple[int, int, float]]) -> str:
    sums = Points()
    for point in points:
        sums.add(*point)
    return sums.digest


def test_points_are_the_same_in_any_order_and_differ_in_any_part() -> None:
    points = [(step, 1_000 + step, step / 7) for step in range(50)] + [(0, 0, math.nan)]
    shuffled = random.Random(7).sample(points, len(points))
    assert summed(points) == summed(shuffled)
    assert summed(points).startswith("51:")
    for index, other in ((0, (1, 1_000, 0.0)), (0, (0, 1_001, 0.0)), (0, (0, 1_000, 1e-300))):
        assert summed([other, *points[index + 1 :]]) != summed(points)
    assert summed(points[:-1]) != summed(points)


def test_nan_is_one_point_and_the_two_zeros_are_one() -> None:
    assert summed([(0, 0, math.nan)]) == summed([(0, 0, -math.nan)])
    assert summed([(0, 0, 0.0)]) == summed([(0, 0, -0.0)])
    assert len({summed([(0, 0, v)]) for v in (math.nan, math.inf, -math.inf, 0.0)}) == 4


@pytest.mark.parametrize(
    "origin",
    ["", "mlflow", "ftp://a/b", "http://", "http://ann:secret@a", "http://a\n", "file:///etc",
     "http://[", "http://a/" + "x" * 500],
)  # fmt: skip
def test_an_origin_is_an_address_without_credentials(origin: str) -> None:
    with pytest.raises(InvalidInput, match="origin"):
        check_origin(origin)


def test_an_origin_may_have_a_port_and_a_path() -> None:
    assert check_origin("https://mlflow.example.com:8443/team/a") != ""
