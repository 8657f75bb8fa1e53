"""The journal's key in a file, and beside it the newest checkpoint that was signed with it.

The key is PKCS #8 in PEM, as `openssl genpkey -algorithm ed25519` makes them, readable by its
owner alone; it is made at the first start. Neither file is in the database: whoever restores an
older copy of the database does not restore them.
"""

import logging
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.notes import Checkpoint, Note, PublicKey
from modelkeep.ed25519 import is_signed
from modelkeep.storage.files import made_once, write_durably

_log = logging.getLogger(__name__)


class KeyFile:
    """An Ed25519 key for signatures of one kind. Raises InvalidInput for a file that holds none."""

    def __init__(self, file: Path, kind: int) -> None:
        self.file, self._kind = file, kind
        self._lock = threading.Lock()  # two threads must not each make a key

    def public(self, name: str) -> PublicKey:
        """The key under a name."""
        return PublicKey(name, self._kind, self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message)

    @cached_property
    def _key(self) -> Any:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            with self._lock:
                key = load_pem_private_key(self._pem(), password=None)
        except (OSError, TypeError, ValueError) as error:
            raise InvalidInput(f"{self.file}: no private key in PEM: {error}.") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise InvalidInput(f"{self.file}: not an Ed25519 key.")
        return key

    def _pem(self) -> bytes:
        try:
            return self.file.read_bytes()
        except FileNotFoundError:
            pass
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        kept = made_once(self.file, pem)
        _log.info("a new Ed25519 key is in %s: keep a copy", self.file)
        return kept


class FileNotary:
    """See `ports.checkpoints.Notary`."""

    def __init__(self, key: KeyFile, memory: Path) -> None:
        self._key, self._memory = key, memory
        self._objections: dict[str, str] = {}

    def key(self, name: str) -> PublicKey:
        return self._key.public(name)

    def sign(self, checkpoint: Checkpoint) -> str:
        text = checkpoint.text
        signature = self.key(checkpoint.origin).signature(self._key.sign(text.encode()))
        return Note(text, (signature,)).source

    def remember(self, note: str) -> None:
        write_durably(self._memory, note.encode())

    def remembered(self) -> str | None:
        try:
            return self._memory.read_bytes().decode(errors="replace")
        except FileNotFoundError:
            return None

    def forget(self, note: str) -> None:
        if self.remembered() == note:
            self._memory.unlink()

    def object(self, origin: str, why: str) -> None:
        self._objections[origin] = why

    def objection(self, origin: str) -> str:
        return self._objections.get(origin, "")

    def check(self, public: bytes, message: bytes, signature: bytes) -> bool:
        return is_signed(public, message, signature)
