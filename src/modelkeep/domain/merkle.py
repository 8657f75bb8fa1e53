"""The Merkle tree of RFC 6962, section 2.1, as it grows, and proofs about it.

A `Frontier` is all that is needed to append: the roots of the perfect subtrees that the leaves so
far make, largest first (one per set bit of the size). At most 64 hashes, whatever the size.

A proof is made of perfect subtrees too: `inclusion_path` and `consistency_path` say which ranges
of leaves it takes, `parts` which subtrees make up a range, and `proof` puts their hashes together.
A subtree is named (level, index): it holds 2**level leaves, from index * 2**level on.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256(b"").digest()
TILE_HEIGHT = 8  # C2SP tlog-tiles: of the inner nodes, only those of every eighth level are kept
TILE_WIDTH = 1 << TILE_HEIGHT
PROOF_LIMIT = 63  # hashes, as C2SP has it: enough for 2**62 leaves

Span = tuple[int, int]  # the leaves from the first on, without the second
Subtree = tuple[int, int]  # level, index


def leaf_hash(body: bytes) -> bytes:
    """The hash of a leaf (RFC 6962: SHA-256 of 0x00 and the body)."""
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (RFC 6962: SHA-256 of 0x01, left, right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree of `size` leaves."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> "Frontier":
        """The frontier after one more leaf hash; amortised one node hash, at most 64."""
        peaks, carry, bits = list(self.peaks), leaf, self.size
        while bits & 1:
            carry = node_hash(peaks.pop(), carry)
            bits >>= 1
        return Frontier(self.size + 1, (*peaks, carry))

    def completed(self, leaf: bytes) -> list[tuple[int, bytes]]:
        """What one more leaf makes whole of 256, 65,536 … leaves: (how many tiles high, hash)."""
        found: list[tuple[int, bytes]] = []
        if (self.size + 1) % TILE_WIDTH:
            return found
        peaks, carry, height = list(self.peaks), leaf, 0
        while self.size >> height & 1:
            carry = node_hash(peaks.pop(), carry)
            height += 1
            if height % TILE_HEIGHT == 0:
                found.append((height // TILE_HEIGHT, carry))
        return found

    @property
    def root(self) -> bytes:
        """The tree's root: 32 bytes; `EMPTY_ROOT` for no leaves."""
        return joined(self.peaks) if self.peaks else EMPTY_ROOT

    def encode(self) -> bytes:
        """The peaks, end to end."""
        return b"".join(self.peaks)

    @classmethod
    def decode(cls, size: int, encoded: bytes) -> "Frontier":
        """What `encode` gave; ValueError if the number of peaks does not fit the size."""
        peaks = tuple(encoded[i : i + 32] for i in range(0, len(encoded), 32))
        if len(encoded) % 32 or len(peaks) != size.bit_count():
            raise ValueError(f"{len(encoded)} bytes of peaks do not fit a tree of {size} leaves")
        return cls(size, peaks)


# -- making proofs ---------------------------------------------------------------------------------


def inclusion_path(index: int, size: int) -> list[Span]:
    """What proves that a leaf is in a tree, from the leaf upwards; 0 <= index < size."""
    path, low, high = [], 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append((middle, high))
            high = middle
        else:
            path.append((low, middle))
            low = middle
    return path[::-1]


def consistency_path(old: int, new: int) -> list[Span]:
    """What proves that a tree of `new` leaves begins with one of `old`; 0 <= old <= new."""
    if old == 0:
        return []
    path, low, high = [], 0, new
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append((middle, high))
            high = middle
        else:
            path.append((low, middle))
            low = middle
    if low:  # else it is the old tree itself, whose root a verifier has
        path.append((low, high))
    return path[::-1]


def _split(size: int) -> int:
    """The largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1


def parts(span: Span) -> list[Subtree]:
    """The perfect subtrees of a range that a path names, from the left."""
    low, high = span
    found: list[Subtree] = []
    while low < high:
        level = (high - low).bit_length() - 1
        found.append((level, low >> level))
        low += 1 << level
    return found


def proof(path: Sequence[Span], hashes: Mapping[Subtree, bytes]) -> list[bytes]:
    """The proof of a path. KeyError if a hash is missing."""
    return [joined(hashes[subtree] for subtree in parts(span)) for span in path]


def joined(hashes: Iterable[bytes]) -> bytes:
    """The root over perfect subtrees, each smaller than the one before; at least one."""
    *left, root = hashes
    for peak in reversed(left):
        root = node_hash(peak, root)
    return root


def folded(hashes: Sequence[bytes]) -> bytes:
    """The root of a perfect subtree from 1, 2, 4 … hashes of one level."""
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [node_hash(left, right) for left, right in pairs]
    return hashes[0]


# -- verifying them (RFC 9162, sections 2.1.3.2 and 2.1.4.2) -------------------------------------


def includes(leaf: bytes, index: int, size: int, hashes: Sequence[bytes], root: bytes) -> bool:
    """Whether the hashes prove that a tree has this leaf (a leaf hash) at the index."""
    if not 0 <= index < size or not _are_hashes([leaf, root, *hashes]):
        return False
    at, last, found = index, size - 1, leaf
    for sibling in hashes:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def extends(old: int, old_root: bytes, new: int, new_root: bytes, hashes: Sequence[bytes]) -> bool:
    """Whether the hashes prove that the new tree begins with all of the old one."""
    if not 0 <= old <= new or not _are_hashes([old_root, new_root, *hashes]):
        return False
    if old in (0, new):
        known = EMPTY_ROOT if old == 0 else new_root
        return not hashes and old_root == known and (new > 0 or new_root == EMPTY_ROOT)
    rest = list(hashes) if old & (old - 1) else [old_root, *hashes]
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    if not rest:
        return False
    before = after = rest[0]
    for sibling in rest[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _are_hashes(values: Sequence[bytes]) -> bool:
    return len(values) <= PROOF_LIMIT + 2 and all(len(value) == 32 for value in values)
