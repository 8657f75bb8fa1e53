"""What is handed to others as files and requests: receipts, and what a witness is sent.

A receipt is a C2SP tlog-proof: an entry's index, its proof of inclusion, and the checkpoint that
it leads to. Its `extra` is the entry's leaf itself, so that the file needs nothing beside it.
"""

from dataclasses import dataclass

from modelkeep.domain.errors import IntegrityFailure, InvalidInput
from modelkeep.domain.merkle import PROOF_LIMIT, includes, leaf_hash
from modelkeep.domain.notes import Checkpoint, Note, decimal, decode64, encode64

_HEADER = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that the leaf is entry `index` of what the note (a checkpoint's) says."""

    leaf: bytes
    index: int
    proof: tuple[bytes, ...]
    note: str

    def encode(self) -> str:
        lines = [_HEADER, f"extra {encode64(self.leaf)}", f"index {self.index}"]
        return "\n".join([*lines, *map(encode64, self.proof), "", self.note])

    @classmethod
    def parse(cls, source: str) -> "Receipt":
        """What `encode` gave. Raises InvalidInput."""
        head, blank, note = source.partition("\n\n")
        lines = head.split("\n")
        if not blank or lines[0] != _HEADER or len(lines) < 3:
            raise InvalidInput(f"A receipt begins with '{_HEADER}', and ends with a checkpoint.")
        leaf = decode64(_after("extra ", lines[1]), "the leaf")
        index = decimal(_after("index ", lines[2]), "the index")
        return cls(leaf, index, _hashes(lines[3:]), note)

    def check(self) -> Checkpoint:
        """The checkpoint that the leaf is in; who signed it is still to be seen.

        Raises InvalidInput for a checkpoint that is none, IntegrityFailure if the proof fails.
        """
        checkpoint = Checkpoint.parse(Note.parse(self.note).text)
        digest = leaf_hash(self.leaf)
        if not includes(digest, self.index, checkpoint.size, self.proof, checkpoint.root):
            raise IntegrityFailure(
                f"The leaf is not entry {self.index} of the {checkpoint.size} that the "
                "checkpoint speaks of."
            )
        return checkpoint


@dataclass(frozen=True, slots=True)
class Submission:
    """What a witness is asked to cosign (C2SP tlog-witness, add-checkpoint).

    `proof` is of consistency with the tree of `old` leaves, the newest that it has cosigned.
    """

    old: int
    proof: tuple[bytes, ...]
    note: str

    def encode(self) -> str:
        return "\n".join([f"old {self.old}", *map(encode64, self.proof), "", self.note])

    @classmethod
    def parse(cls, source: str) -> "Submission":
        """What `encode` gave. Raises InvalidInput."""
        head, blank, note = source.partition("\n\n")
        first, *lines = head.split("\n")
        if not blank:
            raise InvalidInput("A submission is an old size, a proof, an empty line and a note.")
        return cls(decimal(_after("old ", first), "the old size"), _hashes(lines), note)


def _after(word: str, line: str) -> str:
    if not line.startswith(word):
        raise InvalidInput(f"'{line[:80]}' does not begin with '{word}'.")
    return line.removeprefix(word)


def _hashes(lines: list[str]) -> tuple[bytes, ...]:
    if len(lines) > PROOF_LIMIT:
        raise InvalidInput(f"A proof has at most {PROOF_LIMIT} hashes.")
    hashes = tuple(decode64(line, "a hash of the proof") for line in lines)
    if any(len(value) != 32 for value in hashes):
        raise InvalidInput("A hash of the proof has 32 bytes.")
    return hashes
