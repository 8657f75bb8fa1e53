"""Signed notes, checkpoints and cosignatures (C2SP signed-note, tlog-checkpoint, tlog-cosignature).

A note is a text, an empty line, and lines of signatures. Whoever opens one says which keys are
known: at least one of them must have signed; a signature of a known key that does not hold spoils
the whole note; unknown keys are ignored. Anything that two readers could read differently is no
note: a carriage return, base64 that is not as it would be written again, a key that signs twice.

How Ed25519 is checked is handed in (`Check`), so that this needs no library.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NoReturn, Self

from modelkeep.domain.errors import IntegrityFailure, InvalidInput
from modelkeep.domain.merkle import EMPTY_ROOT

Check = Callable[[bytes, bytes, bytes], bool]  # public key, message, signature

LOG_KIND, WITNESS_KIND = 1, 4  # a signature over the text; a cosignature, which has a time
NOTE_LIMIT = 256 * 1024  # characters of a note
SIGNATURE_LIMIT = 100
NAME_LIMIT = 256  # characters of a key's name, and of an origin
SIZE_LIMIT = 2**63  # of a tree; and seconds, of a time
_MARK = "— "


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public Ed25519 key under a name, for one kind of signature."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """The 4 bytes that a signature's line says it by."""
        named = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(named).digest()[:4]

    @property
    def vkey(self) -> str:
        """`<name>+<id, hex>+<base64>`, as others are told of it."""
        return f"{self.name}+{self.id.hex()}+{encode64(bytes([self.kind]) + self.public)}"

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """What `vkey` gave. Raises InvalidInput."""
        name, _, rest = vkey.strip().partition("+")
        id_hex, _, encoded = rest.partition("+")
        packed = decode64(encoded, "the key")
        if len(packed) != 33 or packed[0] not in (LOG_KIND, WITNESS_KIND):
            _refuse(f"'{vkey[:200]}' is no Ed25519 key of the form name+id+base64")
        key = cls(check_name(name), packed[0], packed[1:])
        if key.id.hex() != id_hex:
            _refuse(f"the key of {name} does not have the id {id_hex[:20]}")
        return key

    def signature(self, payload: bytes) -> "Signature":
        """See `Signature.payload`."""
        return Signature(self.name, self.id, payload)

    def holds(self, text: str, payload: bytes, check: Check) -> bool:
        """Whether a signature's payload is this key's on a note's text."""
        if self.kind == LOG_KIND:
            return len(payload) == 64 and check(self.public, text.encode(), payload)
        if len(payload) != 72:
            return False
        time_s = int.from_bytes(payload[:8], "big")
        message = cosigned(text, time_s)
        return time_s < SIZE_LIMIT and check(self.public, message, payload[8:])


def cosigned(text: str, time_s: int) -> bytes:
    """What a witness signs: the note's text, and when (seconds since the epoch)."""
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


