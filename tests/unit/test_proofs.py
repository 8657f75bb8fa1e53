"""Proofs of inclusion and consistency: all of them verify, and nothing else does."""

import random
from collections.abc import Callable, Sequence

import pytest

from modelkeep.domain.merkle import (
    EMPTY_ROOT,
    PROOF_LIMIT,
    TILE_WIDTH,
    Frontier,
    consistency_path,
    extends,
    folded,
    includes,
    inclusion_path,
    leaf_hash,
    node_hash,
    parts,
    proof,
)

LEAVES = [leaf_hash(b"%d" % index) for index in range(3_000)]
ALL_SIZES = 33
SEED = 6962


def frontiers() -> list[Frontier]:
    found = [Frontier()]
    for leaf in LEAVES:
        found.append(found[-1].append(leaf))
    return found


ROOTS = [frontier.root for frontier in frontiers()]


def subtrees() -> dict[tuple[int, int], bytes]:
    """The hash of every perfect subtree of the leaves."""
    found: dict[tuple[int, int], bytes] = {}
    row, level = LEAVES, 0
    while row:
        found |= {(level, index): value for index, value in enumerate(row)}
        pairs = zip(row[::2], row[1::2], strict=False)
        row, level = [node_hash(left, right) for left, right in pairs], level + 1
    return found


HASHES = subtrees()


def inclusion(index: int, size: int) -> list[bytes]:
    return proof(inclusion_path(index, size), HASHES)


def consistency(old: int, new: int) -> list[bytes]:
    return proof(consistency_path(old, new), HASHES)


def pairs(count: int) -> list[tuple[int, int]]:
    """All pairs (smaller, larger) of small sizes, and as many of any size as are missing."""
    choose = random.Random(SEED)
    small = [(low, high) for high in range(1, ALL_SIZES + 1) for low in range(high + 1)]
    large = []
    while len(small) + len(large) < count:
        high = choose.randint(1, len(LEAVES))
        large.append((choose.randint(0, high), high))
    return small + large


def test_ten_thousand_proofs_verify_and_none_of_them_flipped() -> None:
    choose, made = random.Random(SEED), 0
    for low, high in pairs(5_100):
        if low < high:
            made += 1
            hashes = inclusion(low, high)
            claim = (LEAVES[low], low, high, hashes, ROOTS[high])
            assert includes(*claim), (low, high)
            assert not includes(*flipped_inclusion(claim, choose)), (low, high)
        made += 1
        hashes = consistency(low, high)
        step = (low, ROOTS[low], high, ROOTS[high], hashes)
        assert extends(*step), (low, high)
        assert not extends(*flipped_consistency(step, choose)), (low, high)
    assert made >= 10_000


