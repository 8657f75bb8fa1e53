"""How an S3 store is told to copy: in as many pieces as one upload may have, and none too small."""

from collections.abc import Sequence
from itertools import groupby

import pytest

from modelkeep.storage.blobs.s3 import COPY_BYTES, LEAST_PART_BYTES, PARTS_LIMIT, pieces

MIB, GIB = 1 << 20, 1 << 30


@pytest.mark.parametrize(
    "sizes",
    [
        [1],
        [5 * GIB],
        [5 << 40],
        [5 * MIB] * 9_999 + [1],
        [COPY_BYTES + 1] * 10_000,
        [COPY_BYTES + 1] * 9_999,
        [600 * MIB] * 8_000,
        [5 * MIB] * 9_000 + [4 * GIB] * 1_000,
        [5 * GIB] + [5 * MIB] * 9_998,
    ],
    ids=lambda sizes: f"{len(sizes)}-of-{sum(sizes)}",
)
def test_all_is_copied_in_order_in_no_more_pieces_than_there_may_be(sizes: Sequence[int]) -> None:
    found = list(pieces([(str(number), size) for number, size in enumerate(sizes)]))
    assert len(found) <= PARTS_LIMIT
    by_source = [[piece[1:] for piece in of] for _, of in groupby(found, lambda piece: piece[0])]
    for size, bounds in zip(sizes, by_source, strict=True):
        assert [start for start, _ in bounds] == [0, *(stop for _, stop in bounds[:-1])]
        assert bounds[-1][1] == size
        assert len(bounds) == 1 or min(stop - start for start, stop in bounds) >= LEAST_PART_BYTES