@dataclass(frozen=True, slots=True)
class Signature:
    """A line under a note. `payload` is the signature, after 8 bytes of time if it has a time."""

    name: str
    key_id: bytes
    payload: bytes

    @classmethod
    def parse(cls, line: str) -> "Signature":
        """Raises InvalidInput. The line comes without its end."""
        name, space, encoded = line.removeprefix(_MARK).partition(" ")
        if not line.startswith(_MARK) or not space:
            _refuse(f"'{line[:100]}' is not the line of a signature")
        packed = decode64(encoded, f"the signature of {name[:100]}")
        if len(packed) < 5:
            _refuse(f"the signature of {name[:100]} is too short")
        return cls(check_name(name), packed[:4], packed[4:])

    @property
    def line(self) -> str:
        """What `parse` read, with its end."""
        return f"{_MARK}{self.name} {encode64(self.key_id + self.payload)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text with its final newline, and its signatures; nothing is verified yet."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, source: str) -> "Note":
        """Raises InvalidInput for whatever is not exactly a signed note."""
        if len(source) > NOTE_LIMIT:
            _refuse(f"a note has at most {NOTE_LIMIT} characters")
        if any((c < " " and c != "\n") or "\ud800" <= c <= "\udfff" for c in source):
            _refuse("a note is UTF-8 without control characters")
        head, blank, tail = source.rpartition("\n\n")
        if not blank or not head or not tail.endswith("\n"):
            _refuse("a note is a text, an empty line, and lines of signatures")
        lines = tail[:-1].split("\n")
        if len(lines) > SIGNATURE_LIMIT:
            _refuse(f"a note has at most {SIGNATURE_LIMIT} signatures")
        signatures = tuple(Signature.parse(line) for line in lines)
        if len({(s.name, s.key_id) for s in signatures}) < len(signatures):
            _refuse("a key has signed the note twice")
        return cls(head + "\n", signatures)

    @property
    def source(self) -> str:
        """What `parse` read."""
        return self.text + "\n" + "".join(signature.line for signature in self.signatures)

    def signed(self, new: Signature) -> "Note":
        """With one more signature, in place of an older one of the same key."""
        others = [s for s in self.signatures if (s.name, s.key_id) != (new.name, new.key_id)]
        return Note(self.text, (*others, new))

    def signers(self, keys: Collection[PublicKey], check: Check) -> dict[PublicKey, int | None]:
        """Which of the known keys have signed: key -> the time of its cosignature, in seconds.

        Raises IntegrityFailure if a signature of a known key does not hold.
        """
        known = {(key.name, key.id): key for key in keys}
        found: dict[PublicKey, int | None] = {}
        for signature in self.signatures:
            key = known.get((signature.name, signature.key_id))
            if key is None:
                continue
            if not key.holds(self.text, signature.payload, check):
                raise IntegrityFailure(f"The signature of {key.name} does not hold.")
            is_timed = key.kind == WITNESS_KIND
            found[key] = int.from_bytes(signature.payload[:8], "big") if is_timed else None
        return found


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: under which name, how many leaves, which root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text of its note."""
        return f"{self.origin}\n{self.size}\n{encode64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Of a note's text. Raises InvalidInput. Lines after the third are left to others."""
        lines = text.split("\n")
        if len(lines) < 4 or not all(lines[:-1]) or lines[-1]:
            _refuse("a checkpoint has an origin, a size and a root, and no empty line")
        origin, size, root = lines[0], decimal(lines[1], "the size"), decode64(lines[2], "the root")
        if len(root) != 32:
            _refuse("the root of a checkpoint has 32 bytes")
        if size == 0 and root != EMPTY_ROOT:
            _refuse("an empty tree has no other root than the hash of nothing")
        if len(origin) > NAME_LIMIT:
            _refuse(f"an origin has at most {NAME_LIMIT} characters")
        return cls(origin, size, root)


def opened(source: str, keys: Collection[PublicKey], check: Check) -> Checkpoint:
    """The checkpoint of a note that the log's key has signed, among the keys.

    Raises InvalidInput for what is none, and IntegrityFailure if none of the keys that bear its
    origin's name has signed it, or one has not.
    """
    note = Note.parse(source)
    checkpoint = Checkpoint.parse(note.text)
    own = [key for key in keys if key.name == checkpoint.origin and key.kind == LOG_KIND]
    if not note.signers(own, check):
        raise IntegrityFailure(
            f"The checkpoint of {checkpoint.origin} at {checkpoint.size} entries is not signed by "
            "a key that is known for it."
        )
    return checkpoint


# -- the parts of lines ----------------------------------------------------------------------------


def check_name(name: str) -> str:
    """The name of a key: 1 to 256 characters, no space of any kind, no plus."""
    if not name or len(name) > NAME_LIMIT or "+" in name or any(c.isspace() for c in name):
        _refuse(f"a key's name has 1 to {NAME_LIMIT} characters without spaces or '+'")
    return name


def encode64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decode64(text: str, what: str) -> bytes:
    """Raises InvalidInput for all but the one form in which the bytes are written."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or encode64(data) != text:
        _refuse(f"{what} is not canonical base64")
    return data


def decimal(text: str, what: str) -> int:
    """A number from 0 to 2**63 - 1 without leading zeros. Raises InvalidInput."""
    is_plain = text.isascii() and text.isdigit() and len(text) < 20
    if not is_plain or str(int(text)) != text or int(text) >= SIZE_LIMIT:
        _refuse(f"{what} is not a plain number from 0 to 2**63 - 1")
    return int(text)


def _refuse(why: str) -> NoReturn:
    raise InvalidInput(f"{why[0].upper()}{why[1:]}.")
