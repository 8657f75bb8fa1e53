"""What a version is made of: its files, and one digest over them.

The canonical encoding is text, so that anyone can recompute the digest with a shell: the line
`modelkeep-manifest/1`, then for each file, in the byte order of its UTF-8 path, the line
`<sha256 hex> <size in bytes> <path>`. Every line ends with a line feed. A path has no control
characters (`names.check_path`), so no file can pass for another.

NOTE: version 1 of this encoding must never change; approvals are bound to its digests.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from modelkeep.domain.errors import LimitExceeded

FILE_LIMIT = 20_000
_HEADER = b"modelkeep-manifest/1\n"
_MARK = "arrival:"


def marked(arrival_id: int) -> str:
    """What stands for the digest of a file until it is hashed."""
    return f"{_MARK}{arrival_id}"


@dataclass(frozen=True, slots=True)
class File:
    """A file of a tree: relative path, SHA-256 (64 hex digits), size in bytes.

    Of a file that came past the server and that nobody has hashed yet, `sha256` is `marked(id)`.
    """

    path: str
    sha256: str
    size_bytes: int

    @property
    def is_hashed(self) -> bool:
        return not self.sha256.startswith(_MARK)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A frozen tree. `digest` is `sha256:<hex>` over `encode()`."""

    files: tuple[File, ...]

    @classmethod
    def of(cls, files: Iterable[File]) -> "Manifest":
        """A manifest of 1 to 20,000 files with distinct paths; LimitExceeded beyond that."""
        ordered = tuple(sorted(files, key=lambda file: file.path.encode()))
        if len(ordered) > FILE_LIMIT:
            raise LimitExceeded(f"A version may have at most {FILE_LIMIT} files.")
        return cls(ordered)

    def encode(self) -> bytes:
        lines = (f"{f.sha256} {f.size_bytes} {f.path}\n".encode() for f in self.files)
        return _HEADER + b"".join(lines)

    @property
    def digest(self) -> str:
        return "sha256:" + hashlib.sha256(self.encode()).hexdigest()

    @property
    def size_bytes(self) -> int:
        return sum(f.size_bytes for f in self.files)
