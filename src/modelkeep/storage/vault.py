"""Secrets at rest: AES-256-GCM, under a key that is not in the database.

The key is the setting `secrets_key` or else a file in the data directory, made when a secret is
first kept and readable by its owner alone. A sealed secret is bound to the webhook or the access
key that it belongs to, so that whoever can write to the database cannot give it to another. (NIST
SP 800-38D; a nonce is 96 random bits, far below the bound of 2**32 seals under one key.)

The library of ciphers is imported with the first secret: a server without one never pays for it.
"""

import base64
import binascii
import logging
import secrets
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

from modelkeep.domain.errors import IntegrityFailure, InvalidInput
from modelkeep.settings import read_key
from modelkeep.storage.files import made_once

_log = logging.getLogger(__name__)

_FORMAT = "v1:"
_NONCE_BYTES = 12
_CANNOT = (
    "A secret cannot be opened: it was sealed under another key. Give back the key "
    "(MODELKEEP_SECRETS_KEY, or the file secrets.key), or set the secret anew, or "
    "make another access key."
)


class AesVault:
    """See `ports.webhooks.Vault`. `key` is base64 text; when it is empty the file holds the key."""

    def __init__(self, key: str, file: Path) -> None:
        self._given, self._file = key, file
        self._lock = threading.Lock()  # two threads must not each make a key

    def seal(self, secret: str, owner: str) -> str:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, secret.encode(), owner.encode())
        return _FORMAT + base64.b64encode(nonce + sealed).decode()

    def open(self, sealed: str, owner: str) -> str:
        from cryptography.exceptions import InvalidTag

        try:
            whole = base64.b64decode(sealed.removeprefix(_FORMAT), validate=True)
            nonce, rest = whole[:_NONCE_BYTES], whole[_NONCE_BYTES:]
            return self._cipher.decrypt(nonce, rest, owner.encode()).decode()
        except (InvalidTag, InvalidInput, OSError, ValueError, binascii.Error):
            raise IntegrityFailure(_CANNOT) from None

    @cached_property
    def _cipher(self) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        with self._lock:
            return AESGCM(read_key(self._given or self._kept(), "secrets_key"))

    def _kept(self) -> str:
        """The key in the file, which is made if it isn't there yet; never half written."""
        try:
            return self._file.read_text(encoding="ascii")
        except FileNotFoundError:
            pass
        _log.warning(
            "secrets are sealed under a new key in %s: keep a copy. Replicas over one database "
            "need MODELKEEP_SECRETS_KEY instead, the same for each",
            self._file,
        )
        text = base64.b64encode(secrets.token_bytes(32))
        return made_once(self._file, text).decode()
