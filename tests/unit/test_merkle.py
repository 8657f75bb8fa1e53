"""The Merkle tree: RFC 6962, section 2.1, and nothing else."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash

# The test vectors of Certificate Transparency's reference implementation
# (google/certificate-transparency, merkletree/merkle_tree_test.cc).
INPUTS = [
    bytes.fromhex(text)
    for text in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def grown(bodies: Sequence[bytes]) -> Frontier:
    frontier = Frontier()
    for body in bodies:
        frontier = frontier.append(leaf_hash(body))
    return frontier


def recursive_root(bodies: Sequence[bytes]) -> bytes:
    """The definition, word for word: the split is at the largest power of two below the size."""
    if not bodies:
        return hashlib.sha256(b"").digest()
    if len(bodies) == 1:
        return hashlib.sha256(b"\x00" + bodies[0]).digest()
    split = 1
    while split * 2 < len(bodies):
        split *= 2
    left, right = recursive_root(bodies[:split]), recursive_root(bodies[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@pytest.mark.parametrize("size", range(9))
def test_the_roots_are_those_of_the_known_vectors(size: int) -> None:
    assert grown(INPUTS[:size]).root.hex() == ROOTS[size]
    assert recursive_root(INPUTS[:size]).hex() == ROOTS[size]


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert Frontier().root == EMPTY_ROOT == hashlib.sha256().digest()


def test_a_leaf_can_never_pass_for_a_node() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)


@given(st.lists(st.binary(max_size=8), max_size=130))
def test_the_frontiers_root_is_the_recursive_one_at_every_size(bodies: list[bytes]) -> None:
    frontier = Frontier()
    assert frontier.root == recursive_root([])
    for size, body in enumerate(bodies, 1):
        frontier = frontier.append(leaf_hash(body))
        assert frontier.size == size
        assert len(frontier.peaks) == size.bit_count()
    assert frontier.root == recursive_root(bodies)


@given(st.lists(st.binary(max_size=4), max_size=70), st.lists(st.binary(max_size=4), max_size=9))
def test_a_frontier_read_back_goes_on_as_if_it_had_never_been_stored(
    stored: list[bytes], later: list[bytes]
) -> None:
    frontier = grown(stored)
    again = Frontier.decode(frontier.size, frontier.encode())
    assert again == frontier
    for body in later:
        again = again.append(leaf_hash(body))
    assert again == grown([*stored, *later])


def test_appending_leaves_the_frontier_before_it_as_it_was() -> None:
    before = grown(INPUTS[:5])
    root = before.root
    before.append(leaf_hash(b"x"))
    assert (before.size, before.root) == (5, root)


@given(st.integers(0, 200), st.binary(max_size=300))
def test_peaks_that_do_not_fit_the_size_are_refused(size: int, encoded: bytes) -> None:
    if len(encoded) == 32 * size.bit_count():
        assert Frontier.decode(size, encoded).encode() == encoded
    else:
        with pytest.raises(ValueError, match="do not fit"):
            Frontier.decode(size, encoded)