def flip(value: bytes, choose: random.Random) -> bytes:
    bit = choose.randrange(len(value) * 8)
    return (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(len(value), "big")


def with_one_flipped(hashes: Sequence[bytes], choose: random.Random) -> list[bytes]:
    at = choose.randrange(len(hashes))
    return [flip(v, choose) if i == at else v for i, v in enumerate(hashes)]


def flipped_inclusion(
    claim: tuple[bytes, int, int, list[bytes], bytes], choose: random.Random
) -> tuple[bytes, int, int, list[bytes], bytes]:
    leaf, index, size, hashes, root = claim
    what = choose.choice(("leaf", "root", *["hashes"] * len(hashes)))
    if what == "leaf":
        return flip(leaf, choose), index, size, hashes, root
    if what == "root":
        return leaf, index, size, hashes, flip(root, choose)
    return leaf, index, size, with_one_flipped(hashes, choose), root


def flipped_consistency(
    step: tuple[int, bytes, int, bytes, list[bytes]], choose: random.Random
) -> tuple[int, bytes, int, bytes, list[bytes]]:
    old, old_root, new, new_root, hashes = step
    what = choose.choice(("old", *(["new"] if old else []), *["hashes"] * len(hashes)))
    if what == "old":
        return old, flip(old_root, choose), new, new_root, hashes
    if what == "new":
        return old, old_root, new, flip(new_root, choose), hashes
    return old, old_root, new, new_root, with_one_flipped(hashes, choose)


def test_every_bit_of_a_proof_counts() -> None:
    hashes = inclusion(5, 13)
    for at, value in enumerate(hashes):
        for bit in range(256):
            other = (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(32, "big")
            assert not includes(
                LEAVES[5], 5, 13, [*hashes[:at], other, *hashes[at + 1 :]], ROOTS[13]
            )


def test_a_proof_proves_one_index_and_one_size() -> None:
    for size in range(1, 40):
        for index in range(size):
            hashes = inclusion(index, size)
            for other in range(size + 2):
                holds = includes(LEAVES[index], other, size, hashes, ROOTS[size])
                assert holds == (other == index)
    for old in range(1, 17):
        for new in range(old, 17):
            for other in range(18):
                holds = extends(other, ROOTS[old], new, ROOTS[new], consistency(old, new))
                assert holds == (other == old)


@pytest.mark.parametrize(
    "change",
    [lambda h: h[:-1], lambda h: [*h, LEAVES[0]], lambda h: h[::-1]],
    ids=["shorter", "longer", "reversed"],
)
def test_a_proof_of_another_length_or_order_is_none(
    change: Callable[[list[bytes]], list[bytes]],
) -> None:
    for low, high in ((3, 9), (6, 13), (1_000, 3_000), (2_047, 2_999)):
        hashes = change(inclusion(low, high))
        assert not includes(LEAVES[low], low, high, hashes, ROOTS[high])
        hashes = change(consistency(low, high))
        assert not extends(low, ROOTS[low], high, ROOTS[high], hashes)


def test_what_no_tree_can_say_is_refused() -> None:
    root = ROOTS[8]
    assert not includes(LEAVES[0], 0, 0, [], EMPTY_ROOT)
    assert not includes(LEAVES[0], -1, 8, inclusion(0, 8), root)
    assert not includes(LEAVES[0], 8, 8, inclusion(0, 8), root)
    assert not includes(b"short", 0, 1, [], ROOTS[1])
    assert not includes(LEAVES[0], 0, 8, [h[:31] for h in inclusion(0, 8)], root)
    assert extends(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    assert extends(0, EMPTY_ROOT, 8, root, [])
    assert not extends(0, root, 8, root, [])
    assert not extends(0, EMPTY_ROOT, 0, root, [])
    assert not extends(0, EMPTY_ROOT, 8, root, [LEAVES[0]])
    assert not extends(8, root, 8, root, [LEAVES[0]])
    assert not extends(8, ROOTS[7], 8, root, [])
    assert not extends(8, root, 7, ROOTS[7], [])
    assert not extends(3, ROOTS[3], 8, root, [])
    assert not extends(4, ROOTS[4], 8, root, [])


def test_no_proof_has_more_hashes_than_a_tree_is_high() -> None:
    size = 2**62 - 1
    for path in (inclusion_path(0, size), inclusion_path(size - 1, size)):
        assert len(path) <= PROOF_LIMIT
    assert len(consistency_path(2**61 + 1, size)) <= PROOF_LIMIT
    too_many = [LEAVES[0]] * (PROOF_LIMIT + 1)
    assert not includes(LEAVES[0], 0, 2**63, too_many, LEAVES[1])
    assert not extends(2**62 + 1, LEAVES[0], 2**63, LEAVES[1], too_many)


def test_a_range_is_made_of_perfect_subtrees_that_fill_it() -> None:
    for low, high in ((0, 7), (8, 13), (12, 13), (1_024, 3_000)):
        filled = [
            index
            for level, at in parts((low, high))
            for index in range(at << level, at + 1 << level)
        ]
        assert filled == list(range(low, high))


def test_a_leaf_that_makes_tiles_whole_says_which() -> None:
    frontier, found = Frontier(), {}
    for index in range(TILE_WIDTH * 3):
        digest = leaf_hash(b"%d" % index)
        if whole := frontier.completed(digest):
            found[index] = whole
        frontier = frontier.append(digest)
    assert sorted(found) == [255, 511, 767]
    for number, index in enumerate(found):
        tile = LEAVES[number * TILE_WIDTH : (number + 1) * TILE_WIDTH]
        assert found[index] == [(1, folded(tile))]


def test_tiles_of_tiles_are_made_whole_too() -> None:
    frontier = Frontier(0xFFFF, tuple(HASHES[11 - (i % 11), 0] for i in range(16)))
    (low, high) = frontier.completed(LEAVES[0])
    assert (low[0], high[0]) == (1, 2)
    assert frontier.append(LEAVES[0]).peaks == (high[1],)
