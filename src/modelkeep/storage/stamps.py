"""Stamps of RSA: keys of 2,048 bits and certificates that they sign themselves.

A certificate here vouches for nobody: it is the form in which SNS's subscribers expect the public
key, and they believe it because of where they fetch it. Signatures are PKCS #1 v1.5 (RFC 8017), of
which SNS's version 1 has SHA-1 as its digest.

The library is imported with the first stamp: a server without topics never pays for it.
"""

import base64
import uuid
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from modelkeep.domain.stamps import Stamp
from modelkeep.ports.webhooks import Vault

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

BITS = 2048
YEARS = 30  # a key that is to go is replaced, and not waited for
KEPT = 4  # open keys


class RsaStamper:
    """See `ports.stamps.Stamper`."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._opened = lru_cache(maxsize=KEPT)(self._open)

    def make(self, now_ms: int) -> Stamp:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        id = uuid.uuid4().hex
        key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
        text = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        return Stamp(id, self._vault.seal(text, id), _certificate(key, id, now_ms), now_ms)

    def sign(self, stamp: Stamp, text: str, version: int) -> str:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        digest = hashes.SHA1() if version == 1 else hashes.SHA256()
        signature = self._opened(stamp).sign(text.encode(), padding.PKCS1v15(), digest)
        return base64.b64encode(signature).decode()

    def _open(self, stamp: Stamp) -> "RSAPrivateKey":
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

        text = self._vault.open(stamp.sealed, stamp.id)
        key = serialization.load_pem_private_key(text.encode(), None)
        assert isinstance(key, RSAPrivateKey)
        return key


def _certificate(key: "RSAPrivateKey", id: str, now_ms: int) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"modelkeep topics {id}")])
    made = datetime.fromtimestamp(now_ms // 1000, UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(made - timedelta(days=1))  # a subscriber's clock may be late
        .not_valid_after(made + timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
