"""The Merkle tree of RFC 6962, section 2.1, as it grows.

A `Frontier` is all that is needed to append: the roots of the perfect subtrees that the leaves so
far make, largest first (one per set bit of the size). At most 64 hashes, whatever the size.
"""

import hashlib
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256(b"").digest()


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

    @property
    def root(self) -> bytes:
        """The tree's root: 32 bytes; `EMPTY_ROOT` for no leaves."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root

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
